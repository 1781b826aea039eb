package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// groupWorld is one run of a group: many shards led by one pool of processes.
type groupWorld struct {
	kernel
	groupShape
	identities *reader
	group      *group.Group

	hosts    []*groupHost
	live     []*groupProcess // in the order of their starts
	clients  map[string]*groupProcess
	operator *node
	database kv.Database // of the operator

	starts int
	groupChecks
}

// groupShape is what stays the same during a run.
type groupShape struct {
	clockErrors
	config group.Config
	shards int
	exact  bool // messages may take no time, and the margin is one nanosecond
	even   bool // all weights are equal, and there are no capacities
}

func newGroupShape(r *rand.Rand) groupShape {
	s := groupShape{clockErrors: clockErrors{skew: time.Hour}, shards: 1 + r.IntN(8), even: r.IntN(4) > 0}
	c := group.DefaultConfig()
	if r.IntN(2) == 0 { // so that a commit can arrive after the session of its author has ended
		c = group.ConfigWithLease(time.Second)
	}
	switch r.IntN(5) {
	case 0:
		s.maxPPM = 500
	case 1:
		s.maxPPM = 20_000
	case 2:
		s.maxPPM = 100_000
	case 3:
		s.exact = true
	}
	// The margin is at least lease x 2r/(1+r) if the rates are off by r, rounded up.
	c.Margin = time.Duration(int64(c.LeaseDuration)/(1_000_000+s.maxPPM)*2*s.maxPPM) + time.Millisecond
	switch {
	case s.exact:
		c.Margin = 1
	case s.maxPPM <= 20_000 && r.IntN(2) == 0:
		c.Margin = 0
	}
	c.SettleDelay = time.Duration(r.Int64N(int64(c.LeaseDuration / 2)))
	c.MaxMoves = 1 + r.IntN(4)
	if r.IntN(4) == 0 {
		c.Retention = 5 * c.LeaseDuration
	}
	s.config = c
	return s
}

// groupHost is the place of a process of a group.
type groupHost struct {
	place
	column           int
	weight, capacity int32
	observer         bool
	notReady         string
	clocks           clocks
	random           *rand.Rand    // for the work
	current          *groupProcess // the newest process; nil: never started
}

// maxShards is how many shards a run may have. They are called s0, s1 and so on.
const maxShards = 10

func shardName(i int) string { return fmt.Sprintf("s%d", i) }

func newGroupWorld(opts Options) *groupWorld {
	if opts.Processes == 0 {
		opts.Processes = 5
	}
	space := subspace.New("simulation")
	w := &groupWorld{
		kernel: newKernel(opts), groupShape: newGroupShape(stream(opts.Seed, 7)), identities: &reader{r: stream(opts.Seed, 4)},
		group: group.New(space.Sub("group")), clients: map[string]*groupProcess{}, groupChecks: newGroupChecks(space),
	}
	w.model, w.lease, w.instant = w, w.config.LeaseDuration, w.exact
	if w.opts.Faulty == 0 {
		w.opts.Faulty = 8 * w.lease
	}
	if w.opts.FaultFree == 0 {
		w.opts.FaultFree = 2 * w.lease
	}
	w.open(w.committed)
	setup := stream(opts.Seed, 6)
	for i := range opts.Processes {
		h := &groupHost{
			column: i, place: place{id: string(rune('a' + i))}, weight: 1, clocks: w.newClocksFrom(setup), random: stream(opts.Seed, 100+uint64(i)),
		}
		if !w.even {
			h.weight, h.capacity = int32(setup.IntN(4)), int32(setup.IntN(3)*setup.IntN(6))
		}
		h.observer = i > 2 && setup.IntN(8) == 0
		w.hosts = append(w.hosts, h)
	}
	w.operator = &node{kernel: &w.kernel, name: "operator", place: &place{id: "operator"}, application: true, operator: true, alive: true}
	w.nodes[w.operator.name], w.database = w.operator, w.db.NewClient(w.operator.name, clientOptions)
	return w
}

func (w *groupWorld) allNodes() []*node {
	nodes := make([]*node, 0, len(w.live)+1)
	for _, p := range w.live {
		nodes = append(nodes, &p.node)
	}
	return append(nodes, w.operator)
}

