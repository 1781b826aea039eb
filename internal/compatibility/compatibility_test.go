// Package compatibility reads stores that earlier releases wrote, and goes on from them. docs/compatibility.md
// has the promises.
package compatibility

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// newStore is the environment variable that names a store to write, such as v1.2.0: a new file in testdata,
// with what its code reads in it as text. Stores that exist are never written again.
const newStore = "WRITE_STORE"

func TestWriteStore(t *testing.T) {
	name := os.Getenv(newStore)
	if name == "" {
		t.Skipf("%s names no store to write", newStore)
	}
	file := filepath.Join("testdata", name+".db")
	require.NoFileExists(t, file, "a store of a release is frozen")
	written := filepath.Join(t.TempDir(), "store.db")
	s := open(t, written, began)
	s.play()
	text := s.text()
	require.NoError(t, s.Close())
	content, err := os.ReadFile(written)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, content, 0o644))
	require.NoError(t, os.WriteFile(strings.TrimSuffix(file, ".db")+".txt", []byte(text), 0o644))
}

// A change makes of a record what another version of the program would have written.
type change func(kind string, record subspace.Tuple) subspace.Tuple

// TestStoresOfReleases opens the store of each release. Today's code reads what its own code read, and every
// process of it goes on: terms and ballots rise from there.
func TestStoresOfReleases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.db")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		text, err := os.ReadFile(strings.TrimSuffix(file, ".db") + ".txt")
		require.NoError(t, err)
		forms := map[string]change{"as written": nil, "in the oldest form": oldest, "by a newer program": newer}
		for name, change := range forms {
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				copied := filepath.Join(t.TempDir(), "store.db")
				require.NoError(t, os.WriteFile(copied, content, 0o600))
				s := open(t, copied, at(20))
				if change != nil {
					s.rewrite(change)
				}
				require.Equal(t, strings.Split(string(text), "\n"), strings.Split(s.text(), "\n"))
				s.goOnBilling()
				s.goOnOthers()
				s.goOnGroup()
			})
		}
	}
}

// oldest leaves out the elements that docs/format.md allows to be missing.
func oldest(kind string, record subspace.Tuple) subspace.Tuple {
	required := map[string]int{"config": 14, "term": 6, "intent": 8, "beats": 4}
	if n, known := required[kind]; known && n < len(record) {
		return record[:n]
	}
	if kind == "candidates" && len(record) == 9 { // with notes, and neither readiness nor delay
		return record[:8]
	}
	return record
}

// newer adds elements that today's code does not know, to records that have all the others.
func newer(kind string, record subspace.Tuple) subspace.Tuple {
	complete := map[string]int{
		"config": 15, "leader": 13, "term": 7, "candidates": 11, "intent": 9, "history": 9, "notice": 5,
		"group": 11, "members": 9, "beats": 5, "shards": 8,
	}
	if complete[kind] == len(record) {
		return append(record, subspace.Int(4711), subspace.String("new"))
	}
	return record
}

// rewrite changes the value of every record. It fails the test if that changes nothing.
func (s *scene) rewrite(change change) {
	s.t.Helper()
	changed := 0
	s.does(func(tr kv.Transaction) error {
		begin, end := subspace.New(root).Range()
		rows, err := tr.GetRange(begin, end, kv.RangeOptions{}).Get()
		for _, row := range rows {
			key, keyErr := subspace.Unpack(row.Key)
			require.NoError(s.t, keyErr)
			record, valueErr := subspace.Unpack(row.Value)
			if valueErr != nil {
				continue // the bell of a group is not a tuple
			}
			kind, _ := key[2].(subspace.String)
			value, packErr := change(string(kind), record).Pack()
			require.NoError(s.t, packErr)
			if len(value) != len(row.Value) {
				changed++
			}
			tr.Set(row.Key, value)
		}
		return err
	})
	require.Greater(s.t, changed, 10)
}

func (s *scene) status(name string) election.Status {
	s.t.Helper()
	status, err := kv.ReadTransact(s.t.Context(), s, s.election(name).ReadStatus)
	require.NoError(s.t, err)
	return status
}

// fails runs a transaction that must fail.
func (s *scene) fails(want error, fn func(tr kv.Transaction) error) {
	s.t.Helper()
	require.ErrorIs(s.t, s.Transact(s.t.Context(), fn), want)
}

