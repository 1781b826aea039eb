package kvtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// hookedDB is a database that changes each transaction before it returns it.
type hookedDB struct {
	kv.Database
	change func(h *hooked)
}

var _ kv.Database = (*hookedDB)(nil)

// hook returns a store with changed transactions, on every handle.
func hook(s kvtest.Store, change func(h *hooked)) kvtest.Store {
	s.Database = &hookedDB{s.Database, change}
	if share := s.Share; share != nil {
		s.Share = func(t testing.TB) kv.Database { return &hookedDB{share(t), change} }
	}
	return s
}

func (db *hookedDB) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	tr, err := db.Database.CreateTransaction(ctx)
	if err != nil {
		return nil, err
	}
	h := &hooked{OwnedTransaction: tr, db: db.Database, ctx: ctx}
	db.change(h)
	return h, nil
}

func (db *hookedDB) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	tr, err := db.CreateTransaction(ctx)
	if err != nil {
		return err
	}
	return kv.RetryLoop(tr, fn)
}

func (db *hookedDB) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	tr, err := db.CreateTransaction(ctx)
	if err != nil {
		return err
	}
	return kv.ReadRetryLoop(tr, fn)
}

// hooked is a transaction whose methods can be replaced. A nil field leaves the
// method unchanged.
type hooked struct {
	kv.OwnedTransaction // the original
	db                  kv.Database
	ctx                 context.Context

	get           func(key []byte) kv.Future[[]byte]
	getRange      func(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue]
	readVersion   func() kv.Future[int64]
	snapshot      func() kv.ReadTransaction
	set           func(key, value []byte)
	clear         func(key []byte)
	clearRange    func(begin, end []byte)
	stampedKey    func(key, value []byte)
	stampedValue  func(key, value []byte)
	addRead       func(begin, end []byte) error
	addWrite      func(begin, end []byte) error
	watch         func(key []byte) kv.Watch
	versionstamp  func() kv.Future[[]byte]
	commit        func() error
	version       func() (int64, error)
	onError       func(err error) error
	reset         func()
	cancel        func()
	setRetryLimit func(retries int)
	setTimeout    func(d time.Duration)
}

var _ kv.OwnedTransaction = (*hooked)(nil)

func (h *hooked) Get(key []byte) kv.Future[[]byte] {
	if h.get != nil {
		return h.get(key)
	}
	return h.OwnedTransaction.Get(key)
}

func (h *hooked) GetRange(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	if h.getRange != nil {
		return h.getRange(begin, end, opts)
	}
	return h.OwnedTransaction.GetRange(begin, end, opts)
}

func (h *hooked) GetReadVersion() kv.Future[int64] {
	if h.readVersion != nil {
		return h.readVersion()
	}
	return h.OwnedTransaction.GetReadVersion()
}

func (h *hooked) Snapshot() kv.ReadTransaction {
	if h.snapshot != nil {
		return h.snapshot()
	}
	return h.OwnedTransaction.Snapshot()
}

func (h *hooked) Set(key, value []byte) {
	if h.set != nil {
		h.set(key, value)
		return
	}
	h.OwnedTransaction.Set(key, value)
}

func (h *hooked) Clear(key []byte) {
	if h.clear != nil {
		h.clear(key)
		return
	}
	h.OwnedTransaction.Clear(key)
}

func (h *hooked) ClearRange(begin, end []byte) {
	if h.clearRange != nil {
		h.clearRange(begin, end)
		return
	}
	h.OwnedTransaction.ClearRange(begin, end)
}

func (h *hooked) SetVersionstampedKey(key, value []byte) {
	if h.stampedKey != nil {
		h.stampedKey(key, value)
		return
	}
	h.OwnedTransaction.SetVersionstampedKey(key, value)
}

func (h *hooked) SetVersionstampedValue(key, value []byte) {
	if h.stampedValue != nil {
		h.stampedValue(key, value)
		return
	}
	h.OwnedTransaction.SetVersionstampedValue(key, value)
}

func (h *hooked) AddReadConflictKey(key []byte) error {
	if h.addRead != nil {
		return h.addRead(key, after(key))
	}
	return h.OwnedTransaction.AddReadConflictKey(key)
}

func (h *hooked) AddReadConflictRange(begin, end []byte) error {
	if h.addRead != nil {
		return h.addRead(begin, end)
	}
	return h.OwnedTransaction.AddReadConflictRange(begin, end)
}

func (h *hooked) AddWriteConflictKey(key []byte) error {
	if h.addWrite != nil {
		return h.addWrite(key, after(key))
	}
	return h.OwnedTransaction.AddWriteConflictKey(key)
}

func (h *hooked) AddWriteConflictRange(begin, end []byte) error {
	if h.addWrite != nil {
		return h.addWrite(begin, end)
	}
	return h.OwnedTransaction.AddWriteConflictRange(begin, end)
}

func (h *hooked) Watch(key []byte) kv.Watch {
	if h.watch != nil {
		return h.watch(key)
	}
	return h.OwnedTransaction.Watch(key)
}

func (h *hooked) GetVersionstamp() kv.Future[[]byte] {
	if h.versionstamp != nil {
		return h.versionstamp()
	}
	return h.OwnedTransaction.GetVersionstamp()
}

func (h *hooked) Commit() error {
	if h.commit != nil {
		return h.commit()
	}
	return h.OwnedTransaction.Commit()
}

func (h *hooked) GetCommittedVersion() (int64, error) {
	if h.version != nil {
		return h.version()
	}
	return h.OwnedTransaction.GetCommittedVersion()
}

func (h *hooked) OnError(err error) error {
	if h.onError != nil {
		return h.onError(err)
	}
	return h.OwnedTransaction.OnError(err)
}

func (h *hooked) Reset() {
	if h.reset != nil {
		h.reset()
		return
	}
	h.OwnedTransaction.Reset()
}

func (h *hooked) Cancel() {
	if h.cancel != nil {
		h.cancel()
		return
	}
	h.OwnedTransaction.Cancel()
}

func (h *hooked) SetRetryLimit(retries int) {
	if h.setRetryLimit != nil {
		h.setRetryLimit(retries)
		return
	}
	h.OwnedTransaction.SetRetryLimit(retries)
}

func (h *hooked) SetTimeout(d time.Duration) {
	if h.setTimeout != nil {
		h.setTimeout(d)
		return
	}
	h.OwnedTransaction.SetTimeout(d)
}

// after returns the next key.
func after(key []byte) []byte { return append(append([]byte{}, key...), 0) }

// lazily is a future that is evaluated at each Get.
type lazily[T any] func() (T, error)

func (f lazily[T]) Get() (T, error) { return f() }

// mapped returns a future with a changed value.
func mapped[T any](inner kv.Future[T], change func(value T) T) kv.Future[T] {
	return lazily[T](func() (T, error) {
		value, err := inner.Get()
		if err != nil {
			return value, err
		}
		return change(value), nil
	})
}
