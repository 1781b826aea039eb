package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// sound is a run without a fault: a leads in term 1 until 10 s, b in term 2 from 12 s, and c only
// reads.
func sound() *evidence {
	e := &evidence{Lease: 2 * time.Second}
	log := func(name string, entries ...entry) { e.Accounts = append(e.Accounts, account{name, entries}) }
	nemesis := []entry{{Kind: opened, At: 1}}
	for _, id := range []string{"a", "b", "c"} {
		nemesis = append(nemesis, entry{Kind: up, At: 1, Target: id})
	}
	for at := time.Second; at < 60*time.Second; at += 100 * time.Millisecond {
		nemesis = append(nemesis, entry{Kind: probed, Call: at, At: at + 1})
	}
	log("nemesis", append(nemesis, entry{Kind: closed, At: 60 * time.Second})...)
	log("a", leads(1, time.Second, 10*time.Second, 0)...)
	log("b", leads(2, 12*time.Second, 60*time.Second, 9)...)
	log("c", readsUntil(60*time.Second)...)
	for i := range int64(57) {
		term, writer, number := uint64(1), "a", i+1
		if i >= 9 {
			term, writer, number = 2, "b", i-8
		}
		e.Rows = append(e.Rows, row{Row: i + 1, Term: term, Newest: term, Writer: writer, Number: number})
	}
	return e
}

// leads returns the diary of a tenure that writes one row in each second, after some rows of others.
func leads(term uint64, from, to time.Duration, rows int64) []entry {
	name := string(rune('a' + term - 1))
	all := []entry{{Kind: claimed, Call: from - time.Second, At: from, Term: term, Ballot: term * 10, Token: name}}
	for at, number := from, int64(1); at < to; at += 50 * time.Millisecond {
		all = append(all, entry{Kind: believes, At: at, Term: term})
		if at%time.Second == 0 {
			all = append(all, entry{Kind: wrote, Call: at, At: at + 1, Term: term, Writer: name, Number: number, Row: rows + number})
			number++
		}
	}
	return all
}

// readsUntil returns the diary of a process that reads the leader record.
func readsUntil(to time.Duration) []entry {
	var all []entry
	for at := 2 * time.Second; at < to; at += time.Second {
		e := entry{Kind: read, Call: at, At: at + 1, Term: 1, Ballot: 10, Token: "a"}
		if at > 12*time.Second {
			e.Term, e.Ballot, e.Token = 2, 20, "b"
		}
		all = append(all, e)
	}
	return all
}

// rules returns the broken rules, each once.
func rules(e *evidence) []string {
	var all []string
	for _, v := range judge(e) {
		if !slices.Contains(all, v.Rule) {
			all = append(all, v.Rule)
		}
	}
	return all
}

func TestSoundRun(t *testing.T) {
	require.Empty(t, judge(sound()))
	require.Equal(t, "2.05s", sound().closest())
	require.Equal(t, "there was one tenure at most", new(evidence).closest())
	v, expected := sound().longest()
	require.Equal(t, interval{9970 * time.Millisecond, 12 * time.Second}, v.interval)
	require.Equal(t, waiting{interval{10*time.Second + 20*time.Millisecond - 50*time.Millisecond, 12 * time.Second}, "a"}, expected)
}

