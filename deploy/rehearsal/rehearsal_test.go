//go:build linux

// Package rehearsal runs a real Prometheus that scrapes real processes, breaks these in the ways that
// the alerts are for, and runs the queries of the dashboard. .ci/rehearsal runs it.
package rehearsal

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// act is one thing that goes wrong, and the alert that says so.
type act struct {
	alert string
	also  string // alerts that it may cause as well, since "for" is shorter than the lease here
	what  string
	// begin breaks something, and returns the function that repairs it.
	begin func() (repair func())

	begun, fired, repaired time.Time // repaired is when the repair began
}

// busy is the alert that a busy machine may cause as well, since the lease is short.
const busy = "Jeopardy"

// TestRehearsal breaks one thing after another. Each alert is silent until what it is for
// happens, then fires, and ends after the repair. Meanwhile the queries of the dashboard have data.
func TestRehearsal(t *testing.T) {
	rules, alerts := fasterRules(t)
	w := newWorld(t, rules)
	await(t, "Prometheus sees the leader", func() bool { return w.value("fdbelection_election_has_leader") == 1 })
	require.Empty(t, w.firing(t.Context()))
	w.checkCalm()
	w.checkPool()
	await(t, "a past that CandidateMissing can compare with", func() bool {
		return w.value(`count_over_time(fdbelection_election_candidates{role="voter",liveness="alive"}[1m])`) >= 20
	})

	acts := []*act{
		{alert: "CandidateMissing", what: "a follower is killed (SIGKILL)", begin: w.killFollower},
		{alert: "DuplicateID", what: "a second process is started under the id of a live one", begin: w.duplicate},
		{alert: "TwoLeaders", also: "CandidateMissing", what: "a follower is restarted with another store", begin: w.otherStore},
		{alert: "Jeopardy", what: "the leader is frozen (SIGSTOP) until another process leads, and then continued", begin: w.freezeLeader},
		{alert: "NoLeader", also: "CandidateMissing", what: "all candidates are killed (SIGKILL)", begin: w.killAll},
		{alert: "Flapping", also: "NoLeader", what: "the leader is asked to resign, again and again", begin: w.flood},
		{alert: "TermFell", also: "NoLeader CandidateMissing Flapping", what: "all processes are stopped, a backup of the store is restored without raise-term, and they are started", begin: w.restore},
		{alert: "ScrapeFails", also: "NoLeader CandidateMissing", what: "another program locks the file of the store", begin: func() func() { return holdStore(t, w.store) }},
	}
	inPool := map[int]func(){0: w.overfill, 3: w.block, 5: w.crash, 7: w.recoverPool} // before the act of that number
	for i, a := range acts {
		if next := inPool[i]; next != nil {
			next()
		}
		w.play(a)
	}
	for _, a := range acts {
		await(t, a.alert+" ends", func() bool { return !w.firing(t.Context())["Fdbelection"+a.alert] })
	}
	await(t, "a leader", func() bool { return w.value("fdbelection_election_has_leader") == 1 })
	w.checkDashboard()
	w.report(acts, alerts)
	w.picture("rehearsal-leader", w.graph(`max by (leader) (fdbelection_election_leader_info)`), 860)
	w.picture("rehearsal-candidates", w.graph(`sum by (liveness) (fdbelection_election_candidates{role="voter"})`), 840)
}

// play begins an act, waits for its alert, and repairs what is broken.
func (w *world) play(a *act) {
	w.t.Helper()
	name := "Fdbelection" + a.alert
	if a.alert == busy {
		await(w.t, name+" has ended", func() bool { return !w.firing(w.t.Context())[name] })
	}
	require.False(w.t, w.firing(w.t.Context())[name], "%s fires before its act", name)
	w.t.Logf("%5.1f s  %s", time.Since(w.began).Seconds(), a.what)
	a.begun = time.Now()
	repair := a.begin()
	await(w.t, name+" fires", func() bool { return w.firing(w.t.Context())[name] })
	a.fired = time.Now()
	w.t.Logf("%5.1f s  %s fires", time.Since(w.began).Seconds(), name)
	if a.alert == "NoLeader" {
		w.picture("rehearsal-alerts", w.url+"/classic/alerts", 640)
	}
	a.repaired = time.Now()
	repair()
}

func nothing() {}

// restore goes back to a backup, as an operator does who forgets raise-term.
func (w *world) restore() (repair func()) {
	for _, p := range w.all() {
		p.stop()
	}
	copyStore(w.t, w.backup, w.store)
	w.watch()
	for id := range w.candidates {
		w.join(id, w.store)
	}
	return func() {
		code, output := w.fdbelect("raise-term", "--floor", "1000", "--force")
		require.Zero(w.t, code, output)
		w.leader()
		w.complete()
	}
}

// duplicate starts a process under the id of another one, on a port of its own. One of the two
// ends by itself.
func (w *world) duplicate() (repair func()) {
	id := w.follower()
	first, second := w.candidates[id], w.newProcess("duplicate", w.command)
	w.run(second, w.store, "--id", id)
	await(w.t, "one of two processes with one id ends", func() bool { return first.hasEnded() || second.hasEnded() })
	if first.hasEnded() {
		w.t.Logf("         the first process of %s has ended, not the second one", id)
		first, second = second, first
	}
	require.Equal(w.t, 79, second.running.ProcessState.ExitCode())
	return func() {
		if w.candidates[id] != first {
			first.stop()
			w.join(id, w.store)
		}
	}
}

func (w *world) killFollower() (repair func()) {
	id := w.follower()
	w.candidates[id].kill()
	return func() {
		w.join(id, w.store)
		w.complete()
	}
}

