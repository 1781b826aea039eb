package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// nemesis strikes five workers and their store.
type nemesis struct {
	options
	out     io.Writer
	diary   *diary
	db      kv.Database
	backing backing
	slots   []*slot
	faults  []fault
	monitor *monitor
	active  []*activeFault
	strikes uint64
}

// nemesisName is the name of the diary of the nemesis.
const nemesisName = "nemesis"

// backing is the store that all workers share, with the faults that it can have.
type backing interface {
	// name is the name of the store for fdbelect.
	name() string
	// inside returns the command that runs argv as the worker i.
	inside(i int, argv []string) []string
	// faults returns the faults of the store. Those that this machine cannot have are in missing.
	faults(n *nemesis) (possible []fault, missing []string)
	// tend starts again what has ended by itself.
	tend() error
	// stop removes what the start has made. With keep, the data stay in the directory of the run.
	stop(keep bool) error
}

// activeFault is a fault that has begun and not ended.
type activeFault struct {
	name   string
	target string
	begin  time.Duration
	until  time.Duration
	slot   *slot // that it has taken, or nil
	end    func() bool
}

// run runs the workers, strikes for the time of the options, and judges.
func (o *options) run(ctx context.Context, out io.Writer) (*report, error) {
	if err := o.prepare(); err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "seed %d, diaries in %s\nreplay the draws with: %s\n", o.seed, o.dir, o.replay()) //nolint:errcheck // the terminal
	n := &nemesis{options: *o, out: out}
	var r *report
	missing, err := n.start(ctx)
	if err == nil {
		n.strikeUntilEnd(ctx)
		n.calm()
	}
	n.stopWorkers()
	if err == nil {
		r, err = n.finish(ctx, missing)
	}
	if n.backing != nil {
		err = errors.Join(err, n.backing.stop(err != nil || len(r.Violations) > 0))
	}
	return r, err
}

// prepare checks the program and that the directory is empty, and makes that absolute.
func (o *options) prepare() error {
	if _, err := exec.LookPath(o.fdbelect); err != nil {
		return err
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "nemesis-")
		o.dir = dir
		return err
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(dir)
	if err == nil && len(files) > 0 {
		err = fmt.Errorf("%s is not empty", dir)
	}
	return err
}

// start starts the store, the election and the workers.
func (n *nemesis) start(ctx context.Context) (missing []string, err error) {
	if n.diary, err = openDiary(n.dir, nemesisName); err != nil {
		return nil, err
	}
	switch n.store {
	case "file":
		n.backing, err = newFileStore(n.dir)
	case "fdb":
		n.backing, err = startCluster(ctx, n.dir, n.binaries, n.diary)
	default:
		err = fmt.Errorf("--store %s is neither file nor fdb", n.store)
	}
	if err != nil {
		return nil, err
	}
	n.db, _, err = openStore(n.backing.name())
	if err != nil {
		return nil, err
	}
	err = n.db.Transact(ctx, func(tr kv.Transaction) error {
		_, err := theElection.InitializeWithConfig(tr, n.config(n.lease))
		return err
	})
	if err != nil {
		return nil, err
	}
	own, missing := n.backing.faults(n)
	n.faults = append(ownFaults(), own...)
	n.monitor = startMonitor(n.db, n.diary)
	for i := range workers {
		n.slots = append(n.slots, newSlot(n, i))
	}
	n.diary.write(entry{Kind: opened, At: clock.Boot()})
	return missing, nil
}

// config is the config of the election for a lease.
func (n *nemesis) config(lease time.Duration) fdbelection.Config {
	c := fdbelection.ConfigWithLease(lease)
	if n.bug == bugMargin {
		c.Margin = 1
	}
	return c
}

// tick is how often the nemesis looks what is due.
const tick = 10 * time.Millisecond

