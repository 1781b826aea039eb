package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each mutant is a mistake in the Python program, which the tests must find.
func TestMutantsAreFound(t *testing.T) {
	for name, mutant := range map[string]struct{ file, text, instead string }{
		"a ballot is left out":            {"election.py", "ballot=leader.ballot + 1", "ballot=leader.ballot + 2"},
		"a term is used twice":            {"election.py", "term=leader.term + 1", "term=leader.term"},
		"a request survives its term":     {"election.py", `    tr.clear("intent")`, "    pass"},
		"no read conflict on the leader":  {"election.py", "leader = _leader(tr, config, tr.read)", "leader = _leader(tr, config, tr.snapshot)"},
		"no read conflict on the request": {"election.py", `    tr.conflict("intent")`, "    pass"},
		"no read conflict on the config":  {"election.py", `tr.read(Config, "config")`, `tr.snapshot(Config, "config")`},
		"no read conflict on itself":      {"election.py", `tr.read(Candidate, "candidates", me.id)`, `tr.snapshot(Candidate, "candidates", me.id)`},
		"a claim before the lease is over": {
			"election.py", "expired = now.clock - seen.ballot_since >= lease", "expired = now.clock - seen.ballot_since >= lease // 2",
		},
		"a lost record counts from the start": {"election.py", "max(term.ballot, term.term) + GAP", "max(term.ballot, term.term)"},
		"an acceptance without a notice":      {"election.py", "if lost or not leader.accepted:", "if lost:"},
		"the history grows":                   {"election.py", "term - limit, old", "term - limit - 1, old"},
		"an event of a vacancy is lost":       {"election.py", "_record(tr, config, leader.term, Event.ENDED, event)", "pass"},
		"a vacancy keeps its lease":           {"election.py", "lease=0,", "lease=leader.lease,"},
		"a reclaim looks like an expiry":      {"election.py", "return Leader.RECLAIM", "return Leader.EXPIRY"},
		"the index is upside down":            {"election.py", `"rank", -candidate.priority`, `"rank", candidate.priority`},
		"the heartbeat does not count":        {"election.py", "heartbeats=candidate.heartbeats + 1", "heartbeats=candidate.heartbeats"},
		"no hold-off":                         {"election.py", "if now.clock < notes.holds_off_until:", "if False:"},
		"notes of another clock":              {"election.py", "notes.run != now.run or ", ""},
		"a holder that notes itself":          {"election.py", "if leader and not _held(leader, me):", "if leader:"},
		"an empty element at the end":         {"records.py", "while known and known[-1].default is not MISSING", "while known and False"},
		"negative integers":                   {"tuples.py", "number + (1 << 8 * size) - 1 if", "number + (1 << 8 * size) if"},
		"the offset of a stamp":               {"tuples.py", "self.unwritten.append(len(self.out))", "self.unwritten.append(len(self.out) + 1)"},
		"the byte order of an offset":         {"tuples.py", `struct.pack("<I"`, `struct.pack(">I"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each has a program and a store of its own
			folder := t.TempDir()
			require.NoError(t, os.CopyFS(folder, os.DirFS("python")))
			file := filepath.Join(folder, mutant.file)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, string(text), mutant.text)
			changed := strings.Replace(string(text), mutant.text, mutant.instead, 1)
			require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
			require.True(t, isFound(t, newPython(t, folder)))
		})
	}
}

func isFound(t *testing.T, program *python) bool {
	t.Helper()
	err := alternate(t.Context(), program)
	for seed := uint64(1); err == nil && seed <= 10; seed++ {
		_, err = randomSteps(t.Context(), program, seed, 100)
	}
	t.Log(err)
	return err != nil
}
