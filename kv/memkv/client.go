package memkv

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// ClientOptions are what a client has of its own; nil means the database's.
type ClientOptions struct {
	Now    func() time.Time
	Sleep  func(ctx context.Context, d time.Duration) error
	Jitter func() float64
}

// Client is a handle on a database under a name, as if it were one process of
// several. Hooks and the commit log tell by the name whose call it is. It is
// safe for concurrent use.
type Client struct {
	db   *DB
	name string
	opts ClientOptions
}

// NewClient returns a handle on the database. Its clock, sleep and jitter are
// those that the time limits and the back-off of its transactions use.
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

// Name returns the client's name.
func (c *Client) Name() string { return c.name }

// labelKey is the context key of WithLabel.
type labelKey struct{}

// WithLabel gives the transactions that are begun with the context a label: the
// operation that they belong to, say. Hooks and the commit log show it.
func WithLabel(ctx context.Context, label string) context.Context {
	return context.WithValue(ctx, labelKey{}, label)
}

// begin starts a transaction.
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

// CreateTransaction implements kv.Database. It never fails: where ctx has
// ended, the first use of the transaction says so.
func (c *Client) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	return c.begin(ctx), nil
}