func (w *groupWorld) allPlaces() []*place {
	places := make([]*place, 0, len(w.hosts)+1)
	for _, h := range w.hosts {
		places = append(places, &h.place)
	}
	return append(places, w.operator.place)
}

func (w *groupWorld) uuid() uuid.UUID {
	id, _ := uuid.NewRandomFromReader(w.identities)
	return id
}

// calendar is the wall clock of operators.
func (w *groupWorld) calendar() time.Time { return epoch.Add(w.now) }

func (w *groupWorld) play() {
	w.transact(func(tr kv.Transaction) error {
		if _, err := w.group.Initialize(tr, w.config); err != nil {
			return err
		}
		_, err := w.group.CreateShards(tr, w.shardNames(w.shards), w.calendar())
		return err
	})
	for _, h := range w.hosts {
		w.after(time.Duration(w.scheduleRand.Int64N(int64(w.lease/2))), func() {
			if h.current == nil {
				h.start(w, h.clocks)
			}
		})
	}
	w.after(time.Second, w.injectFaults)
	w.run(w.opts.Faulty, w.failed)
	if !w.failed() {
		w.stopFaults()
		w.run(w.now+w.opts.FaultFree, w.failed)
	}
	if !w.failed() {
		w.playCalm()
	}
	for _, p := range slices.Clone(w.live) {
		p.end()
	}
	w.operator.end()
	w.close()
	w.result.Tenures, w.result.Fenced = w.tenures, w.fenced
}

func (w *groupWorld) shardNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = shardName(i)
	}
	return names
}

// transact runs a transaction of the simulator itself, without faults and at once.
func (w *groupWorld) transact(fn func(kv.Transaction) error) {
	if err := w.db.Transact(context.Background(), fn); err != nil {
		panic(err)
	}
}

// injectFaults decides, once a second, on the faults that do not belong to a call.
func (w *groupWorld) injectFaults() {
	if w.faultFreeSince > 0 {
		return
	}
	w.after(min(time.Second, w.lease/4), w.injectFaults)
	for _, h := range w.hosts {
		if p := h.current; p == nil || !p.alive {
			if w.scheduleRand.IntN(6) == 0 {
				h.start(w, h.clocks)
			}
		}
	}
	for _, p := range slices.Clone(w.live) {
		w.injectInto(p)
	}
	if w.chance(faultRecovery) {
		w.recover(func() {})
	}
	if w.chance(faultOutage) {
		w.injectOutage(w.allPlaces())
	}
	w.operate()
}

// injectInto draws the faults of one process.
func (w *groupWorld) injectInto(p *groupProcess) {
	switch {
	case !p.alive:
	case w.chance(faultCrash):
		w.count(faultCrash)
		p.crash()
	case w.chance(faultLeave):
		w.count(faultLeave)
		p.leave()
	case w.disturb(&p.node, w.skew):
	case w.chance(faultUnready):
		w.count(faultUnready)
		w.makeUnready(p.host)
	case w.chance(faultDuplicateID):
		w.count(faultDuplicateID)
		p.host.start(w, w.newClocksFrom(w.scheduleRand))
		if w.pick(faultDuplicateID, 2) == 0 { // the older one does not notice
			p.pause(w.pauseLength(&p.node, faultDuplicateID))
		}
	}
}

// stopFaults ends all faults. Every host has a process that is connected and not paused, the
// config is the first one again, and what was damaged is repaired.
func (w *groupWorld) stopFaults() {
	if w.tracing {
		w.traceOf("", "faults end")
	}
	w.faultFreeSince = w.now
	for _, n := range w.allNodes() {
		n.requestsHeldUntil, n.repliesHeldUntil = 0, 0
		n.endPause()
	}
	for _, p := range w.allPlaces() {
		p.heldUntil, p.failsUntil = 0, 0
	}
	for _, t := range slices.Clone(w.operator.tasks) {
		t.kill()
	}
	w.db.Recover() // so that no late commit of an operator arrives
	w.repair()
	for _, p := range w.live {
		for _, r := range p.runs {
			r.ignores = 0
		}
	}
	for _, h := range w.hosts {
		w.setReadiness(h, "")
		if p := h.current; p == nil || !p.alive || p.stopping {
			w.after(time.Millisecond, func() { h.start(w, h.clocks) })
		}
	}
	w.opts.FaultFree += w.longestWait()
}
