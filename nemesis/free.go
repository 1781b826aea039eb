package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// slowProbe is from when on the store counts as not available.
const slowProbe = 400 * time.Millisecond

// vacancy is a time without any belief.
type vacancy struct {
	interval
	Reasons []string // the faults meanwhile
}

// judged returns the time that is judged.
func (e *evidence) judged() interval {
	var i interval
	e.each(opened, func(_ *account, o *entry) { i.from = o.At })
	e.each(closed, func(_ *account, c *entry) { i.to = c.At })
	return i
}

// led returns the times with a belief.
func (e *evidence) led() []interval {
	var led []interval
	for _, b := range e.beliefs() {
		led = append(led, interval{b.first, b.last + 2*beliefInterval})
	}
	return common([]interval{e.judged()}, merged(led))
}

// vacancies returns all times without any belief.
func (e *evidence) vacancies() []interval { return without([]interval{e.judged()}, e.led()) }

// outages are the times for which nothing can be expected of any candidate.
func (e *evidence) outages() []interval {
	var all []interval
	e.each(struck, func(_ *account, s *entry) {
		if s.Target == everyone {
			all = append(all, interval{s.Call, s.At})
		}
	})
	e.each(stalled, func(_ *account, s *entry) { all = append(all, interval{s.Call, s.At}) })
	var good time.Duration // when the last probe ended that the store took in time
	broken := false
	e.each(probed, func(_ *account, p *entry) {
		if p.Text != "" || p.At-p.Call > slowProbe {
			broken = true
			return
		}
		if broken {
			all = append(all, interval{good, p.At})
		}
		good, broken = p.At, false
	})
	if broken {
		all = append(all, interval{good, e.judged().to})
	}
	return all
}

// settleTime is how long a process may wait for the end of its predecessor before it registers.
func (e *evidence) settleTime() time.Duration {
	return time.Duration(float64(e.Lease)*1.5/(1-worstRate)) + time.Second
}

// healthy returns the times at which each candidate was alive, registered and not struck.
func (e *evidence) healthy() map[string][]interval {
	alive := make(map[string][]interval)
	since := make(map[string]time.Duration)
	end := func(target string, at time.Duration) {
		if from, is := since[target]; is && from < at {
			alive[target] = append(alive[target], interval{from, at})
		}
		delete(since, target)
	}
	for _, a := range e.Accounts {
		for _, entry := range a.Entries {
			switch entry.Kind {
			case up:
				since[entry.Target] = entry.At + e.settleTime()
			case down:
				end(entry.Target, entry.At)
			}
		}
	}
	for target := range maps.Clone(since) {
		end(target, e.judged().to)
	}
	delete(alive, nothing)
	e.each(struck, func(_ *account, s *entry) {
		if times, is := alive[s.Target]; is {
			alive[s.Target] = without(times, []interval{{s.Call, s.At}})
		}
	})
	return alive
}

// begins returns when each term was first seen. From then on the others wait for its lease.
func (e *evidence) begins() []interval {
	var all []interval
	newest := uint64(0)
	for _, s := range e.sights() {
		if s.term > newest {
			newest = s.term
			all = append(all, interval{s.at, s.at})
		}
	}
	return all
}

// renewed returns the times for which a worker that was struck renewed its lease. Leadership is not
// free then, although work may stand still: that of a command that is stopped, or whose guard is.
func (e *evidence) renewed() []interval {
	strikes := make(map[string][]interval)
	e.each(struck, func(_ *account, s *entry) { strikes[s.Target] = append(strikes[s.Target], interval{s.Call, s.At}) })
	var all []interval
	var first *entry // the first read of the newest ballot
	e.each(read, func(a *account, r *entry) {
		if a.Name != nemesisName || first != nil && first.Ballot == r.Ballot {
			return
		}
		if first != nil && first.Token == r.Token && r.At-first.Call <= e.Lease {
			if token, err := election.ParseToken(r.Token); err == nil {
				all = append(all, common([]interval{{first.Call, r.At}}, strikes[token.ID])...)
			}
		}
		first = r
	})
	return all
}

// waiting is a time for which leadership was free although a healthy candidate could have claimed it.
type waiting struct {
	interval
	candidate string
}

func (w waiting) String() string {
	if w.candidate == "" {
		return "never"
	}
	return fmt.Sprintf("%s, %s at %s", w.length().Round(time.Millisecond), w.candidate, w.from)
}

// waits returns these times, by candidate.
func (e *evidence) waits() []waiting {
	free := without(e.vacancies(), slices.Concat(e.outages(), e.begins(), e.renewed()))
	healthy := e.healthy()
	var all []waiting
	for _, candidate := range slices.Sorted(maps.Keys(healthy)) {
		for _, i := range common(free, healthy[candidate]) {
			all = append(all, waiting{i, candidate})
		}
	}
	return all
}

// checkFree finds those that are longer than the bound.
func checkFree(e *evidence) []violation {
	reported := make(map[interval]bool)
	var found []violation
	for _, w := range e.waits() {
		if w.length() <= bound(e.Lease) || reported[w.interval] {
			continue
		}
		reported[w.interval] = true
		found = append(found, violation{ruleFree, w.from, fmt.Sprintf(
			"for %s, although %s was healthy (at most %s)", w.length(), w.candidate, bound(e.Lease),
		)})
	}
	return found
}

// longest returns the longest time without any belief, with the faults meanwhile, and the longest
// for which a healthy candidate waited.
func (e *evidence) longest() (v vacancy, expected waiting) {
	for _, i := range e.vacancies() {
		if i.length() > v.length() {
			v.interval = i
		}
	}
	reasons := make(map[string]bool)
	e.each(struck, func(_ *account, s *entry) {
		if (interval{s.Call, s.At}).overlaps(v.interval) {
			reasons[s.Text] = true
		}
	})
	v.Reasons = slices.Sorted(maps.Keys(reasons))
	for _, w := range e.waits() {
		if w.length() > expected.length() {
			expected = w
		}
	}
	return v, expected
}

func (v vacancy) String() string {
	reasons := "without a fault"
	if len(v.Reasons) > 0 {
		reasons = "during: " + strings.Join(v.Reasons, ", ")
	}
	return fmt.Sprintf("%s, %s", v.length().Round(time.Millisecond), reasons)
}
