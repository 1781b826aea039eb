package client

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv"
)

// GetRange implements kv.ReadTransaction.
func (tr *Transaction) GetRange(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	return tr.getRange(begin, end, opts, false)
}

func (tr *Transaction) getRange(begin, end []byte, opts kv.RangeOptions, snapshot bool) kv.Future[[]kv.KeyValue] {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if err := tr.useError(); err != nil {
		return failedFuture[[]kv.KeyValue]{err}
	}
	switch {
	case isSystemEnd(begin) || isSystemEnd(end):
		return failedFuture[[]kv.KeyValue]{kv.Error{Code: kv.CodeKeyOutsideLegalRange}}
	case opts.Limit < 0:
		return failedFuture[[]kv.KeyValue]{kv.Error{Code: codeRangeLimitsInvalid}}
	}
	r := tr.reads.new()
	r.tr, r.snapshot = tr, snapshot
	r.scan = &scan{limit: opts.Limit, reverse: opts.Reverse}
	if bytes.Compare(begin, end) >= 0 {
		r.done = true
		return (*rowsFuture)(r)
	}
	r.scan.whole = Range{tr.arena.clone(begin), tr.arena.clone(end)}
	tr.startScan(r)
	return (*rowsFuture)(r)
}

// startScan determines which rows r needs from the store. If it needs any, r joins
// the wave.
func (tr *Transaction) startScan(r *read) {
	s := r.scan
	for _, e := range tr.writes.within(s.whole) {
		asOfNow := *e
		s.entries = append(s.entries, &asOfNow)
	}
	s.cleared = slices.Clone(tr.writes.cleared.within(s.whole))
	s.bound = s.whole
	if at, blocked := tr.writes.firstUnreadable(s.whole, s.reverse); blocked {
		s.blocked = true
		if s.reverse {
			s.bound.Begin = at
		} else {
			s.bound.End = at
		}
	}
	s.open = s.bound
	s.skipOwn()
	if s.complete() || (s.limit > 0 && s.satisfied()) {
		r.conclude()
		return
	}
	if known := tr.reads.knownRange(s.open); known != nil {
		s.rows = known.scan.rowsIn(s.open, s.reverse)
		s.close()
	}
	if s.complete() {
		r.conclude()
		return
	}
	s.ask(&r.Read)
	tr.reads.pending = append(tr.reads.pending, r)
}

// addAnswer adds the store's answer. It returns false if r must ask for more rows,
// because own writes hid rows that counted towards the limit.
func (r *read) addAnswer() bool {
	s := r.scan
	s.addRows(&r.Read)
	if !s.complete() && !s.satisfied() {
		s.ask(&r.Read)
		return false
	}
	r.conclude()
	return true
}

// conclude computes the result and adds the read conflict.
func (r *read) conclude() {
	s, tr := r.scan, r.tr
	r.done = true
	s.result = s.merged()
	full := s.limit > 0 && len(s.result) >= s.limit
	if !full && s.blocked {
		r.err = kv.Error{Code: kv.CodeAccessedUnreadable}
		if tr.reads.failure == nil {
			tr.reads.failure = r.err
		}
		return
	}
	if r.snapshot {
		return
	}
	depends := s.whole
	if full { // the keys beyond the last row do not matter
		last := s.result[len(s.result)-1].Key
		if s.reverse {
			depends.Begin = last
		} else {
			depends.End = tr.arena.point(last).End
		}
	}
	part := ownWrites{entries: s.entries, cleared: rangeSet{s.cleared}}
	tr.conflicts = appendOutside(tr.conflicts, depends,
		part.within(depends), part.cleared.within(depends), &tr.arena)
}
