package grouptest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

var dependencyTests = []test{rule00EveryWriteHasExactlyItsReadConflicts}

// keysOf are the keys that acts may depend on.
var keysOf = []string{
	"group", "floor", "bell", "trimmed",
	"members/me", "members/other", "members/dead", "members/new", "members/unready",
	"beats/me", "beats/other", "beats/dead", "beats/new", "beats/unready",
	"shards/own", "shards/other's", "shards/vacant", "shards/ended", "shards/new",
	"requests/own", "requests/other's", "requests/vacant", "pins/own", "pins/vacant", "drains/me", "drains/other",
}

// rule00EveryWriteHasExactlyItsReadConflicts checks the table of docs/format.md in both
// directions. Each act conflicts with a write of every key that it must depend on, and with a
// write of no other key, nor with a change of the log.
func rule00EveryWriteHasExactlyItsReadConflicts(t *testing.T, g *testGroup) {
	for _, act := range append(slices.Clone(acts), heartbeat) {
		g := newTestGroup(t, g.Engine)
		scene := g.scene()
		if act.prepare != nil {
			act.prepare(g, scene)
		}
		run := func() kv.OwnedTransaction {
			tr := g.Begin()
			require.NoError(t, act.run(g, tr, scene), act.name)
			tr.Set(g.Key("application"), nil) // a transaction that writes nothing never conflicts
			return tr
		}
		for _, name := range act.dependsOn {
			tr := run()
			g.Touch(g.Key(strings.Split(name, "/")...))
			require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "%s does not depend on %s", act.name, name)
		}
		tr := run()
		g.Do(func(tr kv.Transaction) error {
			for _, name := range keysOf {
				if !slices.Contains(act.dependsOn, name) {
					if err := tr.AddWriteConflictKey(g.Key(strings.Split(name, "/")...)); err != nil {
						return err
					}
				}
			}
			begin, end := g.Space.Sub("log").Range()
			return tr.AddWriteConflictRange(begin, end)
		})
		require.NoError(t, tr.Commit(), "%s depends on another key than %v", act.name, act.dependsOn)
	}
}
