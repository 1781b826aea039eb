package membership

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/group"
)

// tenures are the shards of this process: those that it leads, and those whose work has not
// returned or whose release was not acknowledged.
type tenures struct {
	of map[string]*tenure
	// ending are the tenures that are not leading, and releasable those that can be released
	// now.
	ending, releasable map[string]*tenure
	// limitAt is when the first limit of a drain may pass; zero: there is none.
	limitAt time.Time
	// ended has the highest term of each shard whose release was decided. It is never believed
	// again. An entry stays until the mirror shows a later tenure, or a vacancy.
	ended map[string]uint64
	// recheck names the shards whose records have changed in this step.
	recheck []string
	// failures are the hold-offs after failed work.
	failures map[string]failure
}

func newTenures() tenures {
	return tenures{
		of: make(map[string]*tenure), ending: make(map[string]*tenure), releasable: make(map[string]*tenure),
		ended: make(map[string]uint64), failures: make(map[string]failure),
	}
}

// failure is a hold-off after failed work: this process does not claim the shard before
// until.
type failure struct {
	count int
	until time.Time
}

// tenure is one tenure of one shard.
type tenure struct {
	token group.Token
	since time.Time // when it began in this process
	moves uint32    // for balance in a row
	stage stage
	// working says that the work was started and has not returned.
	working bool
	// decided says that the tenure is to be released, for reason. A tenure that is not
	// leading and not decided waits for the session to be believed again.
	decided bool
	remove  bool // the shard is to be removed
	reason  group.Reason
	// limit ends the use of the lease by work that was told to stop.
	limit time.Time
	// lost says that the session of the tenure has ended.
	lost      bool
	releasing bool // an operation releases it
	retryAt   time.Time
}

// touch files a tenure after a change of it.
func (m *Machine) touch(one *tenure) {
	t, name := &m.tenures, one.token.Shard
	file := func(in map[string]*tenure, belongs bool) {
		if belongs {
			in[name] = one
		} else {
			delete(in, name)
		}
	}
	file(t.ending, one.stage != leading)
	// Its work has returned, or its drain limit has passed.
	file(t.releasable, one.decided && !one.lost && !one.releasing && (one.stage == over || !one.working))
	if one.limited() && (t.limitAt.IsZero() || one.limit.Before(t.limitAt)) {
		t.limitAt = one.limit
	}
}

// limited reports whether something happens when the limit of the drain passes.
func (one *tenure) limited() bool {
	return one.working && (one.stage == draining || one.stage == over && !one.decided && !one.lost)
}

// advanceTenures handles the records that have changed, and the limits of drains.
func (m *Machine) advanceTenures() {
	t := &m.tenures
	for len(t.recheck) > 0 {
		names := t.recheck
		t.recheck = nil
		for _, name := range names {
			m.recheck(name)
		}
	}
	if t.limitAt.IsZero() || m.now.Local.Before(t.limitAt) {
		return
	}
	t.limitAt = time.Time{}
	for _, name := range sorted(t.ending) {
		one := t.of[name]
		if one.limited() && !m.now.Local.Before(one.limit) {
			if m.expire(one); !one.decided && !one.lost { // its work does not return
				m.decide(one, group.ReasonLapse)
			}
		}
		m.touch(one)
	}
}

func sorted(tenures map[string]*tenure) []string { return slices.Sorted(maps.Keys(tenures)) }

// recheck compares a tenure with the record of its shard in the mirror.
func (m *Machine) recheck(name string) {
	t := &m.tenures
	s := m.mirror.Shard(name)
	one := t.of[name]
	mine := s != nil && s.Unreadable == nil && s.Leader == m.session.me && m.session.live
	if s == nil {
		delete(t.failures, name)
	}
	if ended, ok := t.ended[name]; ok && (s == nil || s.Unreadable == nil && (s.Term > ended || s.Vacant())) {
		delete(t.ended, name)
	}
	switch {
	case one == nil:
		if mine {
			m.adopt(name)
		}
	case one.lost || one.decided && mine && s.Token() == one.token:
	case s != nil && s.Unreadable != nil: // the tenure goes on: only its own leader could have changed it
		m.obey(one)
	case !mine || s.Token() != one.token: // it is over, whatever this process has decided
		m.lose(one)
	default:
		m.obey(one)
	}
}

// obey gives up a tenure that the process must give up. It reports whether it does.
func (m *Machine) obey(one *tenure) bool {
	reason, remove, giveUp := m.mustGiveUp(one)
	if giveUp = giveUp && one.stage == leading; giveUp {
		one.remove = remove
		m.decide(one, reason)
	}
	return giveUp
}

// adopt begins a tenure that the record of its shard shows, if the session is believed and the
// shard was read under it.
func (m *Machine) adopt(name string) {
	s := m.mirror.Shard(name)
	if !m.believes() || s.Term <= m.tenures.ended[name] {
		return
	}
	one := &tenure{token: s.Token(), since: m.now.Local, moves: s.Moves}
	m.tenures.of[name] = one
	delete(m.plan.freeSince, name)
	m.lead(one)
}

// lead starts the work of a tenure, unless the process must give it up at once.
func (m *Machine) lead(one *tenure) {
	one.stage, m.plan.dirty = leading, true
	m.touch(one)
	if !m.obey(one) {
		one.working = true
		m.do(Lead{Token: one.token})
	}
}

