package grouptest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var at = suite.At

// settling is why a member that has joined is not ready.
const settling = "it is settling"

// testGroup is one group on one database, with helpers for all processes that take part. The
// lease is 10 s and the heartbeat interval 3 s.
type testGroup struct {
	*suite.Store
	*group.Group
}

func newTestGroup(t *testing.T, engine suite.Engine) *testGroup {
	t.Helper()
	return groupOn(suite.Open(t, engine, "grouptest"))
}

func groupOn(s *suite.Store) *testGroup { return &testGroup{s, group.New(s.Space)} }

// initialized creates the group with the default config, changed by edits, and shards.
func (g *testGroup) initialized(shards ...string) *testGroup {
	g.T.Helper()
	g.Do(func(tr kv.Transaction) error {
		if _, err := g.Initialize(tr, group.DefaultConfig()); err != nil {
			return err
		}
		_, err := g.CreateShards(tr, shards, at(0))
		return err
	})
	return g
}

// configure changes the config.
func (g *testGroup) configure(edit func(c *group.Config)) {
	g.T.Helper()
	g.Do(func(tr kv.Transaction) error {
		config, err := g.ReadConfig(tr)
		if err != nil {
			return err
		}
		edit(&config)
		_, err = g.WriteConfig(tr, config)
		return err
	})
}

func disabled(c *group.Config) { c.Enabled = false }

func newNonce() uuid.UUID { return uuid.New() }

// newMember returns a member with a new incarnation that is not ready.
func newMember(id string) group.Member {
	return group.Member{
		Identity: election.Identity{ID: id, Incarnation: uuid.New()}, JoinedAt: at(0), Weight: 1,
		NotReady: settling, Balance: group.BalanceVersion,
	}
}

// join begins the session of a new member that is not ready.
func (g *testGroup) join(id string) (group.Member, group.Beat) {
	g.T.Helper()
	m := newMember(id)
	beat, err := g.tryJoin(group.Joining{Member: m})
	require.NoError(g.T, err)
	return m, beat
}

func (g *testGroup) tryJoin(j group.Joining) (beat group.Beat, err error) {
	err = g.Try(func(tr kv.Transaction) (err error) {
		beat, _, err = g.Join(tr, j)
		return err
	})
	return beat, err
}

// ready begins the session of a new member that is ready.
func (g *testGroup) ready(id string) group.Member {
	g.T.Helper()
	m, _ := g.join(id)
	m.NotReady = ""
	g.update(m)
	return m
}

func (g *testGroup) update(m group.Member) {
	g.T.Helper()
	g.Do(func(tr kv.Transaction) error { return g.UpdateMember(tr, m) })
}

// beats sends a heartbeat.
func (g *testGroup) beats(m group.Member) group.Beat {
	g.T.Helper()
	beat, err := g.tryHeartbeat(m, 0)
	require.NoError(g.T, err)
	return beat
}

func (g *testGroup) tryHeartbeat(m group.Member, least uint64) (beat group.Beat, err error) {
	err = g.Try(func(tr kv.Transaction) (err error) {
		beat, _, err = g.Heartbeat(tr, m.Identity, least, 0)
		return err
	})
	return beat, err
}

// beat returns the stored heartbeat of an id. If there is none, it has only the id.
func (g *testGroup) beat(id string) group.Beat {
	g.T.Helper()
	beats, err := suite.Read(g.Store, func(tr kv.ReadTransaction) ([]group.Beat, error) { return g.ReadBeats(tr, id) })
	require.NoError(g.T, err)
	if len(beats) == 0 {
		return group.Beat{Identity: election.Identity{ID: id}}
	}
	return beats[0]
}

// evict ends the session of an id whose heartbeat is not seen to change.
func (g *testGroup) evict(by group.Member, id string) {
	g.T.Helper()
	evicted, err := g.tryEvict(by, g.beat(id))
	require.NoError(g.T, err)
	require.True(g.T, evicted)
}

func (g *testGroup) tryEvict(by group.Member, seen group.Beat) (evicted bool, err error) {
	err = g.Try(func(tr kv.Transaction) (err error) {
		evicted, err = g.Evict(tr, by.Identity, seen)
		return err
	})
	return evicted, err
}

func (g *testGroup) leave(m group.Member) {
	g.T.Helper()
	g.Do(func(tr kv.Transaction) error { return g.Leave(tr, m.Identity) })
}

func claims(shards ...string) []group.Claim {
	all := make([]group.Claim, len(shards))
	for i, name := range shards {
		all[i] = group.Claim{Shard: name, Nonce: newNonce()}
	}
	return all
}

func (g *testGroup) tryClaim(m group.Member, claims ...group.Claim) (outcomes []group.Outcome, err error) {
	err = g.Try(func(tr kv.Transaction) (err error) {
		outcomes, err = g.Claim(tr, m.Identity, claims, at(1))
		return err
	})
	return outcomes, err
}

// leads claims a shard that is free, and returns the token.
func (g *testGroup) leads(m group.Member, name string) group.Token {
	g.T.Helper()
	outcomes, err := g.tryClaim(m, claims(name)...)
	require.NoError(g.T, err)
	require.NoError(g.T, outcomes[0].Err)
	require.Equal(g.T, m.Identity, outcomes[0].Shard.Leader)
	return outcomes[0].Shard.Token()
}

func (g *testGroup) tryRelease(m group.Member, releases ...group.Release) (outcomes []group.Outcome, err error) {
	err = g.Try(func(tr kv.Transaction) (err error) {
		outcomes, err = g.Release(tr, m.Identity, releases, at(2))
		return err
	})
	return outcomes, err
}

