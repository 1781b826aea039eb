package main

import (
	"cmp"
	"slices"
	"time"
)

// interval is a time from an instant to another.
type interval struct{ from, to time.Duration }

func (i interval) length() time.Duration { return i.to - i.from }

// within reports whether an instant is in one of some intervals.
func within(all []interval, at time.Duration) bool {
	return slices.ContainsFunc(all, func(i interval) bool { return i.from <= at && at <= i.to })
}

// overlaps reports whether two intervals have an instant in common.
func (i interval) overlaps(other interval) bool { return i.from <= other.to && other.from <= i.to }

// without returns the parts of some intervals that are outside of all others.
func without(all, others []interval) []interval {
	others = slices.Clone(others)
	slices.SortFunc(others, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	var left []interval
	for _, i := range all {
		for _, o := range others {
			if o.to < i.from || o.from > i.to {
				continue
			}
			if o.from > i.from {
				left = append(left, interval{i.from, o.from})
			}
			i.from = max(i.from, o.to)
		}
		if i.from < i.to {
			left = append(left, i)
		}
	}
	return left
}

// common returns the parts that are in one of the first intervals and in one of the others.
func common(all, others []interval) []interval {
	var both []interval
	for _, i := range all {
		for _, o := range others {
			if c := (interval{max(i.from, o.from), min(i.to, o.to)}); c.from < c.to {
				both = append(both, c)
			}
		}
	}
	return both
}

// merged returns intervals that do not overlap, with the same instants.
func merged(all []interval) []interval {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	var apart []interval
	for _, i := range all {
		if last := len(apart) - 1; last >= 0 && i.from <= apart[last].to {
			apart[last].to = max(apart[last].to, i.to)
			continue
		}
		apart = append(apart, i)
	}
	return apart
}

// total returns how long intervals are together, if they do not overlap.
func total(all []interval) time.Duration {
	var sum time.Duration
	for _, i := range all {
		sum += i.length()
	}
	return sum
}