// mustGiveUp reports whether the tenure is to be released whatever the plan says, and why.
func (m *Machine) mustGiveUp(one *tenure) (reason group.Reason, remove, giveUp bool) {
	request := m.mirror.Request(one.token.Shard)
	switch {
	case request.Kind == group.RemoveRequest:
		return group.ReasonResign, true, true
	case m.life.phase == leaving:
		return group.ReasonStop, false, true
	case !m.config.Enabled:
		return group.ReasonDisabled, false, true
	case request.Kind == group.ResignRequest && request.Term == one.token.Term:
		return group.ReasonResign, false, true
	case m.mirror.Drained(m.session.me.ID):
		return group.ReasonDrain, false, true
	case m.turnedUnready():
		return group.ReasonNotReady, false, true
	}
	return 0, false, false
}

// drain tells the work of a tenure to stop.
func (m *Machine) drain(one *tenure, reason group.Reason) {
	if one.stage != leading {
		return
	}
	one.stage, one.reason, one.limit = draining, reason, m.now.Local.Add(m.settings.Drain)
	m.touch(one)
	if one.working {
		m.do(Drain{Token: one.token, Reason: reason})
	}
}

// decide decides that a tenure is released. From now on it is not believed again.
func (m *Machine) decide(one *tenure, reason group.Reason) {
	m.drain(one, reason)
	one.decided, one.reason = true, reason
	m.tenures.ended[one.token.Shard] = max(m.tenures.ended[one.token.Shard], one.token.Term)
	m.touch(one)
}

// expire ends the use of the lease by the work of a tenure.
func (m *Machine) expire(one *tenure) {
	if one.stage == over {
		return
	}
	one.stage = over
	m.touch(one)
	if one.working {
		m.do(Expire{Token: one.token})
	}
}

// lose ends a tenure at once, because the records do not name it any more.
func (m *Machine) lose(one *tenure) {
	m.drain(one, group.ReasonLapse)
	m.expire(one)
	one.lost = true
	m.settle(one)
}

// lapse drains all tenures, because the session was not renewed in time.
func (m *Machine) lapse() {
	m.output.cause = errUnrenewed
	for _, name := range sorted(m.tenures.of) {
		m.drain(m.tenures.of[name], group.ReasonLapse)
	}
}

func (m *Machine) expireAll() {
	for _, name := range sorted(m.tenures.ending) {
		m.expire(m.tenures.of[name])
	}
}

// loseAll ends all tenures, because their session has ended.
func (m *Machine) loseAll() {
	for _, name := range sorted(m.tenures.of) {
		m.lose(m.tenures.of[name])
	}
	clear(m.tenures.ended) // another incarnation leads in other tenures
}

// resumeAll goes on with the tenures that lapsed, after the shards were read again.
func (m *Machine) resumeAll() {
	for _, name := range sorted(m.tenures.ending) {
		if one := m.tenures.of[name]; !one.decided && !one.lost && !one.working {
			m.recheck(name)
			if !one.lost {
				m.lead(one)
			}
		}
	}
	for _, s := range m.mirror.Shards() { // handed to this process while it was not believed
		if s.Leader == m.session.me && m.tenures.of[s.Name] == nil {
			m.recheck(s.Name)
		}
	}
}

// workReturned handles that the work on a shard has returned.
func (m *Machine) workReturned(e WorkReturned) {
	one := m.tenures.of[e.Shard]
	if one == nil || !one.working || one.token.Term != e.Term {
		return
	}
	if one.stage == leading {
		m.workEnded(one, e.Err)
	}
	one.working = false
	m.touch(one)
	m.settle(one)
	if !one.decided && !one.lost && m.believes() && !m.sync.began.Before(m.session.sureAt) {
		m.lead(one)
	}
}

// workEnded handles work that ends by itself: the shard is released, and this process holds
// off. Others may claim the shard meanwhile.
func (m *Machine) workEnded(one *tenure, err error) {
	name := one.token.Shard
	f := m.tenures.failures[name]
	const healthy = 32 // leases
	if err == nil || m.now.Local.Sub(one.since) >= healthy*m.config.LeaseDuration {
		f.count = 0
	}
	length := m.config.HeartbeatInterval
	if err != nil {
		f.count++
		length = min(length<<min(f.count-1, 10), healthy*m.config.LeaseDuration)
		m.do(HoldOff{Shard: name, Failures: f.count, For: length})
	}
	f.until = m.now.Local.Add(length)
	m.tenures.failures[name] = f
	m.decide(one, group.ReasonWork)
}

// settle forgets a tenure that is lost and whose work has returned.
func (m *Machine) settle(one *tenure) {
	t, name := &m.tenures, one.token.Shard
	m.touch(one)
	if !one.lost || one.working {
		return
	}
	delete(t.of, name)
	delete(t.ending, name)
	m.plan.dirty = true
	t.recheck = append(t.recheck, name) // a later tenure may wait for this one
}

// released reports whether no tenure holds a shard any more.
func (t *tenures) released() bool {
	for _, one := range t.of {
		if !one.lost {
			return false
		}
	}
	return true
}

// errUnrenewed says why a session is not believed.
var errUnrenewed = errors.New("no heartbeat was acknowledged in time")
