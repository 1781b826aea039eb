package client

import (
	"encoding/binary"

	"github.com/fdbelection/fdbelection/kv"
)

// offsetSize is the length of the little-endian offset at the end of a template.
const offsetSize = 4

// cutOffset removes the offset from a template. ok is false if there is no offset,
// or no room for a versionstamp at it.
func cutOffset(template []byte) (rest []byte, offset int, ok bool) {
	n := len(template) - offsetSize
	if n < 0 {
		return nil, 0, false
	}
	at := int64(int32(binary.LittleEndian.Uint32(template[n:])))
	if at < 0 || at+StampSize > int64(n) {
		return nil, 0, false
	}
	return template[:n:n], int(at), true
}

// SetVersionstampedKey implements kv.Transaction.
func (tr *Transaction) SetVersionstampedKey(key, value []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.writable() || !tr.checkWrite(key, value) {
		return
	}
	rest, offset, ok := cutOffset(key)
	if !ok {
		tr.deferred = kv.CodeInvalidOperation
		return
	}
	// The final key lies between the stamp of the read version (0: not taken yet)
	// and the greatest stamp, and every read in that range fails. The commit's
	// version is above the read version, so the range is larger than necessary.
	// FoundationDB's client does the same: it calls getVersionstampKeyRange with
	// getCachedReadVersion().orDefault(0).
	template := tr.arena.clone(key)
	r := Range{Begin: template[:len(rest):len(rest)], End: tr.arena.take(len(rest) + 1)}
	binary.BigEndian.PutUint64(r.Begin[offset:], uint64(tr.readVersion))
	binary.BigEndian.PutUint16(r.Begin[offset+8:], 0)
	copy(r.End, rest)
	r.End[len(rest)] = 0
	for i := range StampSize {
		r.End[offset+i] = 0xff
	}
	r.End = minKey(r.End, keysEnd)
	m := Mutation{
		Kind: MutationStampedKey, Key: r.Begin, Value: tr.arena.clone(value), Offset: offset,
	}
	tr.writes.putStampedKey(template, m, r, &tr.arena)
}

// SetVersionstampedValue implements kv.Transaction.
func (tr *Transaction) SetVersionstampedValue(key, value []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.writable() || !tr.checkWrite(key, value) {
		return
	}
	rest, offset, ok := cutOffset(value)
	if !ok {
		tr.deferred = kv.CodeInvalidOperation
		return
	}
	m := Mutation{
		Kind: MutationStampedValue, Key: tr.arena.clone(key), Value: tr.arena.clone(rest), Offset: offset,
	}
	tr.writes.put(m)
	tr.ownChange(m.Key, nil, nil, false)
}

// stamp is the future versionstamp of one attempt. The transaction's lock guards
// it.
type stamp struct {
	tr    *Transaction
	life  *lifetime
	known bool
	value []byte
	err   error
	done  chan struct{} // created by the first waiter
}

// GetVersionstamp implements kv.Transaction.
func (tr *Transaction) GetVersionstamp() kv.Future[[]byte] {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if err := tr.useError(); err != nil {
		return failedFuture[[]byte]{err}
	}
	if tr.stamp == nil {
		tr.stamp = &stamp{tr: tr, life: tr.life}
	}
	return tr.stamp
}

// resolve sets the result, once. The transaction's lock is held.
func (s *stamp) resolve(value []byte, err error) {
	if s == nil || s.known {
		return
	}
	s.known, s.value, s.err = true, value, err
	if s.done != nil {
		close(s.done)
	}
}

// Ready reports whether Get would return without waiting.
func (s *stamp) Ready() bool {
	s.tr.mu.Lock()
	defer s.tr.mu.Unlock()
	return s.known
}

// Get implements kv.Future. It waits until the transaction has been committed.
func (s *stamp) Get() ([]byte, error) {
	s.tr.mu.Lock()
	if !s.known {
		if s.done == nil {
			s.done = make(chan struct{})
		}
		done, life := s.done, s.life
		s.tr.mu.Unlock()
		select {
		case <-done:
		case <-life.Done():
		}
		s.tr.mu.Lock()
		if failure := life.failure(); failure != nil {
			s.resolve(nil, *failure)
		}
	}
	defer s.tr.mu.Unlock()
	return s.value, s.err
}
