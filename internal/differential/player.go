package differential

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// timeout limits the wait for an engine that does not answer.
const timeout = 20 * time.Second

// errNoAnswer is the answer of an engine that did not answer in time.
var errNoAnswer = errors.New("no answer")

// player plays one script on one engine.
type player struct {
	ctx    context.Context
	store  kvtest.Store
	prefix string
	trs    [slots]*playing
	stamps []string // of the commits, in order
	// watches are awaited at the end, after all keys have changed.
	watches []kv.Watch
	syncs   int
}

// playing is a transaction of a script.
type playing struct {
	kv.OwnedTransaction
	pinned bool // whether it has its read version
}

// play returns the answers to the steps of a script, followed by the rows and
// watches at the end. It stops if the engine violates the interface of package kv.
func play(ctx context.Context, store kvtest.Store, script []step) (answers []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p := &player{ctx: ctx, store: store, prefix: string(store.Prefix)}
	if err := store.Transact(ctx, func(tr kv.Transaction) error {
		tr.ClearRange([]byte(p.prefix), []byte(p.prefix+"\xff"))
		tr.Set(p.key("b"), []byte("initial b"))
		tr.Set(p.key("d"), []byte("initial d"))
		return nil
	}); err != nil {
		return nil, err
	}
	defer func() {
		for _, tr := range p.trs {
			if tr != nil {
				tr.Reset()
				tr.Cancel()
			}
		}
	}()
	for _, s := range script {
		answer, err := p.step(s)
		if err != nil {
			return answers, fmt.Errorf("%v: %w", s, err)
		}
		answers = append(answers, p.named(answer))
	}
	rest, err := p.end()
	return append(answers, rest...), err
}

// key returns the stored key for a key of the script.
func (p *player) key(name string) []byte {
	if name == forbidden {
		return []byte(name)
	}
	return []byte(p.prefix + name)
}

// tr returns the transaction of a slot, and begins it if necessary.
func (p *player) tr(slot int) (*playing, error) {
	if p.trs[slot] == nil {
		tr, err := p.store.CreateTransaction(p.ctx)
		if err != nil {
			return nil, err
		}
		p.trs[slot] = &playing{OwnedTransaction: tr}
	}
	return p.trs[slot], nil
}

// step plays a step and returns the engine's answer.
func (p *player) step(s step) (string, error) {
	tr, err := p.tr(s.slot)
	if err != nil {
		return "", err
	}
	switch s.action {
	case doReadVersion:
		return p.readVersion(tr), nil
	case doGet, doGetRange:
		return p.read(tr, s), nil
	case doSet, doClear, doClearRange, doStampKey, doStampValue:
		p.write(tr, s)
		return "", nil
	case doReadConflict, doWriteConflict:
		return errText(p.conflict(tr, s)), nil
	case doWatch:
		p.watches = append(p.watches, tr.Watch(p.key(s.key)))
		p.sync(tr)
		return "", nil
	case doStamp:
		tr.GetVersionstamp() // not awaited
		return "", nil
	case doCommit:
		return p.commit(tr), nil
	case doOnError:
		tr.pinned = false
		return errText(tr.OnError(kv.Error{Code: s.code})), nil
	case doRetryLimit:
		tr.SetRetryLimit(s.limit)
		return "", nil
	case doReset:
		tr.pinned = false
		tr.Reset()
		return "", nil
	case doCancel:
		tr.Cancel()
		return "", nil
	case doBegin:
		tr.Reset() // ends its watches
		tr.Cancel()
		p.trs[s.slot] = nil
		return "", nil
	default:
		return "", fmt.Errorf("no such action: %d", s.action)
	}
}

// readVersion takes the read version. The answer does not contain it, because it
// differs between engines.
func (p *player) readVersion(tr *playing) string {
	_, err := tr.GetReadVersion().Get()
	tr.pinned = tr.pinned || err == nil
	return errText(err)
}

// sync awaits a read, so that earlier reads have been answered and timing does not
// matter.
func (p *player) sync(tr *playing) {
	p.syncs++ // always a new key, because a known key would not be read from the store
	_, _ = tr.Snapshot().Get(p.key(fmt.Sprintf("sync %d", p.syncs))).Get()
	tr.pinned = true
}

