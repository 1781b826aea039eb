package system

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fdbelection/fdbelection/kv"
)

// Traffic counts requests and bytes. It is safe for concurrent use.
type Traffic struct {
	requests, sent, received atomic.Int64
	conflicts, transactions  atomic.Int64
	watches                  atomic.Int64 // armed and not ended

	mu    sync.Mutex
	conns map[*countedConn]struct{} // that are open
	dead  bool                      // after kill
}

// Request counts a request.
func (t *Traffic) Request() { t.requests.Add(1) }

// attempt counts an attempt of a transaction, with the request for its read version.
func (t *Traffic) attempt() {
	t.transactions.Add(1)
	t.Request()
}

// Counts are the counts at one instant.
type Counts struct{ Requests, Bytes, Conflicts, Transactions int64 }

// Counts returns what was counted so far. Bytes are zero if no connection is counted, and
// transactions if the system is a peer.
func (t *Traffic) Counts() Counts {
	return Counts{t.requests.Load(), t.sent.Load() + t.received.Load(), t.conflicts.Load(), t.transactions.Load()}
}

// Watches returns how many watches of a client of this project stand.
func (t *Traffic) Watches() int64 { return t.watches.Load() }

// Plus returns what was counted at two places.
func (c Counts) Plus(o Counts) Counts {
	return Counts{c.Requests + o.Requests, c.Bytes + o.Bytes, c.Conflicts + o.Conflicts, c.Transactions + o.Transactions}
}

// Minus returns what was counted since an earlier instant.
func (c Counts) Minus(o Counts) Counts {
	return Counts{c.Requests - o.Requests, c.Bytes - o.Bytes, c.Conflicts - o.Conflicts, c.Transactions - o.Transactions}
}

// Dial opens a connection whose bytes are counted.
func (t *Traffic) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	counted := &countedConn{conn, t}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		_ = conn.Close()
		return nil, fmt.Errorf("dial %s: %w", address, net.ErrClosed)
	}
	if t.conns == nil {
		t.conns = map[*countedConn]struct{}{}
	}
	t.conns[counted] = struct{}{}
	return counted, nil
}

// kill closes all connections without a farewell and refuses new ones. The kernel does the same to a
// process that is killed.
func (t *Traffic) kill() {
	t.mu.Lock()
	t.dead = true
	conns := slices.Collect(maps.Keys(t.conns))
	t.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
	}
}

type countedConn struct {
	net.Conn
	traffic *Traffic
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.traffic.received.Add(int64(n))
	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.traffic.sent.Add(int64(n))
	return n, err
}

func (c *countedConn) Close() error {
	c.traffic.mu.Lock()
	delete(c.traffic.conns, c)
	c.traffic.mu.Unlock()
	return c.Conn.Close()
}

// countedDatabase counts what a client of FoundationDB sends: the read version of an attempt, each
// read, each watch, and each commit that writes. It counts the attempts that conflicted.
type countedDatabase struct {
	kv.Database
	traffic *Traffic
}

func (d countedDatabase) Transact(ctx context.Context, fn func(kv.Transaction) error) error {
	tr, err := d.CreateTransaction(ctx)
	if err != nil {
		return err
	}
	return kv.RetryLoop(tr, fn)
}

func (d countedDatabase) ReadTransact(ctx context.Context, fn func(kv.ReadTransaction) error) error {
	return d.Database.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		d.traffic.attempt()
		return fn(countedReads{tr, d.traffic})
	})
}

func (d countedDatabase) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	tr, err := d.Database.CreateTransaction(ctx)
	if err != nil {
		return nil, err
	}
	d.traffic.attempt()
	return &countedTransaction{OwnedTransaction: tr, traffic: d.traffic}, nil
}

type countedReads struct {
	kv.ReadTransaction
	traffic *Traffic
}

func (r countedReads) Get(key []byte) kv.Future[[]byte] {
	r.traffic.Request()
	return r.ReadTransaction.Get(key)
}

func (r countedReads) GetRange(begin, end []byte, o kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	r.traffic.Request()
	return r.ReadTransaction.GetRange(begin, end, o)
}

func (r countedReads) Snapshot() kv.ReadTransaction {
	return countedReads{r.ReadTransaction.Snapshot(), r.traffic}
}

type countedTransaction struct {
	kv.OwnedTransaction
	traffic *Traffic
	writes  bool
}

func (t *countedTransaction) Get(key []byte) kv.Future[[]byte] {
	t.traffic.Request()
	return t.OwnedTransaction.Get(key)
}

func (t *countedTransaction) GetRange(begin, end []byte, o kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	t.traffic.Request()
	return t.OwnedTransaction.GetRange(begin, end, o)
}

func (t *countedTransaction) Snapshot() kv.ReadTransaction {
	return countedReads{t.OwnedTransaction.Snapshot(), t.traffic}
}

func (t *countedTransaction) Watch(key []byte) kv.Watch {
	t.traffic.Request()
	t.traffic.watches.Add(1)
	return &countedWatch{Watch: t.OwnedTransaction.Watch(key), traffic: t.traffic}
}

// countedWatch stands until it is cancelled. An elector cancels each of its watches, also one that
// has fired.
type countedWatch struct {
	kv.Watch
	traffic *Traffic
	ended   atomic.Bool
}

func (w *countedWatch) Cancel() {
	if !w.ended.Swap(true) {
		w.traffic.watches.Add(-1)
	}
	w.Watch.Cancel()
}

func (t *countedTransaction) Set(key, value []byte) {
	t.writes = true
	t.OwnedTransaction.Set(key, value)
}

func (t *countedTransaction) Clear(key []byte) {
	t.writes = true
	t.OwnedTransaction.Clear(key)
}

func (t *countedTransaction) ClearRange(begin, end []byte) {
	t.writes = true
	t.OwnedTransaction.ClearRange(begin, end)
}

func (t *countedTransaction) SetVersionstampedKey(key, value []byte) {
	t.writes = true
	t.OwnedTransaction.SetVersionstampedKey(key, value)
}

func (t *countedTransaction) SetVersionstampedValue(key, value []byte) {
	t.writes = true
	t.OwnedTransaction.SetVersionstampedValue(key, value)
}

func (t *countedTransaction) Commit() error {
	if t.writes {
		t.traffic.Request()
	}
	return t.OwnedTransaction.Commit()
}

func (t *countedTransaction) OnError(err error) error {
	if kv.CodeOf(err) == kv.CodeNotCommitted {
		t.traffic.conflicts.Add(1)
	}
	if err := t.OwnedTransaction.OnError(err); err != nil {
		return err
	}
	t.traffic.attempt()
	t.writes = false
	return nil
}
