package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// workers is the number of candidates. The last commands of them are those of "fdbelect run", and
// the others have an elector.
const (
	workers  = 5
	commands = 2
)

// worstRate is how wrong the clock of a worker may be. The default margin of a tenth covers 5.2 %.
const worstRate = 0.049

// rates are those of the process clocks, at the start. They are as far apart as is allowed.
var rates = [workers - commands]float64{1 - worstRate, 1 + worstRate, 1 + worstRate}

// slot is a candidate id, with the process that has it now.
type slot struct {
	nemesis *nemesis
	i       int
	id      string
	starts  int
	random  *rand.Rand
	process *process
	busy    bool          // a fault has taken it
	due     time.Duration // when the next process starts, or 0
}

func newSlot(n *nemesis, i int) *slot {
	s := &slot{nemesis: n, i: i, id: fmt.Sprintf("w%d", i), random: rand.New(rand.NewPCG(n.seed, ^uint64(i)))}
	s.start()
	return s
}

// isCommand reports whether the worker is "fdbelect run".
func (s *slot) isCommand() bool { return s.i >= workers-commands }

func (s *slot) start() {
	s.starts++
	p, err := s.startNamed(s.id, fmt.Sprintf("%s-%03d", s.id, s.starts))
	if err != nil {
		panic(err) // this machine cannot start processes
	}
	s.process, s.due = p, 0
}

// startNamed starts a process with the id of the slot. target is its name for the judge.
func (s *slot) startNamed(target, name string) (*process, error) {
	n := s.nemesis
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	store, priority := n.backing.name(), fmt.Sprint(s.random.IntN(3))
	argv := []string{own, "worker", "--store", store, "--id", s.id, "--dir", n.dir, "--name", name, "--priority", priority, "--bug", n.bug}
	if s.isCommand() {
		argv = []string{
			n.fdbelect, "run", "--store", store, "--root", rootName, "--election", electionName, "--id", s.id, "--priority", priority,
			"--pre-stop", "1s", "--timeout", "2s", "--log-level", "info", "--",
			own, "child", "--store", store, "--dir", n.dir, "--name", name, "--bug", n.bug,
		}
		if n.bug == bugIdle {
			argv = []string{"sleep", "1000000"}
		}
	} else {
		argv = append(argv, "--rate", fmt.Sprint(rates[s.i]))
	}
	return startProcess(n.diary, target, filepath.Join(n.dir, name+".log"), n.backing.inside(s.i, argv))
}

// restart starts the process again, up to a lease after it has ended.
func (s *slot) restart() {
	switch now := clock.Boot(); {
	case !s.process.gone():
	case s.due == 0:
		s.due = now + time.Duration(s.random.Int64N(int64(s.nemesis.lease)))
	case now >= s.due:
		s.start()
	}
}