// TestViolationsAreFound breaks one thing in a sound run, which breaks exactly the rules.
func TestViolationsAreFound(t *testing.T) {
	add := func(account int, entries ...entry) func(*evidence) {
		return func(e *evidence) { e.Accounts[account].Entries = append(e.Accounts[account].Entries, entries...) }
	}
	for _, c := range []struct {
		name  string
		spoil func(*evidence)
		rules []string
	}{
		{"a believes for too long", add(1, entry{Kind: believes, At: 12 * time.Second, Term: 1}), []string{ruleBelief}},
		{"c believes in the term of b", add(3, entry{Kind: believes, At: 20 * time.Second, Term: 2}), []string{ruleBelief}},
		{
			"an instant between two beliefs counts", func(e *evidence) {
				add(1, entry{Kind: believes, At: 59 * time.Second, Term: 1})(e)
			}, []string{ruleBelief},
		},
		{"a row of an old term follows", func(e *evidence) {
			e.Rows = append(e.Rows, row{Row: 58, Term: 1, Newest: 1, Writer: "a", Number: 100})
		}, []string{ruleFence}},
		{"a row is written in another term", func(e *evidence) { e.Rows[3].Newest = 2 }, []string{ruleFence}},
		{
			"a row is written after a newer term was seen", func(e *evidence) {
				e.Accounts[2].Entries = slices.DeleteFunc(e.Accounts[2].Entries, func(e entry) bool { return e.Kind == wrote })
				e.Rows = append(e.Rows[:9:9], row{Row: 10, Term: 1, Newest: 1, Writer: "a", Number: 10})
				add(1, entry{Kind: wrote, Call: 30 * time.Second, At: 31 * time.Second, Term: 1, Writer: "a", Number: 10, Row: 10})(e)
				add(2, entry{Kind: wrote, Call: 32 * time.Second, At: 33 * time.Second, Term: 2, Writer: "b", Number: 1, Row: 11})(e)
				e.Rows = append(e.Rows, row{Row: 11, Term: 2, Newest: 2, Writer: "b", Number: 1})
			}, []string{ruleFence},
		},
		{"a term goes back", add(3, entry{Kind: read, Call: 20 * time.Second, At: 21 * time.Second, Term: 1, Ballot: 10, Token: "a"}), []string{ruleBack, ruleRegister}},
		{"a ballot goes back", add(3, entry{Kind: read, Call: 20 * time.Second, At: 21 * time.Second, Term: 2, Ballot: 19, Token: "b"}), []string{ruleBack}},
		{"a row is not there", func(e *evidence) { e.Rows = e.Rows[:len(e.Rows)-1] }, []string{ruleLost}},
		{"a row in the middle is not there", func(e *evidence) { e.Rows = slices.Delete(e.Rows, 20, 21) }, []string{ruleLost}},
		{"a row is that of another write", func(e *evidence) { e.Rows[20].Number = 1000 }, []string{ruleLost}},
		{"a refused write is there", add(1, entry{Kind: refused, Writer: "a", Number: 3}), []string{ruleLost}},
		{"a write is there twice", func(e *evidence) {
			e.Rows = append(e.Rows, row{Row: 58, Term: 2, Newest: 2, Writer: "b", Number: 1})
		}, []string{ruleLost}},
		{"rows in another order", func(e *evidence) {
			for i := range e.Accounts[2].Entries {
				if w := &e.Accounts[2].Entries[i]; w.Kind == wrote && w.Number == 1 {
					w.Call, w.At = 50*time.Second+1, 50*time.Second+2
				}
			}
		}, []string{ruleLost}},
		{"two tokens in one term", add(3, entry{Kind: read, Call: 59 * time.Second, At: 60 * time.Second, Term: 2, Ballot: 21, Token: "d"}), []string{ruleHolders, ruleRegister}},
		{"two records with one ballot", add(3, entry{Kind: read, Call: 59 * time.Second, At: 60 * time.Second, Term: 2, Ballot: 20}), []string{ruleHolders}},
		{"a term is claimed twice", add(3, entry{Kind: claimed, Call: 20 * time.Second, At: 21 * time.Second, Term: 2, Ballot: 20, Token: "d"}), []string{ruleHolders, ruleRegister}},
		{"nothing leads for long", func(e *evidence) { withoutBeliefs(e, 20*time.Second, 26*time.Second) }, []string{ruleFree}},
		{"no process leads at all", func(e *evidence) {
			withoutBeliefs(e, 0, time.Hour)
		}, []string{ruleFree, ruleBlind}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := sound()
			c.spoil(e)
			require.Equal(t, c.rules, rules(e), "%v", judge(e))
		})
	}
}

// withoutBeliefs removes what is believed from one instant to another. The beliefs after that are
// those of another tenure.
func withoutBeliefs(e *evidence, from, to time.Duration) {
	for i := range e.Accounts {
		a := &e.Accounts[i]
		a.Entries = slices.DeleteFunc(a.Entries, func(b entry) bool { return b.Kind == believes && b.At > from && b.At < to })
		for j := range a.Entries {
			if b := &a.Entries[j]; b.Kind == believes && b.At >= to {
				b.Term = 3
			}
		}
	}
}

// TestExcuses: what is not promised is not a violation.
func TestExcuses(t *testing.T) {
	long := func(more ...entry) *evidence {
		e := sound()
		withoutBeliefs(e, 20*time.Second, 26*time.Second)
		e.Accounts[0].Entries = append(e.Accounts[0].Entries, more...)
		return e
	}
	strike := func(target string, from, to time.Duration) entry {
		return entry{Kind: struck, Call: from, At: to, Target: target, Text: "fault"}
	}
	for name, e := range map[string]*evidence{
		"a fault of the store":      long(strike(everyone, 22*time.Second, 24*time.Second)),
		"all workers are struck":    long(strike("a", 22*time.Second, 24*time.Second), strike("b", 19*time.Second, 24*time.Second), strike("c", 22*time.Second, 23*time.Second)),
		"the store is slow":         slowStore(long()),
		"a term that ended at once": long(entry{Kind: read, Call: 23 * time.Second, At: 23*time.Second + 1, Term: 3, Ballot: 30}),
		"the machine stalls":        long(entry{Kind: stalled, Call: 22 * time.Second, At: 24 * time.Second}),
	} {
		require.NotContains(t, rules(e), ruleFree, name)
	}
	require.Contains(t, rules(long(strike("a", 22*time.Second, 24*time.Second), strike("b", 22*time.Second, 24*time.Second))), ruleFree, "c was healthy")
	require.Contains(t, rules(long(entry{Kind: down, At: 22 * time.Second, Target: "a"})), ruleFree, "only a was gone")
	require.Contains(t, rules(long(strike(nothing, 22*time.Second, 24*time.Second))), ruleFree)

	e := sound()
	e.Accounts[1].Entries = append(e.Accounts[1].Entries, entry{Kind: believes, At: 13 * time.Second, Term: 1})
	require.Contains(t, rules(e), ruleBelief)
	e.Accounts[0].Entries = append(e.Accounts[0].Entries, entry{Kind: struck, Call: 11 * time.Second, At: 11*time.Second + 1, Text: faultNoLeader, Target: everyone})
	require.NotContains(t, rules(e), ruleBelief, "the leader record was deleted")
	e.Accounts[0].Entries[len(e.Accounts[0].Entries)-1] = entry{Kind: struck, Call: 9 * time.Second, At: 9*time.Second + 1, Text: faultNoLeader, Target: everyone}
	require.Contains(t, rules(e), ruleBelief, "that is more than a lease ago")
}

