package elector

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// Options say who campaigns, and how. The zero value is a voter of a generated
// id in an election with fdbelection.DefaultConfig.
type Options struct {
	// NodeID is the name under which the candidate is listed; empty: one of
	// GenerateNodeID. A fixed id is fine, such as that of a pod: each start is an
	// incarnation of its own, and is never taken for its predecessor. A process that
	// finds a live one under its id stops with fdbelection.ErrDuplicateID. After a crash
	// it first waits until the record of its predecessor has stood still for the
	// candidate timeout, or for the lease if the predecessor held the seat.
	NodeID string
	// Priority orders the candidates: a strictly higher one goes first at an open
	// seat, and may preempt where the config allows it.
	Priority int32
	// Role is Voter, or Observer for a process that is listed and follows, and
	// never leads.
	Role election.Role
	// Metadata are tags for others to read, such as the address of the leader.
	Metadata map[string]string

	// Config makes the election where it is not there yet; zero: DefaultConfig of
	// this package. What is there already stays as it is, and counts. If it is not
	// the same, the Logger gets a warning that names each difference, once per
	// revision. An elector that was given none and would not make the election, as
	// with MustExist, does not compare.
	Config fdbelection.Config
	// MustExist waits for somebody else to make the election, such as an operator
	// who decides on its config.
	MustExist bool

	// DrainLimit is how long work may take to stop where there is time: on Stop,
	// and when an operator asks. The lease is renewed meanwhile. A challenger waits
	// for the config's preemption grace instead. Zero: 10 s.
	DrainLimit time.Duration
	// LeaveLimit is how long Stop tries to leave in order once the work has
	// stopped. Zero: 5 s.
	LeaveLimit time.Duration

	// Callbacks are told of every change.
	Callbacks Callbacks
	// CallbackLimit is how long each callback may take. One that takes longer goes
	// on alone, is not waited for any more, and is not called again before it has
	// returned. Zero: 5 s.
	CallbackLimit time.Duration

	// Logger gets one line for each change of state, and each heartbeat at the
	// debug level. A loss of leadership is a warning, unless the program of this
	// process decided on it. Each record names the election and the node; durations
	// are text, and errors are on one line. It must not block: renewals would wait for it, though the end of
	// belief would not. Nil is silent.
	Logger *slog.Logger
	// Permanent reports errors of the store that no retry can mend: the elector
	// stops with them. Nil: it retries all.
	Permanent func(error) bool

	// Clock is the time of this process; nil: SystemClock.
	Clock Clock
	// Random is where identities come from; nil: crypto/rand.
	Random io.Reader
}

// The limits that hold where Options name none.
const (
	DefaultDrainLimit    = 10 * time.Second
	DefaultLeaveLimit    = 5 * time.Second
	DefaultCallbackLimit = 5 * time.Second
)

func (o Options) withDefaults() Options {
	o.Metadata = maps.Clone(o.Metadata)
	if o.NodeID == "" {
		o.NodeID = GenerateNodeID()
	}
	if o.Config == (fdbelection.Config{}) {
		o.Config = fdbelection.DefaultConfig()
	}
	for _, d := range []struct {
		limit    *time.Duration
		fallback time.Duration
	}{
		{&o.DrainLimit, DefaultDrainLimit},
		{&o.LeaveLimit, DefaultLeaveLimit},
		{&o.CallbackLimit, DefaultCallbackLimit},
	} {
		if *d.limit == 0 {
			*d.limit = d.fallback
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	return o
}

// validate returns all faults at once.
func (o *Options) validate() error {
	me := election.Registration{
		Identity: election.Identity{ID: o.NodeID}, Priority: o.Priority, Role: o.Role, Metadata: o.Metadata,
	}
	faults := []error{me.Validate(), o.Config.Validate()}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"DrainLimit", o.DrainLimit}, {"LeaveLimit", o.LeaveLimit}, {"CallbackLimit", o.CallbackLimit}} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("%s is %s: give a time above zero, or zero for the usual one", d.name, d.value))
		}
	}
	return errors.Join(faults...)
}
