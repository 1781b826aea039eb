package subspace

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Versionstamp is the place of a write in the order of all writes: the 10
// bytes of the transaction's commit, which the database decides, and a number
// that orders the writes of one transaction, which the application decides.
type Versionstamp struct {
	// Transaction is the commit version (8 bytes) and the place among the commits
	// of that version (2 bytes), both big-endian.
	Transaction [10]byte
	// User orders the stamps of one transaction.
	User uint16
}

// incomplete stands for the transaction of a stamp that no commit has filled
// in yet.
var incomplete = [10]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// IncompleteVersionstamp returns a stamp that the commit will complete. Its
// ten transaction bytes are all 0xFF.
func IncompleteVersionstamp(user uint16) Versionstamp {
	return Versionstamp{Transaction: incomplete, User: user}
}

// VersionstampFromBytes returns the stamp that Bytes gave as b. It must be 12
// bytes long.
func VersionstampFromBytes(b []byte) (Versionstamp, error) {
	if len(b) != 12 {
		return Versionstamp{}, fmt.Errorf("versionstamp of %d bytes: it takes 12", len(b))
	}
	return versionstampAt(b), nil
}

// versionstampAt reads the 12 bytes that b begins with.
func versionstampAt(b []byte) (v Versionstamp) {
	v.User = binary.BigEndian.Uint16(b[10:12])
	copy(v.Transaction[:], b)
	return v
}

// Incomplete reports whether a commit has yet to fill in the stamp.
func (v Versionstamp) Incomplete() bool { return v.Transaction == incomplete }

// Bytes returns the 12 bytes of the stamp, which sort as stamps do.
func (v Versionstamp) Bytes() (b [12]byte) {
	copy(b[:], v.Transaction[:])
	binary.BigEndian.PutUint16(b[10:], v.User)
	return b
}

// Compare returns -1, 0 or 1 where v is before, equal to or after other. An
// incomplete stamp is after every complete one.
func (v Versionstamp) Compare(other Versionstamp) int {
	return cmp.Or(
		bytes.Compare(v.Transaction[:], other.Transaction[:]),
		cmp.Compare(v.User, other.User),
	)
}

// String returns the transaction in hexadecimal, or "incomplete", and the
// user number in decimal: "000000a1b2c3d4e50001:7".
func (v Versionstamp) String() string {
	transaction := "incomplete"
	if !v.Incomplete() {
		transaction = hex.EncodeToString(v.Transaction[:])
	}
	return transaction + ":" + strconv.Itoa(int(v.User))
}
