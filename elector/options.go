package elector

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/loop"
)

// Options configure an Elector. The zero value is a voter with a generated id in an
// election with fdbelection.DefaultConfig.
type Options struct {
	// NodeID is the id of the candidate. If it is empty, GenerateNodeID makes one. A fixed
	// id, such as the name of a pod, is fine: each start is an incarnation of its own. If
	// a live process has the id, the new one stops with fdbelection.ErrDuplicateID. After a
	// crash, a process first waits until the record of its predecessor has been unchanged
	// for the candidate timeout, or for the lease if the predecessor led.
	NodeID string
	// Priority orders the candidates. A strictly higher priority claims a vacant
	// leadership first, and may preempt if the config allows it.
	Priority int32
	// Role is election.Voter, or election.Observer for a process that is listed and never
	// leads.
	Role election.Role
	// Metadata is for others to read, such as the address of the leader.
	Metadata map[string]string

	// Config creates the election if it does not exist. If it is zero, it is
	// fdbelection.DefaultConfig. A stored config is not changed and applies to every
	// process. If it differs, a warning in the log names each difference, once per
	// revision. An elector that was given no Config and does not create the election
	// (MustExist) does not compare.
	Config fdbelection.Config
	// MustExist waits until the election is created elsewhere, for example by an operator
	// who decides on its config.
	MustExist bool

	// DrainLimit is how long work may take to stop after a call of Stop or a request of an
	// operator. The lease is renewed meanwhile. If a challenger waits, the preemption grace
	// of the config applies instead. Zero means 10 s.
	DrainLimit time.Duration
	// LeaveLimit is how long Stop tries to unregister after the work has stopped. Zero
	// means 5 s.
	LeaveLimit time.Duration

	// Ready returns nil if this process is ready to lead, and why not otherwise. If it is
	// nil, the process is always ready. It is called at the start and then every
	// ReadyInterval, also while the process leads, with a context that ends after
	// ReadyLimit. A call that takes longer, or panics, counts as not ready. It is not called
	// again before the last call has returned, even after another Start. The text of the
	// error is stored in the candidate record, on one line of at most
	// election.MaxReasonBytes bytes, for others to read.
	//
	// A candidate that is not ready stays listed, and neither claims nor requests
	// preemption. Leadership is not handed to it. Before the first call has returned it is
	// not ready. A leader that is not ready any more drains and resigns, so the first ready
	// candidate by rank leads. It then holds off, as after failed work.
	Ready func(context.Context) error
	// ReadyInterval is the time between two calls of Ready. Zero means 1 s.
	ReadyInterval time.Duration
	// ReadyLimit is how long one call of Ready may take. Zero means 1 s.
	ReadyLimit time.Duration
	// LeadUnreadyAfter is how long leadership must have been free before a process that is
	// not ready claims it. It does so only if no other ready candidate is known, and drains
	// as soon as there is one. A ready candidate counts even if it stands by, and not while it
	// holds off.
	// Zero means never.
	LeadUnreadyAfter time.Duration
	// HeadStart is how long this process leaves leadership to the last leader after an outage
	// of the store that was longer than the lease. The last leader claims at once. So a
	// healthy leader stays the leader. A process does so only if the store did not answer its
	// own operations for a lease, and if it may not preempt that leader. Zero means one
	// heartbeat interval of the stored config. A negative value means no head start: any
	// candidate may claim first.
	HeadStart time.Duration

	// Callbacks report every change.
	Callbacks Callbacks
	// CallbackLimit is how long each callback may take. A callback that takes longer is
	// not waited for any more, and not called again before it has returned. Zero means 5 s.
	CallbackLimit time.Duration

	// Logger gets a record for each change of state and each error, and at the debug level
	// for each operation. A loss of leadership is a warning unless the program of this
	// process decided on it. Each record names the election and the node. Durations are
	// text, and errors are on one line. The section "What is reported" of the package
	// documentation lists the messages. The Logger must not block: renewals would wait for
	// it, although the contexts would still end in time. Nil logs nothing.
	Logger *slog.Logger
	// Tracer gets a span for each claim, each transition and each hand-over. With it, the
	// preemption requests of this process carry the trace context of its claim. Nil makes no
	// spans and stores nothing.
	Tracer Tracer
	// Permanent reports whether no retry can fix an error of the store. The elector stops
	// with such an error. If Permanent is nil, it retries all errors of the store.
	Permanent func(error) bool

	// Clock is the time of this process. Nil means SystemClock.
	Clock Clock
	// Random is the source of incarnations. Nil means crypto/rand.
	Random io.Reader
}

// Defaults of Options.
const (
	defaultDrainLimit    = 10 * time.Second
	defaultLeaveLimit    = 5 * time.Second
	defaultCallbackLimit = 5 * time.Second
	defaultReadyInterval = time.Second
	defaultReadyLimit    = time.Second
)

func (o Options) withDefaults() Options {
	o.Metadata = maps.Clone(o.Metadata)
	if o.NodeID == "" {
		o.NodeID = GenerateNodeID()
	}
	if o.Config == (fdbelection.Config{}) {
		o.Config = fdbelection.DefaultConfig()
	}
	o.limits().SetDefaults()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	return o
}

// limits are the durations with a default.
func (o *Options) limits() loop.Limits {
	return loop.Limits{
		{Name: "DrainLimit", Value: &o.DrainLimit, Default: defaultDrainLimit},
		{Name: "LeaveLimit", Value: &o.LeaveLimit, Default: defaultLeaveLimit},
		{Name: "CallbackLimit", Value: &o.CallbackLimit, Default: defaultCallbackLimit},
		{Name: "ReadyInterval", Value: &o.ReadyInterval, Default: defaultReadyInterval},
		{Name: "ReadyLimit", Value: &o.ReadyLimit, Default: defaultReadyLimit},
		{Name: "LeadUnreadyAfter", Value: &o.LeadUnreadyAfter},
	}
}

// validate returns an error that lists every invalid option.
func (o *Options) validate() error {
	me := election.Registration{
		Identity: election.Identity{ID: o.NodeID}, Priority: o.Priority, Role: o.Role, Metadata: o.Metadata,
	}
	return errors.Join(me.Validate(), o.Config.Validate(), o.limits().Validate())
}
