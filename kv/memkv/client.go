package memkv

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// ClientOptions configure a Client. A nil field means the value of the database.
type ClientOptions struct {
	Now    func() time.Time
	Sleep  func(ctx context.Context, d time.Duration) error
	Jitter func() float64
}

// Client is a handle on a database. It represents one of several processes. Hooks
// and the commit log show the name of the client. It is safe for concurrent use.
type Client struct {
	db   *DB
	name string
	opts ClientOptions
}

// NewClient returns a client with the given name. Its transactions use its clock,
// sleep and jitter for time limits and the back-off. Versions follow the clock of
// the database.
func (db *DB) NewClient(name string, opts ClientOptions) *Client {
	if opts.Now == nil {
		opts.Now = db.opts.Now
	}
	if opts.Sleep == nil {
		opts.Sleep = db.opts.Sleep
	}
	if opts.Jitter == nil {
		opts.Jitter = db.opts.Jitter
	}
	return &Client{db: db, name: name, opts: opts}
}

// labelKey is the context key of WithLabel.
type labelKey struct{}

// WithLabel returns a context that labels the transactions begun with it, for
// example with the name of an operation. Hooks and the commit log show the label.
func WithLabel(ctx context.Context, label string) context.Context {
	return context.WithValue(ctx, labelKey{}, label)
}

// begin begins a transaction.
func (c *Client) begin(ctx context.Context) *client.Transaction {
	s := &session{client: c, db: c.db, number: c.db.transactions.Add(1)}
	if c.db.hooks != nil || c.db.logging() {
		s.label, _ = ctx.Value(labelKey{}).(string)
	}
	return client.NewTransaction(ctx, s, client.Options{SizeLimit: c.db.opts.SizeLimit})
}

// Transact implements kv.Database.
func (c *Client) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	return kv.RetryLoop(c.begin(ctx), fn)
}

// ReadTransact implements kv.Database.
func (c *Client) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	return kv.ReadRetryLoop(c.begin(ctx), fn)
}

// CreateTransaction implements kv.Database. It never fails. If ctx has ended, the
// first use of the transaction fails.
func (c *Client) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	return c.begin(ctx), nil
}
