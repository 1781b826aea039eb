package simulation

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// spyDatabase is a database whose transactions report if their user commits, retries or
// configures them. Only the owner of a transaction may do that.
type spyDatabase struct {
	world *world
	kv.Database
}

var _ kv.Database = spyDatabase{}

func (d spyDatabase) Transact(ctx context.Context, fn func(kv.Transaction) error) error {
	return d.Database.Transact(ctx, func(tr kv.Transaction) error {
		return fn(&spyTransaction{Transaction: tr, world: d.world})
	})
}

// spyTransaction is a transaction that its user does not own. It has the methods of an
// owned one, to detect that they are called.
type spyTransaction struct {
	kv.Transaction
	world *world
}

var _ kv.OwnedTransaction = (*spyTransaction)(nil)

func (s *spyTransaction) used(what string) {
	s.world.violated(invOwnership, "the election calls %s on a transaction that is not its own", what)
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