// TestHeldByAStruckWorker: a leader that renews holds leadership although its work stands still. That
// is an excuse only for a worker that was struck.
func TestHeldByAStruckWorker(t *testing.T) {
	e := sound()
	withoutBeliefs(e, 20*time.Second, 26*time.Second)
	token := election.Token{Term: 2, Identity: election.Identity{ID: "b"}, Nonce: uuid.New()}.Text()
	nemesis := &e.Accounts[0]
	for ballot := range uint64(8) {
		at := time.Duration(19+ballot) * time.Second
		nemesis.Entries = append(nemesis.Entries, entry{Kind: read, Call: at, At: at + 1, Term: 2, Ballot: 30 + ballot, Token: token})
	}
	require.NotEmpty(t, checkFree(e))
	nemesis.Entries = append(nemesis.Entries, entry{Kind: struck, Call: 19 * time.Second, At: 27 * time.Second, Target: "a", Text: "stop a guard"})
	require.NotEmpty(t, checkFree(e), "the leader was not struck")
	nemesis.Entries[len(nemesis.Entries)-1].Target = "b"
	require.Empty(t, checkFree(e))
	nemesis.Entries = slices.DeleteFunc(nemesis.Entries, func(r entry) bool { return r.Kind == read && r.Ballot > 30 })
	require.NotEmpty(t, checkFree(e), "the leader did not renew")
}

// slowStore makes one probe take two seconds.
func slowStore(e *evidence) *evidence {
	nemesis := &e.Accounts[0]
	nemesis.Entries = slices.DeleteFunc(nemesis.Entries, func(p entry) bool {
		return p.Kind == probed && p.Call > 22*time.Second && p.Call < 24*time.Second
	})
	for i := range nemesis.Entries {
		if p := &nemesis.Entries[i]; p.Kind == probed && p.Call == 22*time.Second {
			p.At = 24 * time.Second
		}
	}
	return e
}

// TestTermsOfDeadLeaders: a term that its leader could not write down is part of the order.
func TestTermsOfDeadLeaders(t *testing.T) {
	e := sound()
	e.Accounts[2].Entries = slices.DeleteFunc(e.Accounts[2].Entries, func(e entry) bool { return e.Kind == claimed })
	require.Empty(t, judge(e))
	require.Len(t, e.operations(), 6, "one claim, and two reads of each term, and the claim that no process wrote down")
}

func TestIntervals(t *testing.T) {
	all := []interval{{0, 10}, {20, 30}}
	require.Equal(t, []interval{{0, 2}, {4, 10}, {20, 25}}, without(all, []interval{{25, 40}, {2, 4}, {3, 3}}))
	require.Equal(t, []interval{{0, 5}, {5, 10}, {20, 30}}, without(all, []interval{{5, 5}}))
	require.Equal(t, []interval{{5, 10}, {20, 22}}, common(all, []interval{{5, 22}}))
	require.Equal(t, all, without(all, nil))
	require.Equal(t, []interval{{0, 12}, {20, 30}}, merged([]interval{{20, 30}, {3, 12}, {0, 5}, {21, 22}}))
	require.Equal(t, time.Duration(20), total(all))
}

// TestDiary: a torn line at the end is not read, and one in the middle is an error.
func TestDiary(t *testing.T) {
	dir := t.TempDir()
	d, err := openDiary(dir, "a")
	require.NoError(t, err)
	want := entry{Kind: wrote, Call: 1, At: 2, Term: 3, Token: "x", Row: 4, Number: 5}
	d.write(want)
	_, err = d.file.WriteString(`{"kind":"be`)
	require.NoError(t, err)
	all, err := readDiaries(dir)
	require.NoError(t, err)
	require.Equal(t, []account{{"a", []entry{want}}}, all)
	fmt.Fprintln(d.file)
	d.write(want)
	_, err = readDiaries(dir)
	require.Error(t, err)
}
