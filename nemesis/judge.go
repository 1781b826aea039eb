package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// The rules that the judge checks.
const (
	ruleBelief   = "two believers at one instant"
	ruleFence    = "a fenced write of an old term"
	ruleHolders  = "two holders of one term or ballot"
	ruleBack     = "a term or a ballot went back"
	ruleLost     = "an acknowledged write is lost"
	ruleFree     = "leadership was free for too long"
	ruleRegister = "no order explains the reads of the leader record"
	ruleBlind    = "the judge saw too little"
)

// violation is a broken rule.
type violation struct {
	Rule string
	At   time.Duration
	Text string
}

func (v violation) String() string {
	if v.At == 0 { // rows have no time
		return v.Rule + ": " + v.Text
	}
	return fmt.Sprintf("%s, at %s: %s", v.Rule, v.At, v.Text)
}

// evidence is what is left of a run.
type evidence struct {
	Lease    time.Duration // the longest of the run
	Accounts []account
	Rows     []row
}

// bound is how long leadership may be free although a healthy candidate wants it: the lease on the
// slowest clock, a heartbeat to detect that, and two seconds.
func bound(lease time.Duration) time.Duration {
	return time.Duration(float64(lease)/(1-worstRate)) + lease/3 + 2*time.Second
}

// judge checks every rule.
func judge(e *evidence) []violation {
	var all []violation
	for _, check := range []func(*evidence) []violation{
		checkBelief, checkFence, checkHolders, checkBack, checkLost, checkOrder, checkFree, checkRegister, checkSight,
	} {
		all = append(all, check(e)...)
	}
	return all
}

// each calls fn for every entry of a kind.
func (e *evidence) each(kind string, fn func(a *account, entry *entry)) {
	for i := range e.Accounts {
		a := &e.Accounts[i]
		for j := range a.Entries {
			if a.Entries[j].Kind == kind {
				fn(a, &a.Entries[j])
			}
		}
	}
}

// belief is the time during which one process surely believed in one tenure.
type belief struct {
	account     string
	term        uint64
	first, last time.Duration
}

// beliefs returns all beliefs in the order of their begin. A process that believes in one tenure at
// two instants believes in it between them.
func (e *evidence) beliefs() []belief {
	var all []belief
	for i := range e.Accounts {
		own := make(map[uint64]int)
		for _, entry := range e.Accounts[i].Entries {
			if entry.Kind != believes {
				continue
			}
			at, known := own[entry.Term]
			if !known {
				at = len(all)
				own[entry.Term] = at
				all = append(all, belief{e.Accounts[i].Name, entry.Term, entry.At, entry.At})
			}
			all[at].last = entry.At
		}
	}
	slices.SortFunc(all, func(a, b belief) int { return cmp.Compare(a.first, b.first) })
	return all
}

// closest returns the shortest time between the beliefs in two tenures, in words.
func (e *evidence) closest() string {
	all := e.beliefs()
	if len(all) < 2 {
		return "there was one tenure at most"
	}
	shortest := all[1].first - all[0].last
	for i := 2; i < len(all); i++ {
		shortest = min(shortest, all[i].first-all[i-1].last)
	}
	return shortest.Round(time.Microsecond).String()
}

// checkBelief finds two processes that believe at one instant. The one exception is that a leader
// whose record was deleted may believe for up to its lease.
func checkBelief(e *evidence) []violation {
	var excused []interval
	e.each(struck, func(_ *account, s *entry) {
		if s.Text == faultNoLeader {
			excused = append(excused, interval{s.Call, s.At + time.Duration(float64(e.Lease)/(1-worstRate))})
		}
	})
	var found []violation
	var latest belief // of those before, the one that ends last
	for _, b := range e.beliefs() {
		if b.first <= latest.last && latest.account != "" {
			if !within(excused, b.first) {
				found = append(found, violation{ruleBelief, b.first, fmt.Sprintf(
					"%s believes in term %d, and %s still believes in term %d for %s", b.account, b.term,
					latest.account, latest.term, min(latest.last, b.last)-b.first,
				)})
			}
		}
		if b.last > latest.last {
			latest = b
		}
	}
	return found
}

// sight is an instant at which the newest term and ballot were surely as high.
type sight struct {
	at           time.Duration
	term, ballot uint64
	account      string
}

// sights returns what was seen of the leader record, in the order of the answers.
func (e *evidence) sights() []sight {
	var all []sight
	add := func(a *account, entry *entry) { all = append(all, sight{entry.At, entry.Term, entry.Ballot, a.Name}) }
	e.each(read, add)
	e.each(claimed, add)
	slices.SortFunc(all, func(a, b sight) int { return cmp.Compare(a.at, b.at) })
	return all
}

// newestBefore calls check for each entry with the highest term and ballot that were seen before it
// began.
func newestBefore(sights []sight, entries []*entry, check func(entry *entry, term, ballot sight)) {
	slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.Call, b.Call) })
	var term, ballot sight
	for _, entry := range entries {
		for len(sights) > 0 && sights[0].at < entry.Call {
			s := sights[0]
			sights = sights[1:]
			if s.term > term.term {
				term = s
			}
			if s.ballot > ballot.ballot {
				ballot = s
			}
		}
		check(entry, term, ballot)
	}
}