// complete waits until Prometheus sees that all candidates are alive.
func (w *world) complete() {
	w.t.Helper()
	await(w.t, "all candidates are alive", func() bool {
		return w.value(`fdbelection_election_candidates{role="voter",liveness="alive"}`) == 3
	})
}

// otherStore restarts a follower on a store of its own, so that it leads there.
func (w *world) otherStore() (repair func()) {
	id := w.follower()
	w.candidates[id].stop()
	w.join(id, filepath.Join(w.folder, "other.db"))
	return func() {
		w.candidates[id].stop()
		w.join(id, w.store)
		w.complete()
	}
}

// freezeLeader stops the leader until another process leads. When it continues, it must find at
// once that it does not lead any more.
func (w *world) freezeLeader() (repair func()) {
	id, before := w.leader(), w.value("fdbelection_election_term")
	p := w.candidates[id]
	began := w.freeze(p)
	next := w.leaderBeside(id)
	w.t.Logf("         %s leads %.1f s after %s was frozen", next, time.Since(began).Seconds(), id)
	await(w.t, "Prometheus sees the fail-over", func() bool { return w.value("fdbelection_election_term") > before })
	p.signal(syscall.SIGCONT)
	require.NotEqual(w.t, id, w.leader())
	return nothing
}

// freeze stops a process (SIGSTOP) outside of a transaction, and returns when. Within one it would
// hold the lock of the file, and no other process could take over. A write shows whether it does.
func (w *world) freeze(p *process) (began time.Time) {
	w.t.Helper()
	tries := 0
	await(w.t, "a process is frozen that does not hold the lock", func() bool {
		tries++
		began = time.Now()
		p.signal(syscall.SIGSTOP)
		code, output := w.fdbelect("config", "set", fmt.Sprintf("history_limit=%d", 128+tries), "--timeout", "1s")
		if code != 0 {
			w.t.Logf("         frozen again, since it held the lock: %s", output)
			p.signal(syscall.SIGCONT)
		}
		return code == 0
	})
	return began
}

func (w *world) killAll() (repair func()) {
	for _, p := range w.candidates {
		p.kill()
	}
	return func() {
		for id := range w.candidates {
			w.join(id, w.store)
		}
		w.complete()
	}
}

// flood lets the leader resign until the alert fires.
func (w *world) flood() (repair func()) {
	resigned := 0
	for !w.firing(w.t.Context())["FdbelectionFlapping"] {
		require.Less(w.t, resigned, 8)
		w.leader()
		before := w.value("fdbelection_election_term")
		if code, output := w.fdbelect("resign"); code != 0 {
			w.t.Log(output) // the leader resigned on its own
			continue
		}
		resigned++
		w.leader()
		await(w.t, "Prometheus sees the new term", func() bool { return w.value("fdbelection_election_term") > before })
	}
	w.t.Logf("         %d resignations", resigned)
	return nothing
}

// stretch is a time for which an alert fired.
type stretch struct{ from, to time.Time }

// stretches returns for how long each alert fired. It asks Prometheus, which has evaluated every
// alert once per second.
func (w *world) stretches() map[string][]stretch {
	w.t.Helper()
	result, _, _, err := w.prometheus.Query(w.t.Context(), `ALERTS{alertstate="firing"}[1h]`, time.Now())
	require.NoError(w.t, err)
	fired := map[string][]time.Time{}
	for _, series := range result.(model.Matrix) { // an alert has one for each process
		name := strings.TrimPrefix(string(series.Metric["alertname"]), "Fdbelection")
		for _, sample := range series.Values {
			fired[name] = append(fired[name], sample.Timestamp.Time())
		}
	}
	all := map[string][]stretch{}
	for name, times := range fired {
		var found []stretch
		for _, at := range slices.SortedFunc(slices.Values(times), time.Time.Compare) {
			if len(found) == 0 || at.Sub(found[len(found)-1].to) > 2*time.Second {
				found = append(found, stretch{from: at})
			}
			found[len(found)-1].to = at
		}
		all[name] = found
	}
	return all
}

// report checks that each alert fired in its own act and in no other one, and prints how long each
// took.
func (w *world) report(acts []*act, alerts []string) {
	w.t.Helper()
	firing := w.stretches()
	for name, found := range firing {
		if name == busy || strings.HasPrefix(name, "Group") { // those of groups are awaited one by one
			continue
		}
		for _, s := range found {
			at := s.from
			var during *act
			for _, a := range acts {
				if !at.Before(a.begun) {
					during = a
				}
			}
			require.NotNil(w.t, during, "%s fired at %s, before the first act", name, at)
			require.Contains(w.t, during.alert+" "+during.also, name, "it fired at %s, when %s", at, during.what)
		}
	}
	var table strings.Builder
	table.WriteString("| what was done | alert | fired after | ended after the repair |\n|---|---|---|---|\n")
	rehearsed := make([]string, 0, len(acts))
	for _, a := range acts {
		rehearsed = append(rehearsed, "Fdbelection"+a.alert)
		var ended time.Duration // the last one that began in this act
		for _, s := range firing[a.alert] {
			if !s.from.After(a.repaired) {
				ended = max(0, s.to.Sub(a.repaired))
			}
		}
		fmt.Fprintf(&table, "| %s | %s | %.0f s | %.0f s |\n", a.what, a.alert, a.fired.Sub(a.begun).Seconds(), ended.Seconds())
	}
	require.ElementsMatch(w.t, alerts, rehearsed)
	w.t.Logf("in %.0f s:\n%s", time.Since(w.began).Seconds(), table.String())
}
