package group

import (
	"fmt"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Token names one tenure of one shard. Its Term is the fencing token for systems outside the
// database, as in an election.
type Token struct {
	Shard string
	election.Token
}

// String returns the shard, the term and its holder. It is safe to print.
func (t Token) String() string { return election.SafeText(t.Shard) + ", " + t.Token.String() }

// RequireLeadership makes the commit of a transaction depend on a tenure: it commits only if
// the tenure of token is the newest one of its shard and has not ended. It reads the shard
// record, which only changes with the tenure. So a fenced transaction conflicts neither with
// heartbeats nor with changes of other shards. No clock is compared: a member that was
// evicted may write until another member claims the shard.
//
// A transaction that writes nothing is not fenced, since the database does not check it for
// conflicts.
//
// Errors: ErrFenced, ErrInvalidState (of the shard record).
func (g *Group) RequireLeadership(tr kv.Transaction, token Token) error {
	key := g.keys.of(KindShard, token.Shard)
	value, err := tr.Get(key).Get()
	if err != nil {
		return err
	}
	if value == nil {
		return fmt.Errorf("%w: the shard was removed, the token is %s", fdbelection.ErrFenced, token)
	}
	now, err := decodeShard(key, token.Shard, value)
	switch {
	case err != nil:
		return err
	case !now.in(token):
		return fmt.Errorf("%w: now %s, the token is %s", fdbelection.ErrFenced, now.String(), token)
	}
	return nil
}
