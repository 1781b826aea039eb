package client

import "bytes"

// A transaction reads at one version, so an answer stays valid. A read that an
// earlier answer covers does not go to the store, and works even if the version is
// no longer kept.

// indexFrom is the number of single reads up to which a linear search is used.
const indexFrom = 16

// remember stores an answered read.
func (s *readSet) remember(r *read) {
	if r.scan == nil {
		s.points = append(s.points, r)
		if s.index != nil {
			s.index[string(r.Key)] = r
		}
		return
	}
	s.ranges = append(s.ranges, r)
}

// known returns the value of key if an earlier answer covers it.
func (s *readSet) known(key []byte) (bool, []byte) {
	if r := s.point(key); r != nil {
		return true, r.Value
	}
	for _, r := range s.ranges {
		if seen := r.scan.seen(); bytes.Compare(seen.Begin, key) <= 0 && bytes.Compare(key, seen.End) < 0 {
			return true, r.scan.valueOf(key)
		}
	}
	return false, nil
}

func (s *readSet) point(key []byte) *read {
	if len(s.points) <= indexFrom {
		for _, r := range s.points {
			if bytes.Equal(r.Key, key) {
				return r
			}
		}
		return nil
	}
	if s.index == nil {
		s.index = make(map[string]*read, 2*len(s.points))
		for _, r := range s.points {
			s.index[string(r.Key)] = r
		}
	}
	return s.index[string(key)]
}

// knownRange returns an answered read that covers span, or nil.
func (s *readSet) knownRange(span Range) *read {
	for _, r := range s.ranges {
		seen := r.scan.seen()
		if bytes.Compare(seen.Begin, span.Begin) <= 0 && bytes.Compare(span.End, seen.End) <= 0 {
			return r
		}
	}
	return nil
}
