package fdbkv

import (
	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// transaction is a kv.Transaction on a transaction of the binding.
//
// Each call has a guard. It recovers panics of the binding. Because it refers to the
// transaction, it also prevents the garbage collector from destroying the transaction
// while C code uses it.
type transaction struct {
	scope
	tr fdb.Transaction
}

var _ kv.Transaction = (*transaction)(nil)

// guard recovers a panic of a call that has no result. It cancels the transaction,
// because a commit would lack the write of that call.
func (t *transaction) guard() {
	if p := recover(); p != nil {
		e := panicError(p)
		t.broken.CompareAndSwap(nil, &e)
		t.cancel()
	}
}

// guardError recovers a panic of a call that returns an error.
func (t *transaction) guardError(err *error) { //nolint:gocritic // deferred, it changes what its caller returns
	if p := recover(); p != nil {
		*err = t.failed(panicError(p))
	}
}

// cancel cancels the transaction of the binding.
func (t *transaction) cancel() {
	defer func() { _ = recover() }() // there may be no transaction
	t.tr.Cancel()
}

// Get implements kv.ReadTransaction.
func (t *transaction) Get(name []byte) kv.Future[[]byte] { return t.get(t.tr, name) }

// GetRange implements kv.ReadTransaction.
func (t *transaction) GetRange(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	return t.getRange(t.tr, begin, end, opts)
}

// GetReadVersion implements kv.ReadTransaction.
func (t *transaction) GetReadVersion() kv.Future[int64] { return t.getReadVersion(t.tr) }

// Snapshot implements kv.ReadTransaction.
func (t *transaction) Snapshot() kv.ReadTransaction { return (*snapshot)(t) }

// Set implements kv.Transaction.
func (t *transaction) Set(name, value []byte) { t.write(fdb.Transaction.Set, name, value) }

// SetVersionstampedKey implements kv.Transaction.
func (t *transaction) SetVersionstampedKey(name, value []byte) {
	t.write(fdb.Transaction.SetVersionstampedKey, name, value)
}

// SetVersionstampedValue implements kv.Transaction.
func (t *transaction) SetVersionstampedValue(name, value []byte) {
	t.write(fdb.Transaction.SetVersionstampedValue, name, value)
}

// write calls a method of the binding that writes a key. The binding copies its
// arguments.
func (t *transaction) write(method func(fdb.Transaction, fdb.KeyConvertible, []byte), name, value []byte) {
	defer t.guard()
	checkValue(value)
	k := lend(name)
	method(t.tr, k, value)
	k.done()
}

// Clear implements kv.Transaction.
func (t *transaction) Clear(name []byte) {
	defer t.guard()
	k := lend(name)
	t.tr.Clear(k)
	k.done()
}

// ClearRange implements kv.Transaction.
func (t *transaction) ClearRange(begin, end []byte) {
	defer t.guard()
	s := lendSpan(begin, end)
	t.tr.ClearRange(s)
	s.done()
}

// AddReadConflictKey implements kv.Transaction.
func (t *transaction) AddReadConflictKey(name []byte) error {
	return t.conflictKey(fdb.Transaction.AddReadConflictKey, name)
}

// AddWriteConflictKey implements kv.Transaction.
func (t *transaction) AddWriteConflictKey(name []byte) error {
	return t.conflictKey(fdb.Transaction.AddWriteConflictKey, name)
}

// AddReadConflictRange implements kv.Transaction.
func (t *transaction) AddReadConflictRange(begin, end []byte) error {
	return t.conflictRange(fdb.Transaction.AddReadConflictRange, begin, end)
}

// AddWriteConflictRange implements kv.Transaction.
func (t *transaction) AddWriteConflictRange(begin, end []byte) error {
	return t.conflictRange(fdb.Transaction.AddWriteConflictRange, begin, end)
}

// conflictKey calls a method of the binding that adds a conflict key.
func (t *transaction) conflictKey(method func(fdb.Transaction, fdb.KeyConvertible) error, name []byte) (err error) {
	defer t.guardError(&err)
	t.requireUsable()
	k := lend(name)
	defer k.done()
	return t.checked(method(t.tr, k))
}

// conflictRange calls a method of the binding that adds a conflict range.
func (t *transaction) conflictRange(method func(fdb.Transaction, fdb.ExactRange) error, begin, end []byte) (err error) {
	defer t.guardError(&err)
	t.requireUsable()
	s := lendSpan(begin, end)
	defer s.done()
	return t.checked(method(t.tr, s))
}

// checked is failed for an error that may be nil.
func (t *transaction) checked(err error) error {
	if err == nil {
		return nil
	}
	return t.failed(err)
}

// GetVersionstamp implements kv.Transaction.
func (t *transaction) GetVersionstamp() (answer kv.Future[[]byte]) {
	f := &future[[]byte]{scope: &t.scope}
	answer = f
	defer f.guard()
	t.requireUsable()
	f.src = stamp{t.tr.GetVersionstamp()}
	return answer
}

// snapshot is a transaction whose reads add no conflict ranges.
type snapshot transaction

var _ kv.ReadTransaction = (*snapshot)(nil)

func (s *snapshot) Get(name []byte) kv.Future[[]byte] { return s.get(s.tr.Snapshot(), name) }

func (s *snapshot) GetRange(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	return s.getRange(s.tr.Snapshot(), begin, end, opts)
}

func (s *snapshot) GetReadVersion() kv.Future[int64] { return s.getReadVersion(s.tr) }

func (s *snapshot) Snapshot() kv.ReadTransaction { return s }
