package member

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/loop"
)

// Options configure a Member. The zero value is a member of weight 1 with a generated id.
type Options struct {
	// ID is the id of the member. If it is empty, elector.GenerateNodeID makes one. A fixed id,
	// such as the name of a pod, is fine. If a live process has the id, the new one stops with
	// fdbelection.ErrDuplicateID. After a crash, a process with a fixed id first waits until the
	// lease of its predecessor has passed.
	ID string
	// Weight is the share of the shards that this process leads, relative to that of others.
	// Zero means 1. A negative weight means none: the process leads only what is pinned to it.
	Weight int32
	// Capacity is the most shards that this process leads. Zero means no limit.
	Capacity int32
	// Tags are for others to read, such as the address of this process.
	Tags map[string]string

	// DrainLimit is how long work may take to stop. The lease is renewed meanwhile. Zero means
	// 10 s.
	DrainLimit time.Duration
	// LeaveLimit is how long Stop tries to release the shards and to leave, beyond DrainLimit.
	// Zero means 5 s.
	LeaveLimit time.Duration

	// Ready returns nil if this process is ready to lead, and why not otherwise. If it is nil, the
	// process is always ready. It is called at the start and then every ReadyInterval, with a
	// context that ends after ReadyLimit. A call that takes longer, or panics, counts as not ready.
	// A process that is not ready any more hands its shards over. The text of the error is stored
	// in the member record for others to read.
	Ready func(context.Context) error
	// ReadyInterval is the time between two calls of Ready. Zero means 1 s.
	ReadyInterval time.Duration
	// ReadyLimit is how long one call of Ready may take. Zero means 1 s.
	ReadyLimit time.Duration

	// OnStateChange is called with every change of the state of this process, in order. The
	// calls do not delay the loop.
	OnStateChange func(Transition)
	// OnRoutesChange is called with the names of shards whose leader has changed, after Leader
	// returns the new one. If it is slow, several changes come in one call. It is for routers. The
	// calls do not delay the loop.
	OnRoutesChange func(shards []string)

	// Logger gets a record for each change of state and each error, and at the debug level for
	// each shard and each operation. It must not block. Nil logs nothing.
	Logger *slog.Logger
	// Permanent reports whether no retry can fix an error of the store. The member stops with
	// such an error. If Permanent is nil, it retries all errors of the store.
	Permanent func(error) bool

	// Clock is the time of this process. Nil means elector.SystemClock.
	Clock elector.Clock
	// Random is the source of incarnations and nonces. Nil means crypto/rand. A Reader must be
	// safe for concurrent use.
	Random io.Reader
}

// Defaults of Options.
const (
	defaultDrainLimit    = 10 * time.Second
	defaultLeaveLimit    = 5 * time.Second
	defaultReadyInterval = time.Second
	defaultReadyLimit    = time.Second
)

func (o Options) withDefaults() Options {
	o.Tags = maps.Clone(o.Tags)
	if o.ID == "" {
		o.ID = elector.GenerateNodeID()
	}
	switch {
	case o.Weight == 0:
		o.Weight = 1
	case o.Weight < 0:
		o.Weight = 0
	}
	o.limits().SetDefaults()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = elector.SystemClock()
	}
	return o
}

// limits are the durations with a default.
func (o *Options) limits() loop.Limits {
	return loop.Limits{
		{Name: "DrainLimit", Value: &o.DrainLimit, Default: defaultDrainLimit},
		{Name: "LeaveLimit", Value: &o.LeaveLimit, Default: defaultLeaveLimit},
		{Name: "ReadyInterval", Value: &o.ReadyInterval, Default: defaultReadyInterval},
		{Name: "ReadyLimit", Value: &o.ReadyLimit, Default: defaultReadyLimit},
	}
}

// validate returns an error that lists every invalid option.
func (o *Options) validate() error {
	me := group.Member{
		Identity: election.Identity{ID: o.ID, Incarnation: uuid.Max}, Weight: o.Weight, Capacity: o.Capacity, Tags: o.Tags,
		Balance: group.BalanceVersion,
	}
	return errors.Join(me.Validate(), o.limits().Validate())
}