// goOnBilling lets anna renew, and do what the stored request asks. Then bert leads.
func (s *scene) goOnBilling() {
	before := s.status("billing").Leader
	token := before.Token()
	e := s.election("billing")
	s.does(func(tr kv.Transaction) error {
		tr.Set([]byte("work"), nil)
		return e.RequireLeadership(tr, token)
	})
	renewed := s.cycle("billing", 21, election.Renewed, anna)
	require.Equal(s.t, before.Term, renewed.Leader.Term)
	require.Equal(s.t, before.Ballot+1, renewed.Leader.Ballot)
	require.True(s.t, renewed.MustHandOver)

	require.Equal(s.t, election.HandedOver, s.cycles("billing", 22, anna, election.WorkEnded()).Action)
	s.fails(fdbelection.ErrFenced, func(tr kv.Transaction) error { return e.RequireLeadership(tr, token) })

	accepted := s.cycle("billing", 23, election.Renewed, bert).Leader
	require.Equal(s.t, before.Term+1, accepted.Term)
	require.Equal(s.t, before.Ballot+3, accepted.Ballot)
	require.Equal(s.t, id('n'), accepted.Nonce)

	s.does(func(tr kv.Transaction) error { return e.ResignLeadership(tr, accepted.Token(), s.now) })
	s.cycle("billing", 24, election.Followed, doris) // not ready
	s.register("billing", frida)
	claimed := s.cycle("billing", 25, election.Claimed, frida).Leader
	require.Equal(s.t, before.Term+2, claimed.Term)
	require.Equal(s.t, before.Ballot+5, claimed.Ballot)
	s.reads(func(tr kv.ReadTransaction) {
		events, err := e.History(tr, 0)
		require.NoError(s.t, err)
		require.Equal(s.t, claimed.Term, events[0].Term)
		require.Equal(s.t, uint64(1), events[len(events)-1].Term)
	})
}

// goOnOthers lets a challenged leader give way, takes over from a dead leader, and claims a vacancy.
func (s *scene) goOnOthers() {
	challenged := s.status("challenged").Leader
	// Without the notes of the oldest form, a candidate waits for the minimum tenure again.
	seconds, handedOver := 22, false
	for ; !handedOver; seconds += 3 {
		require.Less(s.t, seconds, 60)
		s.cycles("challenged", seconds, anna)
		if s.cycles("challenged", seconds+1, bert).MustHandOver {
			handedOver = s.cycles("challenged", seconds+1, bert, election.WorkEnded()).Action == election.HandedOver
		}
	}
	require.Equal(s.t, challenged.Term+1, s.cycle("challenged", seconds, election.Renewed, anna).Leader.Term)

	dead := s.status("clock").Leader
	next := s.cycle("clock", 60, election.Claimed, frida).Leader
	require.Equal(s.t, dead.Term+1, next.Term)
	require.Equal(s.t, dead.Ballot+1, next.Ballot)

	vacant := s.status("vacant").Leader
	require.True(s.t, vacant.Vacant())
	s.register("vacant", frida)
	next = s.cycle("vacant", 61, election.Claimed, frida).Leader
	require.Equal(s.t, vacant.Term+1, next.Term)
	require.Equal(s.t, vacant.Ballot+1, next.Ballot)
}

// goOnGroup renews a session, hands a shard over and claims a vacant one.
func (s *scene) goOnGroup() {
	g := s.group()
	require.Equal(s.t, uint64(3), s.heartbeat("anna", 2).Counter)
	led, vacant := s.shard("s0"), s.shard("s2")
	s.does(func(tr kv.Transaction) error {
		tr.Set([]byte("work"), nil)
		return g.RequireLeadership(tr, led.Token())
	})
	s.release("anna", group.Release{Token: led.Token(), Target: who("bert"), Reason: group.ReasonBalance})
	require.Equal(s.t, led.Term+1, s.shard("s0").Term)
	s.fails(fdbelection.ErrFenced, func(tr kv.Transaction) error { return g.RequireLeadership(tr, led.Token()) })
	s.claim("bert", "s2")
	require.Equal(s.t, vacant.Term+1, s.shard("s2").Term)

	s.does(func(tr kv.Transaction) error { _, err := g.CreateShards(tr, []string{"s9"}, s.now); return err })
	require.Equal(s.t, uint64(1), s.shard("s9").Term, "a shard that was removed goes on with a higher term")
	s.does(func(tr kv.Transaction) error { return g.Leave(tr, who("cora")) })
	s.join(group.Member{Identity: election.Identity{ID: "cora", Incarnation: uuid.New()}, Weight: 1})
	s.claim("anna", "s9")
	require.Equal(s.t, uint64(2), s.shard("s9").Term)
}
