package simulation

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// spyDatabase gives its callers transactions that tell when somebody who does not
// own them commits, retries or sets an option.
type spyDatabase struct {
	world *World
	kv.Database
}

var _ kv.Database = spyDatabase{}

func (d spyDatabase) Transact(ctx context.Context, fn func(kv.Transaction) error) error {
	return d.Database.Transact(ctx, func(tr kv.Transaction) error {
		return fn(&spyTransaction{Transaction: tr, world: d.world})
	})
}

// spyTransaction is a transaction of somebody else: it looks as if one could
// own it.
type spyTransaction struct {
	kv.Transaction
	world *World
}

var _ kv.OwnedTransaction = (*spyTransaction)(nil)

func (s *spyTransaction) used(what string) {
	s.world.violated(Ownership, "the election calls %s on a transaction that is not its own", what)
}

func (s *spyTransaction) Commit() error { s.used("Commit"); return nil }
func (s *spyTransaction) GetCommittedVersion() (int64, error) {
	s.used("GetCommittedVersion")
	return -1, nil
}
func (s *spyTransaction) OnError(err error) error  { s.used("OnError"); return err }
func (s *spyTransaction) Reset()                   { s.used("Reset") }
func (s *spyTransaction) Cancel()                  { s.used("Cancel") }
func (s *spyTransaction) SetRetryLimit(int)        { s.used("SetRetryLimit") }
func (s *spyTransaction) SetTimeout(time.Duration) { s.used("SetTimeout") }
