package membership

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// Settings are the arguments of New.
type Settings struct {
	// ID is the id of the member. If it is empty, the machine only observes: it has no
	// session and writes nothing.
	ID string
	// Weight, Capacity and Tags are those of the member record.
	Weight, Capacity int32
	Tags             map[string]string
	// NotReady says why the program is not ready at first. It is empty if it is.
	NotReady string
	// Drain is how long work may take to stop.
	Drain time.Duration
	// Leave is how long the process tries to release its shards and to leave after that.
	Leave time.Duration
	// NewNonce draws the nonce of a tenure.
	NewNonce func() uuid.UUID
	// Permanent reports whether no retry can fix an error of the store. Nil means that a retry
	// may fix every error.
	Permanent func(error) bool
}

// Machine is the loop of one process in one group.
type Machine struct {
	settings Settings
	now      Now

	life     lifecycle
	config   group.Config // the last one that could be read
	configAt time.Time    // when it was adopted
	session  session
	own      ownRecord
	mirror   *mirror.Mirror
	sync     syncing
	watched  neighbours
	tenures  tenures
	plan     planning
	slots    slots
	store    storeHealth
	output   output
}

// New returns a machine that has not started.
func New(settings Settings) *Machine {
	m := &Machine{settings: settings, config: group.DefaultConfig()}
	m.mirror = mirror.New(m.changed)
	m.own.notReady = settings.NotReady
	m.tenures = newTenures()
	m.watched.seen = make(map[string]*observation)
	m.plan.freeSince = make(map[string]time.Time)
	return m
}

// Step handles an event. It returns the actions to perform, in order. It depends on nothing
// but the events, their times and the nonces.
func (m *Machine) Step(event Event, now Now) []Action {
	m.now, m.output.actions = now, nil
	if m.life.phase == stopped {
		return nil
	}
	m.advance() // before the event: a late answer does not bring a tenure back
	m.handle(event)
	m.advance()
	m.planAll()
	m.reportState()
	if m.life.phase == stopped {
		m.finish()
	}
	return m.output.actions
}

func (m *Machine) handle(event Event) {
	switch e := event.(type) {
	case Begin:
		if m.life.phase == notStarted {
			m.life.phase = running
		}
	case Tick:
		m.output.requestedWake = time.Time{} // the timer is not pending any more
	case Leave:
		m.leave(nil)
	case ReadinessChanged:
		m.own.notReady = e.NotReady
		m.plan.dirty = true
	case AttemptStarting:
		m.attemptStarting(e)
	case AttemptDone:
		m.attemptDone(e)
	case Answered:
		m.answered(e.Op, &e.Answer)
	case WatchEnded:
		m.watchEnded(e)
	case WorkReturned:
		m.workReturned(e)
	}
}

// changed handles that a record of the mirror has changed.
func (m *Machine) changed(kind group.Kind, name string) {
	m.plan.dirty = true
	switch kind {
	case group.KindShard:
		m.output.routes = append(m.output.routes, name)
		m.tenures.recheck = append(m.tenures.recheck, name)
	case group.KindRequest, group.KindPin:
		m.tenures.recheck = append(m.tenures.recheck, name)
	case group.KindMember:
		m.output.members, m.watched.ring, m.plan.membersAt = true, nil, m.now.Local
		if one := m.mirror.Member(name); one != nil && one.Ready() && !one.Draining {
			m.plan.readyAt = m.now.Local
		}
		if m.watched.seen[name] == nil { // a new member is looked at soon
			m.watched.lookAt = m.now.Local
		}
	case group.KindConfig:
		m.adoptConfig()
	case group.KindDrain:
	}
}

// adoptConfig adopts the config of the mirror, if it can be read.
func (m *Machine) adoptConfig() {
	config, ok := m.mirror.Config()
	if !ok || config == m.config && m.output.config {
		return
	}
	m.config, m.configAt, m.output.config = config, m.now.Local, true
	m.do(ConfigChanged{Config: config})
}

// me is the present session, or the last one.
func (m *Machine) me() election.Identity { return m.session.me }

// advance moves the session and the tenures to their stages at the present time.
func (m *Machine) advance() {
	m.advanceSession()
	m.advanceTenures()
}

// observer reports whether the machine only observes.
func (m *Machine) observer() bool { return m.settings.ID == "" }
