package interop

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// conflicts are the read conflicts that docs/format.md asks of each step.
var conflicts = map[string][]string{
	"register":  {"candidate"},
	"heartbeat": {"candidate"},
	"claim":     {"leader", "config", "intent", "candidate"},
	"renew":     {"leader", "config", "candidate"},
	"resign":    {"leader", "intent", "candidate"},
}

// owed checks that a commit has the read conflicts that its step owes.
func owed(s step, commit memkv.LogEntry, before []kv.KeyValue) error {
	if len(commit.Mutations) == 0 {
		return nil
	}
	names := conflicts[s.name]
	if missing(before, key("leader")) && s.name != "register" && s.name != "heartbeat" {
		names = append(slices.Clip(names), "term")
	}
	for _, name := range names {
		names := []string{name}
		if name == "candidate" {
			names = []string{"candidates", s.by.ID}
		}
		if !covers(commit.ReadConflicts, key(names...)) {
			return fmt.Errorf("no read conflict on %s", name)
		}
	}
	return nil
}

func missing(rows []kv.KeyValue, key []byte) bool {
	return !slices.ContainsFunc(rows, func(row kv.KeyValue) bool { return bytes.Equal(row.Key, key) })
}

// key returns the key of a record that has a name of its own, or the id of a candidate after it.
func key(names ...string) []byte { return space.Sub(names...).Bytes() }

func covers(ranges []memkv.Range, key []byte) bool {
	for _, r := range ranges {
		if bytes.Compare(r.Begin, key) <= 0 && bytes.Compare(key, r.End) < 0 {
			return true
		}
	}
	return false
}

// ledger is what was true after the last step, and must be so for ever.
type ledger struct {
	term, ballot uint64
	token        election.Token
	ended        []election.Token // of former tenures
	nonces       map[uuid.UUID]bool
}

// check lets Go read everything, and compares it with what was true before.
func (w *world) check() error {
	e := election.New(space)
	status, err := kv.ReadTransact(w.ctx, w.db, e.ReadStatus)
	if err != nil {
		return err
	}
	if err := w.undamaged(e); err != nil {
		return err
	}
	if err := w.ledger.next(status); err != nil {
		return err
	}
	if err := w.fenced(e, status); err != nil {
		return err
	}
	if err := w.ranked(e); err != nil {
		return err
	}
	return w.remembered(e, status)
}

// undamaged checks that Go can read every record and finds nothing to repair, apart from a leader
// record that the test has removed.
func (w *world) undamaged(e *election.LeaderElection) error {
	records, err := rows(w.ctx, w.db)
	if err != nil || missing(records, key("leader")) {
		return err
	}
	overview, err := kv.ReadTransact(w.ctx, w.db, func(tr kv.ReadTransaction) (election.Overview, error) {
		return e.BeginOverview(tr, 0).Await()
	})
	if err := errors.Join(err, overview.Unreadable); err != nil {
		return err
	}
	tr, err := w.db.CreateTransaction(w.ctx)
	if err != nil {
		return err
	}
	defer tr.Cancel()
	repaired, err := e.Repair(tr, w.now)
	if len(repaired) > 0 {
		return fmt.Errorf("there is something to repair: %+v", repaired)
	}
	return err
}

// next checks that ballots and terms only rise, and that the records agree.
func (l *ledger) next(status election.Status) error {
	leader, term := status.Leader, status.Term
	if leader.Ballot < l.ballot || leader.Term < l.term || leader.Term > l.term+1 {
		return fmt.Errorf("ballot %d and term %d follow %d and %d", leader.Ballot, leader.Term, l.ballot, l.term)
	}
	if leader.Term > leader.Ballot {
		return fmt.Errorf("term %d is above ballot %d", leader.Term, leader.Ballot)
	}
	if term.Term != leader.Term || term.Nonce != leader.Nonce || term.Held == leader.Vacant() || term.Held && term.Identity != leader.Identity {
		return fmt.Errorf("the leader record says %v, and the term record says %v", leader, term)
	}
	if leader.Term == l.term+1 {
		if l.nonces == nil {
			l.nonces = map[uuid.UUID]bool{}
		}
		if l.nonces[leader.Nonce] {
			return fmt.Errorf("nonce %s was used before", leader.Nonce)
		}
		l.nonces[leader.Nonce] = true
		if l.token.Term > 0 {
			l.ended = append(l.ended, l.token)
		}
		l.token = leader.Token()
	}
	l.ballot, l.term = leader.Ballot, leader.Term
	return nil
}

// fenced checks that the fence lets exactly the newest tenure through.
func (w *world) fenced(e *election.LeaderElection, status election.Status) error {
	tr, err := w.db.CreateTransaction(w.ctx)
	if err != nil {
		return err
	}
	defer tr.Cancel()
	for _, token := range w.ledger.ended {
		if err := e.RequireLeadership(tr, token); !errors.Is(err, fdbelection.ErrFenced) {
			return fmt.Errorf("the fence says %s to the ended tenure %v", fmt.Sprint(err), token)
		}
	}
	err = e.RequireLeadership(tr, w.ledger.token)
	if status.Term.Held && err != nil || !status.Term.Held && !errors.Is(err, fdbelection.ErrFenced) {
		return fmt.Errorf("the fence says %s to the newest tenure %v, held: %v", fmt.Sprint(err), w.ledger.token, status.Term.Held)
	}
	return nil
}

// ranked checks that the rank index has the ready voters, in the order of all candidates.
func (w *world) ranked(e *election.LeaderElection) error {
	candidates, err := kv.ReadTransact(w.ctx, w.db, e.ListCandidates)
	if err != nil {
		return err
	}
	entries, err := kv.ReadTransact(w.ctx, w.db, func(tr kv.ReadTransaction) ([]election.RankEntry, error) {
		return e.Shortlist(tr, len(candidates)+1)
	})
	if err != nil {
		return err
	}
	for i := range candidates {
		c := &candidates[i]
		ranked := c.Role == election.Voter && c.Ready()
		if i < len(entries) != ranked || ranked && (entries[i].ID != c.ID || entries[i].Versionstamp != c.ReadySince || entries[i].Priority != c.Priority) {
			return fmt.Errorf("candidate %d is %v, and the rank index is %v", i, c, entries)
		}
	}
	return nil
}

// remembered checks that the history has one beginning for each of the newest terms.
func (w *world) remembered(e *election.LeaderElection, status election.Status) error {
	events, err := kv.ReadTransact(w.ctx, w.db, func(tr kv.ReadTransaction) ([]election.Event, error) { return e.History(tr, 0) })
	if err != nil {
		return err
	}
	began := 0
	for _, event := range events {
		if event.Kind == election.EventBegan {
			if event.Term != status.Leader.Term-uint64(began) {
				return fmt.Errorf("the history has term %d where %d began", event.Term, status.Leader.Term-uint64(began))
			}
			began++
		}
	}
	if want := min(int(status.Leader.Term), status.Config.HistoryLimit); began != want {
		return fmt.Errorf("the history has %d terms instead of %d", began, want)
	}
	return nil
}