// checkBack finds reads that saw a lower term or ballot than was seen before they began. A deleted
// leader record is not a read.
func checkBack(e *evidence) []violation {
	var found []violation
	var reads []*entry
	e.each(read, func(_ *account, r *entry) {
		if r.Ballot > 0 {
			reads = append(reads, r)
		}
	})
	newestBefore(e.sights(), reads, func(r *entry, term, ballot sight) {
		if r.Term < term.term || r.Ballot < ballot.ballot {
			found = append(found, violation{ruleBack, r.At, fmt.Sprintf(
				"term %d and ballot %d, but %s saw term %d and %s saw ballot %d before", r.Term, r.Ballot,
				term.account, term.term, ballot.account, ballot.ballot,
			)})
		}
	})
	return found
}

// checkHolders finds two records with one ballot, and two tokens of one term.
func checkHolders(e *evidence) []violation {
	var found []violation
	byTerm, byBallot := make(map[uint64]*entry), make(map[uint64]*entry)
	check := func(_ *account, r *entry) {
		if before := byTerm[r.Term]; r.Token != "" && before != nil && before.Token != r.Token {
			found = append(found, violation{ruleHolders, r.At, fmt.Sprintf("term %d of %s and of %s", r.Term, before.Token, r.Token)})
		}
		before := byBallot[r.Ballot]
		if r.Ballot > 0 && before != nil && (before.Term != r.Term || before.Token != r.Token) {
			found = append(found, violation{ruleHolders, r.At, fmt.Sprintf(
				"ballot %d of term %d, %q, and of term %d, %q", r.Ballot, before.Term, before.Token, r.Term, r.Token,
			)})
		}
		if byBallot[r.Ballot] = r; r.Token != "" {
			byTerm[r.Term] = r
		}
	}
	e.each(read, check)
	e.each(claimed, check)
	return found
}

// checkFence finds rows of a term after those of a newer term, rows whose transaction saw a newer
// term, and rows that were written after a newer term was seen.
func checkFence(e *evidence) []violation {
	var found []violation
	var newest row
	for _, r := range e.Rows {
		switch {
		case r.Term < newest.Term:
			found = append(found, violation{ruleFence, 0, fmt.Sprintf(
				"row %d of term %d by %s follows row %d of term %d", r.Row, r.Term, r.Writer, newest.Row, newest.Term,
			)})
		case r.Newest > r.Term:
			found = append(found, violation{ruleFence, 0, fmt.Sprintf("row %d of term %d by %s was written in term %d", r.Row, r.Term, r.Writer, r.Newest)})
		}
		if r.Term > newest.Term {
			newest = r
		}
	}
	var writes []*entry
	e.each(wrote, func(_ *account, w *entry) { writes = append(writes, w) })
	newestBefore(e.sights(), writes, func(w *entry, term, _ sight) {
		if w.Term < term.term {
			found = append(found, violation{ruleFence, w.At, fmt.Sprintf("row %d of term %d was written after %s saw term %d", w.Row, w.Term, term.account, term.term)})
		}
	})
	return found
}

// checkLost compares what the processes know of their writes with the rows.
func checkLost(e *evidence) []violation {
	var found []violation
	type key struct {
		writer string
		number int64
	}
	stored := make(map[key]row, len(e.Rows))
	for i, r := range e.Rows {
		if r.Row != int64(i)+1 {
			return []violation{{ruleLost, 0, fmt.Sprintf("row %d is where row %d should be", r.Row, i+1)}}
		}
		k := key{r.Writer, r.Number}
		if twice, is := stored[k]; is {
			found = append(found, violation{ruleLost, 0, fmt.Sprintf("write %d of %s is in rows %d and %d", r.Number, r.Writer, twice.Row, r.Row)})
		}
		stored[k] = r
	}
	e.each(wrote, func(a *account, w *entry) {
		if r, is := stored[key{w.Writer, w.Number}]; !is || r.Row != w.Row || r.Term != w.Term {
			found = append(found, violation{ruleLost, w.At, fmt.Sprintf("%s wrote row %d, write %d of %s, which is not there", a.Name, w.Row, w.Number, w.Writer)})
		}
	})
	e.each(refused, func(a *account, w *entry) {
		if r, is := stored[key{w.Writer, w.Number}]; is {
			found = append(found, violation{ruleLost, w.At, fmt.Sprintf("%s was told that write %d of %s failed, but it is row %d", a.Name, w.Number, w.Writer, r.Row)})
		}
	})
	return found
}

// checkOrder finds a row that was acknowledged before the write of a lower row began.
func checkOrder(e *evidence) []violation {
	var writes []*entry
	e.each(wrote, func(_ *account, w *entry) { writes = append(writes, w) })
	slices.SortFunc(writes, func(a, b *entry) int { return cmp.Compare(b.Row, a.Row) })
	var found []violation
	var first *entry // of the higher rows, the one that was acknowledged first
	for _, w := range writes {
		if first != nil && first.At < w.Call {
			found = append(found, violation{ruleLost, w.Call, fmt.Sprintf("the write of row %d began after row %d was acknowledged", w.Row, first.Row)})
		}
		if first == nil || w.At < first.At {
			first = w
		}
	}
	return found
}

// checkSight fails if a run has shown so little that nothing follows from it.
func checkSight(e *evidence) []violation {
	var found []violation
	for _, kind := range []string{opened, closed, up, believes, claimed, wrote, read, probed} {
		seen := 0
		e.each(kind, func(*account, *entry) { seen++ })
		if seen == 0 {
			found = append(found, violation{ruleBlind, 0, fmt.Sprintf("the diaries have no entry %q", kind)})
		}
	}
	return found
}