// strikeUntilEnd begins and ends faults, and starts the workers that have ended.
func (n *nemesis) strikeUntilEnd(ctx context.Context) {
	until := clock.Boot() + n.length
	next := clock.Boot() + n.lease // the first leader begins in peace
	for ctx.Err() == nil && clock.Boot() < until {
		n.endFaults(clock.Boot())
		n.restart()
		if clock.Boot() >= next {
			next = clock.Boot() + n.strike()
		}
		_ = wait(ctx, tick)
	}
}

// mostActive is how many faults there are at one time.
const mostActive = 3

// strike begins one fault, and returns the time to the next. Its draws depend only on the seed and
// on the number of the strike. Half of the faults of workers concern the leader.
func (n *nemesis) strike() time.Duration {
	n.strikes++
	random := rand.New(rand.NewPCG(n.seed, n.strikes))
	f := drawFault(n.faults, random)
	length := n.lease/10 + time.Duration(random.Int64N(int64(3*n.lease)))
	pause := 100*time.Millisecond + time.Duration(random.Int64N(int64(time.Second)))
	s := &stroke{nemesis: n, random: random}
	if f.of != noWorker {
		s.slot = n.drawSlot(f.of, random)
	}
	if len(n.active) >= mostActive || s.slot != nil && (s.slot.busy || s.slot.process.gone()) || s.slot == nil && n.isActive(f.name) {
		return pause
	}
	a := &activeFault{name: f.name, target: everyone, begin: clock.Boot(), slot: s.slot}
	switch {
	case a.slot != nil:
		a.target = a.slot.id
	case f.target != "":
		a.target = f.target
	}
	end, ok := f.begin(s)
	if !ok {
		return pause
	}
	if a.slot != nil {
		a.slot.busy = true
	}
	a.end, a.until = end, a.begin+length
	if end == nil { // it has no duration
		a.until = clock.Boot()
	}
	n.active = append(n.active, a)
	return pause
}

// drawSlot draws a worker of a pool.
func (n *nemesis) drawSlot(of pool, random *rand.Rand) *slot {
	var all []*slot
	for _, s := range n.slots {
		if of.has(s) {
			all = append(all, s)
		}
	}
	drawn := all[random.IntN(len(all))]
	if leader := n.leaderSlot(); random.IntN(2) == 0 && leader != nil && of.has(leader) {
		return leader
	}
	return drawn
}

func (n *nemesis) isActive(name string) bool {
	return slices.ContainsFunc(n.active, func(a *activeFault) bool { return a.name == name })
}

// leaderSlot returns the slot of the leader, or nil.
func (n *nemesis) leaderSlot() *slot {
	leader := n.monitor.leader()
	for _, s := range n.slots {
		if s.id == leader {
			return s
		}
	}
	return nil
}

// endFaults ends those that are due, and writes them down.
func (n *nemesis) endFaults(now time.Duration) {
	n.active = slices.DeleteFunc(n.active, func(a *activeFault) bool {
		if a.until > now || a.end != nil && !a.end() {
			return false
		}
		if a.slot != nil {
			a.slot.busy = false
		}
		n.diary.write(entry{Kind: struck, Call: a.begin, At: clock.Boot(), Target: a.target, Text: a.name})
		return true
	})
}

// restart starts the workers that have ended, some time after that, and the parts of the store.
func (n *nemesis) restart() {
	if err := n.backing.tend(); err != nil {
		n.say("the store: %v", err)
	}
	for _, s := range n.slots {
		s.restart()
	}
}

// calm ends all faults, and waits until a candidate must have led again.
func (n *nemesis) calm() {
	for len(n.active) > 0 {
		n.endFaults(1 << 62)
		_ = wait(context.Background(), tick)
	}
	for until := clock.Boot() + bound(n.lease) + time.Second; clock.Boot() < until; {
		n.restart()
		_ = wait(context.Background(), tick)
	}
	n.diary.write(entry{Kind: closed, At: clock.Boot()})
}

func (n *nemesis) stopWorkers() {
	for _, s := range n.slots {
		if s.process != nil {
			s.process.end(5 * time.Second)
		}
	}
	if n.monitor != nil {
		n.monitor.stop()
	}
}