func (p *player) read(tr *playing, s step) string {
	reader := kv.ReadTransaction(tr)
	if s.snapshot {
		reader = tr.Snapshot()
	}
	if s.ignored && !tr.pinned {
		p.sync(tr) // otherwise the read version would depend on timing
	}
	if s.action == doGet {
		future := reader.Get(p.key(s.key))
		if s.ignored {
			return ""
		}
		value, err := future.Get()
		if err != nil {
			return errText(err)
		}
		if value == nil {
			return "nothing"
		}
		return fmt.Sprintf("%q", value)
	}
	rows, err := reader.GetRange(p.key(s.key), p.key(s.end), kv.RangeOptions{Limit: s.limit, Reverse: s.reverse}).Get()
	if err != nil {
		return errText(err)
	}
	return p.show(rows)
}

// show formats rows.
func (p *player) show(rows []kv.KeyValue) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows", len(rows))
	for _, row := range rows {
		fmt.Fprintf(&b, " %q=%q", strings.TrimPrefix(string(row.Key), p.prefix), row.Value)
	}
	return b.String()
}

func (p *player) write(tr *playing, s step) {
	key := p.key(s.key)
	switch s.action {
	case doSet:
		tr.Set(key, []byte(s.value))
	case doClear:
		tr.Clear(key)
	case doClearRange:
		tr.ClearRange(key, p.key(s.end))
	case doStampKey:
		at := s.offset
		if at >= 0 {
			at += int32(len(key))
		}
		tr.SetVersionstampedKey(templated(string(key)+s.value, at), []byte("stamped"))
	case doStampValue:
		tr.SetVersionstampedValue(key, templated(s.value, s.offset))
	default: // not a write
	}
}

func templated(text string, offset int32) []byte {
	return binary.LittleEndian.AppendUint32([]byte(text), uint32(offset))
}

func (p *player) conflict(tr *playing, s step) error {
	switch {
	case s.action == doReadConflict && s.end == "":
		return tr.AddReadConflictKey(p.key(s.key))
	case s.action == doReadConflict:
		return tr.AddReadConflictRange(p.key(s.key), p.key(s.end))
	case s.end == "":
		return tr.AddWriteConflictKey(p.key(s.key))
	default:
		return tr.AddWriteConflictRange(p.key(s.key), p.key(s.end))
	}
}

// commit commits and records the stamp. It does not await the stamp of a commit
// that never began, because that stays pending.
func (p *player) commit(tr *playing) string {
	future := tr.GetVersionstamp()
	err := tr.Commit()
	answer := errText(err) + ", " + kv.OutcomeOf(err).String()
	if err != nil && kv.CodeOf(err) != kv.CodeNotCommitted {
		return answer
	}
	value, err := future.Get()
	if err == nil {
		p.stamps = append(p.stamps, string(value))
		answer += fmt.Sprintf(", stamp %q", value)
	} else {
		answer += ", stamp " + errText(err)
	}
	version, err := tr.GetCommittedVersion()
	if err == nil && version > 0 {
		return answer + ", version"
	}
	return answer + fmt.Sprintf(", version %d %s", version, errText(err))
}

// end changes every key, so that every pending watch must fire. It returns the rows
// before that, and the states of the watches.
func (p *player) end() ([]string, error) {
	rows, err := kv.ReadTransact(p.ctx, p.store.Database, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange([]byte(p.prefix), []byte(p.prefix+"\xff"), kv.RangeOptions{}).Get()
	})
	if err != nil {
		return nil, err
	}
	for _, tr := range p.trs {
		if tr != nil {
			tr.Reset()
		}
	}
	if err := p.store.Transact(p.ctx, func(tr kv.Transaction) error {
		for _, name := range names {
			tr.Set(p.key(name), []byte("changed at the end"))
		}
		return nil
	}); err != nil {
		return nil, err
	}
	answers := []string{p.named(p.show(rows))}
	for _, w := range p.watches {
		select {
		case <-w.Done():
			answers = append(answers, errText(w.Err()))
		case <-p.ctx.Done():
			answers = append(answers, errText(errNoAnswer))
		}
		w.Cancel()
	}
	return answers, nil
}

// named replaces the stamps of commits with their numbers.
func (p *player) named(answer string) string {
	for i, stamp := range p.stamps {
		quoted := fmt.Sprintf("%q", stamp)
		answer = strings.ReplaceAll(answer, quoted[1:len(quoted)-1], fmt.Sprintf("(stamp %d)", i))
	}
	return answer
}

// errText formats an error by its code, if it has one.
func errText(err error) string {
	switch code := kv.CodeOf(err); {
	case err == nil:
		return "ok"
	case code != 0:
		return fmt.Sprint(code)
	default:
		return err.Error()
	}
}
