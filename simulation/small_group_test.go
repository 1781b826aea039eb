package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/belief"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/internal/membership/executor"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// groupAct is what an actor of a small group does: one operation of a member or of an operator,
// retries included. Some do nothing if the actor knows that they are not possible.
type groupAct func(ctx context.Context, m *smallMember)

// smallGroup is a group with a few actors.
type smallGroup struct {
	// ids are those of the actors, as members of the group. Nil: a, b, c. Two actors with one id
	// are two processes.
	ids []string
	// before are the acts of each actor before the schedule begins, one actor after another, and
	// acts those that are explored.
	before, acts [][]groupAct
	shards       int // how many exist at the start: s0 and so on
	limits
	// reached has the acts that have done something in some schedule, by their labels.
	reached map[string]bool
}

// smallGroupWorld is a small group in the middle of a schedule.
type smallGroupWorld struct {
	*groupWorld
	schedule *schedule
	members  []*smallMember
	reached  map[string]bool              // of all schedules
	raised   bool                         // an operator has raised terms
	effects  map[string]map[string]string // by label: what the commits of an act have left, by key ("": removed)
}

// smallMember is an actor of a small group. It knows what a member knows, apart from its mirror.
type smallMember struct {
	*smallGroupWorld
	actor    *actor
	number   byte
	process  *groupProcess
	executor executor.Executor
	operator kv.Database // for the acts of an operator

	// Kept from one attempt to the next.
	at      int // the current act
	what    membership.Operation
	own     []uuid.UUID // incarnations that may have joined
	drawn   byte        // how many incarnations it has drawn
	record  group.Member
	live    bool // it has joined, and has not ended its session as far as it knows
	belief  belief.Belief
	counter uint64                       // of the last heartbeat that was acknowledged
	seen    map[string]seenBeat          // what it has seen of heartbeats
	peers   map[string]election.Identity // the sessions of all when the schedule began
	tenures map[string]ownTenure         // the newest one of each shard
	asked   uint64                       // as an operator: the term whose leader is asked to resign
}

// ownTenure is a tenure of an actor.
type ownTenure struct {
	group.Token
	GivenUp bool // it has decided to release it
	Ended   bool // it knows that the tenure has ended
}

// seenBeat is a heartbeat, and since when it has stood still.
type seenBeat struct {
	group.Beat
	Since time.Time
}

// smallLease is so short that a transaction of a session that has ended can still commit.
const smallLease = time.Second

func (small smallGroup) open() *schedule {
	space := subspace.New("simulation")
	config := group.ConfigWithLease(smallLease)
	config.Margin, config.SettleDelay = 1, 0 // all clocks agree
	w := &smallGroupWorld{
		groupWorld: &groupWorld{
			kernel: newKernel(Options{Seed: 1}), groupShape: groupShape{config: config},
			group: group.New(space.Sub("group")), clients: map[string]*groupProcess{}, groupChecks: newGroupChecks(space),
		},
		effects: map[string]map[string]string{}, reached: small.reached,
	}
	w.schedule = newSchedule(&w.kernel, small.limits, w)
	w.transact(func(tr kv.Transaction) error {
		if _, err := w.group.Initialize(tr, config); err != nil {
			return err
		}
		_, err := w.group.CreateShards(tr, w.shardNames(small.shards), w.calendar())
		return err
	})
	w.shards = small.shards
	for i := range small.acts {
		m := w.newMember(small.id(i), byte(i+1))
		if i < len(small.before) {
			m.run(context.Background(), small.before[i])
		}
	}
	for _, m := range w.members {
		for _, other := range w.members {
			m.peers[other.process.host.id] = other.record.Identity
		}
	}
	for i, m := range w.members {
		m.actor = &actor{kept: m.kept}
		w.schedule.addActor(m.actor, func(ctx context.Context) { m.run(ctx, small.acts[i]) })
	}
	return w.schedule
}

func (small *smallGroup) id(i int) string {
	if small.ids == nil {
		return string(rune('a' + i))
	}
	return small.ids[i]
}

func (w *smallGroupWorld) newMember(id string, number byte) *smallMember {
	host := &groupHost{place: place{id: id}}
	m := &smallMember{
		smallGroupWorld: w, number: number, seen: map[string]seenBeat{}, peers: map[string]election.Identity{},
		tenures: map[string]ownTenure{},
		process: &groupProcess{node: node{kernel: &w.kernel, name: id + strconv.Itoa(int(number)), place: &host.place}, world: w.groupWorld, host: host},
	}
	m.executor = executor.Executor{
		Database: w.db.NewClient(m.process.name, clientOptions), Group: w.group, Now: m.process.now, NewIncarnation: m.newIncarnation,
	}
	m.operator = w.db.NewClient("operator of "+m.process.name, clientOptions)
	w.clients[m.process.name] = m.process
	w.members = append(w.members, m)
	return m
}

