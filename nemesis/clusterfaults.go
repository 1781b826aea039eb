package main

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// faults returns those of servers and of the network. A server fault has no excuse of its own: the
// probes tell for how long the store takes no writes.
func (c *cluster) faults(*nemesis) (possible []fault, missing []string) {
	possible = []fault{
		{name: "kill a server", weight: 3, target: nothing, begin: c.ofServer((*server).kill, (*server).start)},
		{name: "restart a server", weight: 2, target: nothing, begin: c.ofServer((*server).terminate, (*server).start)},
		{name: "stop a server", weight: 3, target: nothing, begin: c.ofServer((*server).freeze, (*server).thaw)},
		{name: "slow server", weight: 3, target: nothing, begin: c.ofServer((*server).falter, (*server).settle)},
		{name: "cut a server off", weight: 4, target: nothing, begin: c.ofServer(onHost(host.cut), onHost(host.plug))},
		{name: "cut a worker off the network", weight: 5, of: anyWorker, begin: c.ofWorker(host.cut, host.plug)},
	}
	if err := c.network.hosts[0].delay(); err != nil {
		return possible, []string{fmt.Sprintf("delays of the network (%v)", err)}
	}
	_ = c.network.hosts[0].hurry() // it was only tried
	return append(possible,
		fault{name: "slow network of a server", weight: 3, target: nothing, begin: c.ofServer(onHost(host.delay), onHost(host.hurry))},
		fault{name: "slow network of a worker", weight: 2, of: anyWorker, begin: c.ofWorker(host.delay, host.hurry)},
	), nil
}

// ofServer returns the begin of a fault of one server. A server has one fault at a time.
func (c *cluster) ofServer(begin, end func(*server) error) func(*stroke) (func() bool, bool) {
	return func(s *stroke) (func() bool, bool) {
		drawn := c.all[s.random.IntN(servers)]
		if drawn.busy || !s.done(begin(drawn)) {
			return nil, false
		}
		drawn.busy = true
		return func() bool {
			drawn.busy = !s.done(end(drawn))
			return !drawn.busy
		}, true
	}
}

// ofWorker returns the begin of a fault of the host of a worker.
func (c *cluster) ofWorker(begin, end func(host) error) func(*stroke) (func() bool, bool) {
	return func(s *stroke) (func() bool, bool) {
		h := c.network.hosts[servers+s.slot.i]
		return func() bool { return s.done(end(h)) }, s.done(begin(h))
	}
}

// done writes an error down, and reports whether there is none.
func (s *stroke) done(err error) bool {
	if err != nil {
		s.nemesis.say("%v", err)
	}
	return err == nil
}

// onHost does something to the host of a server.
func onHost(do func(host) error) func(*server) error {
	return func(s *server) error { return do(s.host()) }
}

// kill ends the process without a warning, and terminate with one.
func (s *server) kill() error {
	s.process.signal(syscall.SIGKILL)
	<-s.process.exited
	return nil
}

func (s *server) terminate() error {
	s.process.end(2 * time.Second)
	return nil
}

func (s *server) freeze() error { return s.process.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *server) thaw() error   { return s.process.cmd.Process.Signal(syscall.SIGCONT) }

// pulse is for how long a slow server stands still, and then runs.
const pulse = 30 * time.Millisecond

// falter stops the process again and again, until settle.
func (s *server) falter() error {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			_ = s.freeze() // it does not end while it has this fault
			_ = wait(ctx, pulse)
			_ = s.thaw()
			_ = wait(ctx, pulse)
		}
	})
	s.steady = func() {
		cancel()
		group.Wait()
	}
	return nil
}

func (s *server) settle() error {
	s.steady()
	return nil
}
