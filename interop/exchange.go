package interop

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/fdbelection/fdbelection/kv"
)

// ErrChanged is returned if a key does not have the value any more from which the operations follow.
// Make another dump, and take the step again.
var ErrChanged = errors.New("a record has changed since the dump")

// line is a key and its value in hex. The value is null if the key does not exist.
type line struct {
	Op    string  `json:"op,omitempty"`
	Key   string  `json:"key"`
	Value *string `json:"value,omitempty"`
}

// Dump returns all keys and values, one JSON object for each:
//
//	{"key":"0261","value":"1501"}
func Dump(tr kv.ReadTransaction) ([]byte, error) {
	rows, err := tr.Snapshot().GetRange(nil, []byte{0xff}, kv.RangeOptions{}).Get()
	if err != nil {
		return nil, err
	}
	var dump bytes.Buffer
	encoder := json.NewEncoder(&dump)
	for _, row := range rows {
		value := hex.EncodeToString(row.Value)
		if err := encoder.Encode(line{Key: hex.EncodeToString(row.Key), Value: &value}); err != nil {
			return nil, err
		}
	}
	return dump.Bytes(), nil
}

// Apply does what the lines say, in the same form with an op: read, set, clear,
// set_versionstamped_key or set_versionstamped_value. A read adds a read conflict and compares the
// value, so the operations may follow from a dump of an earlier transaction. If it differs, the
// error is ErrChanged.
func Apply(tr kv.Transaction, operations []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(operations))
	for {
		var l line
		err := decoder.Decode(&l)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.apply(tr); err != nil {
			return fmt.Errorf("%s %s: %w", l.Op, l.Key, err)
		}
	}
}

func (l line) apply(tr kv.Transaction) error {
	key, err := hex.DecodeString(l.Key)
	if err != nil {
		return err
	}
	var value []byte
	if l.Value != nil {
		if value, err = hex.DecodeString(*l.Value); err != nil {
			return err
		}
	}
	switch l.Op {
	case "read":
		found, err := tr.Get(key).Get()
		if err != nil {
			return err
		}
		if !bytes.Equal(found, value) || (found == nil) != (l.Value == nil) {
			return ErrChanged
		}
	case "set":
		tr.Set(key, value)
	case "clear":
		tr.Clear(key)
	case "set_versionstamped_key":
		tr.SetVersionstampedKey(key, value)
	case "set_versionstamped_value":
		tr.SetVersionstampedValue(key, value)
	default:
		return errors.New("unknown operation")
	}
	return nil
}