// run performs acts.
func (m *smallMember) run(ctx context.Context, acts []groupAct) {
	for _, act := range acts {
		m.at++
		m.what = membership.Operation{}
		if m.actor != nil {
			m.actor.failed = nil
		}
		act(ctx, m)
		if !m.schedule.closing {
			delete(m.effects, m.label()) // from now on nothing runs again
		}
	}
	m.what = membership.Operation{}
}

func (m *smallMember) newIncarnation() uuid.UUID {
	m.drawn++
	return uuid.UUID{m.number, m.drawn}
}

// nonce is a nonce of the current act.
func (m *smallMember) nonce() uuid.UUID { return uuid.UUID{m.number, byte(m.at), 1} }

// label names the current act in the commit log.
func (m *smallMember) label() string { return actLabel(m.process.name, m.at) }

func actLabel(process string, at int) string { return process + "/" + strconv.Itoa(at) }

// operate runs an operation of a member, as a member does.
func (m *smallMember) operate(ctx context.Context, what membership.Operation) membership.Answer {
	what.ID, what.Me = uint64(m.at), m.record.Identity
	m.what = what
	op := &groupOperation{process: m.process, what: what, task: &task{}}
	m.operations[m.label()] = op
	answer, _ := m.executor.Run(memkv.WithLabel(ctx, m.label()), what, m.notify)
	if m.actor != nil && !m.schedule.closing {
		op.task.lost = m.actor.failures(kv.CodeCommitUnknownResult)
		m.checkGroupAnswer(op, &answer)
		m.checkEffects(op, &answer)
	}
	return answer
}

// notify counts the attempts to join and to send heartbeats, as a member does.
func (m *smallMember) notify(e membership.Event) {
	switch e := e.(type) {
	case membership.AttemptStarting:
		if m.what.Kind == membership.Join {
			m.own = append(m.own, e.Incarnation)
			return
		}
		m.belief.Starting(e.Op, e.Attempt, belief.DeadlinesOf(e.Start, e.Lease, m.config.Lease()))
	case membership.AttemptDone:
		if m.what.Kind == membership.Join && e.Outcome == kv.NotCommitted {
			m.own = m.own[:len(m.own)-1]
		}
		m.belief.Done(e.Op, e.Attempt, e.Outcome)
	}
}

// steer runs a transaction of an operator.
func (m *smallMember) steer(ctx context.Context, fn func(tr kv.Transaction) error) {
	_ = m.operator.Transact(memkv.WithLabel(ctx, m.label()), fn)
}

// kept is what it keeps from one attempt to the next.
func (m *smallMember) kept() []byte {
	smaller := [2]int{} // what makes a batch smaller
	if len(m.what.Claims)+len(m.what.Releases) > 1 {
		smaller = [2]int{min(m.actor.failures(kv.CodeNotCommitted), 2), m.actor.failures(kv.CodeTransactionTooOld)}
	}
	b, _ := json.Marshal([]any{
		m.at, m.what, m.own, m.drawn, m.record, m.live, m.counter, m.seen, m.tenures, m.asked,
		smaller, m.actor.failures(kv.CodeCommitUnknownResult) > 0,
	})
	return fmt.Append(b, m.belief)
}

// leads reports whether it believes that it leads a shard.
func (m *smallMember) leads(name string) bool {
	t, once := m.tenures[name]
	deadlines := m.belief.Deadlines()
	return once && !t.GivenUp && !t.Ended && m.live && m.process.local().Before(deadlines.End)
}

func (w *smallGroupWorld) stored() []kv.KeyValue { return w.shadow.rows }

// dependOn implements checkedWorld. No act reads the log or the bell, which have the versions of all
// commits.
func (w *smallGroupWorld) dependOn(key []byte) bool { return !w.inLog(key) }

func (w *smallGroupWorld) hashState(h *stateHash) {
	for _, name := range w.shardNames(w.shards) {
		h.number(w.highest[name])
	}
	h.bytes(fmt.Append(nil, w.ended, w.raised, w.effects))
	tenures := make([]string, 0, len(w.holders))
	for token := range w.holders {
		tenures = append(tenures, fmt.Sprint(token, token.Nonce))
	}
	slices.Sort(tenures)
	h.bytes(fmt.Append(nil, tenures))
	for _, m := range w.members {
		h.bytes(fmt.Append(nil, m.live, m.process.left, m.belief.Deadlines()))
		for _, name := range w.shardNames(w.shards) {
			t := m.tenures[name]
			h.bytes(fmt.Append(nil, t, t.GivenUp, t.Ended))
		}
	}
}

// inLog reports whether a key is that of the log or of the bell.
func (w *groupChecks) inLog(key []byte) bool {
	for _, name := range []string{"log", "bell"} {
		if bytes.HasPrefix(key, subspace.AppendString(slices.Clip(w.records.Bytes()), name)) {
			return true
		}
	}
	return false
}