// released runs one release that must return an outcome.
func (g *testGroup) released(m group.Member, r group.Release) group.Outcome {
	g.T.Helper()
	outcomes, err := g.tryRelease(m, r)
	require.NoError(g.T, err)
	return outcomes[0]
}

// vacate ends a tenure.
func (g *testGroup) vacate(m group.Member, token group.Token) {
	g.T.Helper()
	require.NoError(g.T, g.released(m, group.Release{Token: token, Reason: group.ReasonStop}).Err)
}

func (g *testGroup) create(names ...string) int {
	g.T.Helper()
	created := 0
	g.Do(func(tr kv.Transaction) (err error) {
		created, err = g.CreateShards(tr, names, at(0))
		return err
	})
	return created
}

func (g *testGroup) removed(names ...string) []group.Outcome {
	g.T.Helper()
	var outcomes []group.Outcome
	g.Do(func(tr kv.Transaction) (err error) {
		outcomes, err = g.RemoveShards(tr, names)
		return err
	})
	return outcomes
}

// shard returns the record of a shard.
func (g *testGroup) shard(name string) group.Shard {
	g.T.Helper()
	shard, err := g.tryShard(name)
	require.NoError(g.T, err)
	return shard
}

func (g *testGroup) tryShard(name string) (group.Shard, error) {
	return suite.Read(g.Store, func(tr kv.ReadTransaction) (group.Shard, error) { return g.ReadShard(tr, name) })
}

// vacant reports whether a shard has no leader.
func (g *testGroup) vacant(name string) bool {
	g.T.Helper()
	shard := g.shard(name)
	return shard.Vacant()
}

// shardToken returns the token of the newest tenure of a shard.
func (g *testGroup) shardToken(name string) group.Token {
	g.T.Helper()
	shard := g.shard(name)
	return shard.Token()
}

// fenced writes application data on the authority of a token.
func (g *testGroup) fenced(token group.Token) error {
	return g.Try(func(tr kv.Transaction) error {
		g.work(tr)
		return g.RequireLeadership(tr, token)
	})
}

// work writes application data.
func (g *testGroup) work(tr kv.Transaction) { tr.Set(g.Key("application"), []byte("work")) }

// rows scans the group in one transaction.
func (g *testGroup) rows() []group.Row {
	g.T.Helper()
	page, err := suite.Read(g.Store, func(tr kv.ReadTransaction) (group.Page, error) {
		return g.ScanPage(tr, group.Position{}, 1_000_000)
	})
	require.NoError(g.T, err)
	require.Zero(g.T, page.Next)
	return page.Rows
}

// row returns the row of a record, and one that says Removed if there is none.
func (g *testGroup) row(kind group.Kind, name string) group.Row {
	g.T.Helper()
	for _, row := range g.rows() {
		if row.Kind == kind && row.Name == name {
			return row
		}
	}
	return group.Row{Kind: kind, Name: name, Removed: true}
}

// changes reads the log after a version.
func (g *testGroup) changes(after int64, limit int) group.Changes {
	g.T.Helper()
	changes, err := suite.Read(g.Store, func(tr kv.ReadTransaction) (group.Changes, error) { return g.ReadLog(tr, after, limit) })
	require.NoError(g.T, err)
	return changes
}

// now returns a read version.
func (g *testGroup) now() int64 {
	g.T.Helper()
	version, err := suite.Read(g.Store, func(tr kv.ReadTransaction) (int64, error) { return tr.GetReadVersion().Get() })
	require.NoError(g.T, err)
	return version
}

// since returns what was changed after a version: "shards a", or "no shards a".
func (g *testGroup) since(version int64) []string {
	g.T.Helper()
	var names []string
	for _, c := range g.changes(version, 0).Changes {
		name := strings.TrimSpace(fmt.Sprintf("%s %s", c.Kind, c.Name))
		if c.Removed {
			name = "no " + name
		}
		names = append(names, name)
	}
	return names
}

// damage replaces the value of a record with one that no program can read.
func (g *testGroup) damage(path ...string) {
	g.T.Helper()
	g.Spoil([]byte("damaged"), path...)
}

// fromTheFuture replaces the format version of a record with a higher one.
func (g *testGroup) fromTheFuture(path ...string) {
	g.T.Helper()
	value := slices.Clone(g.Raw(path...))
	require.Equal(g.T, subspace.AppendInt(nil, 1), value[:2])
	value[1] = 2
	g.Spoil(value, path...)
}

// requireEnded requires that the session of a member has ended: every call but Leave says so,
// and Leave changes nothing.
func (g *testGroup) requireEnded(m group.Member) {
	g.T.Helper()
	before := g.Dump()
	_, err := g.tryHeartbeat(m, 0)
	require.ErrorIs(g.T, err, group.ErrSessionEnded)
	_, err = g.tryClaim(m, claims("a")...)
	require.ErrorIs(g.T, err, group.ErrSessionEnded)
	_, err = g.tryRelease(m, group.Release{Token: group.Token{Shard: "a", Token: election.Token{Term: 1, Identity: m.Identity}}})
	require.ErrorIs(g.T, err, group.ErrSessionEnded)
	require.ErrorIs(g.T, g.Try(func(tr kv.Transaction) error { return g.UpdateMember(tr, m) }), group.ErrSessionEnded)
	_, err = g.tryEvict(m, group.Beat{Identity: election.Identity{ID: "other"}})
	require.ErrorIs(g.T, err, group.ErrSessionEnded)
	g.leave(m)
	require.Equal(g.T, before, g.Dump())
}
