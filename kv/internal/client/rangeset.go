package client

import (
	"bytes"
	"slices"
	"sort"
)

// rangeSet is a set of keys, stored as sorted ranges that neither overlap nor
// touch. The zero value is empty.
type rangeSet struct {
	ranges []Range
}

// after returns the index of the first range that ends after key.
func (s *rangeSet) after(key []byte) int {
	return sort.Search(len(s.ranges), func(i int) bool {
		return bytes.Compare(s.ranges[i].End, key) > 0
	})
}

// contains reports whether key is in the set.
func (s *rangeSet) contains(key []byte) bool {
	if len(s.ranges) == 0 {
		return false
	}
	i := s.after(key)
	return i < len(s.ranges) && bytes.Compare(s.ranges[i].Begin, key) <= 0
}

// within returns the ranges of the set that overlap r, unclipped.
func (s *rangeSet) within(r Range) []Range {
	i := s.after(r.Begin)
	j := i
	for j < len(s.ranges) && bytes.Compare(s.ranges[j].Begin, r.End) < 0 {
		j++
	}
	return s.ranges[i:j]
}

// add adds the keys of r.
func (s *rangeSet) add(r Range) {
	i := sort.Search(len(s.ranges), func(i int) bool {
		return bytes.Compare(s.ranges[i].End, r.Begin) >= 0
	})
	j := i
	for j < len(s.ranges) && bytes.Compare(s.ranges[j].Begin, r.End) <= 0 {
		r.Begin = minKey(r.Begin, s.ranges[j].Begin)
		r.End = maxKey(r.End, s.ranges[j].End)
		j++
	}
	s.ranges = slices.Replace(s.ranges, i, j, r)
}

// remove removes the keys of r.
func (s *rangeSet) remove(r Range) {
	hit := s.within(r)
	if len(hit) == 0 {
		return
	}
	i := s.after(r.Begin)
	var rest []Range
	if first := hit[0]; bytes.Compare(first.Begin, r.Begin) < 0 {
		rest = append(rest, Range{first.Begin, r.Begin})
	}
	if last := hit[len(hit)-1]; bytes.Compare(last.End, r.End) > 0 {
		rest = append(rest, Range{r.End, last.End})
	}
	s.ranges = slices.Replace(s.ranges, i, i+len(hit), rest...)
}

// clip returns the part of r inside bounds. They must overlap.
func clip(r, bounds Range) Range {
	return Range{maxKey(r.Begin, bounds.Begin), minKey(r.End, bounds.End)}
}

// normalize sorts ranges in place and joins those that overlap or touch.
func normalize(ranges []Range) []Range {
	slices.SortFunc(ranges, func(a, b Range) int { return bytes.Compare(a.Begin, b.Begin) })
	return joinSorted(ranges)
}

// joinSorted joins sorted ranges that overlap or touch, in place.
func joinSorted(ranges []Range) []Range {
	if len(ranges) < 2 {
		return ranges
	}
	kept := 0
	for _, r := range ranges[1:] {
		if last := &ranges[kept]; bytes.Compare(r.Begin, last.End) <= 0 {
			last.End = maxKey(last.End, r.End)
			continue
		}
		kept++
		ranges[kept] = r
	}
	return ranges[:kept+1]
}

func minKey(a, b []byte) []byte {
	if bytes.Compare(a, b) <= 0 {
		return a
	}
	return b
}

func maxKey(a, b []byte) []byte {
	if bytes.Compare(a, b) >= 0 {
		return a
	}
	return b
}
