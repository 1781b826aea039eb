// Package clientgo is a bridge.Lock for fleets that elect their leader with client-go's
// leaderelection, mostly through a manager of controller-runtime. It runs the loop of client-go on
// the lease of the old fleet.
//
// What it cannot promise: an old process cancels the context of its work when its lease has ended and
// does not wait for the work. With ReleaseOnCancel it releases the lease before the work has
// returned. The lease has no fencing token.
package clientgo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/integrations/bridge"
	"github.com/fdbelection/fdbelection/integrations/bridge/internal/hold"
)

// Lock is a lease of Kubernetes.
type Lock struct {
	// Lock is the lock of the old fleet, with an identity that no other process has. An old process on
	// the same host counts: client-go takes a lease with its own identity for its own.
	Lock resourcelock.Interface
	// LeaseDuration, RenewDeadline and RetryPeriod are those of the old fleet. Zero means client-go's
	// defaults: 15 s, 10 s and 2 s.
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
	// Clock measures the lease. Nil means elector.SystemClock.
	Clock elector.Clock
}

var _ bridge.Lock = (*Lock)(nil)

// Acquire runs client-go's loop until it leads or ctx ends. It fails if the API server does not answer
// for LeaseDuration.
func (l *Lock) Acquire(ctx context.Context) (bridge.Held, error) {
	if l.Lock == nil {
		return nil, errors.New("clientgo: a Lock needs the Lock of the old fleet")
	}
	running, end := context.WithCancelCause(context.WithoutCancel(ctx))
	h := &held{
		Interface: l.Lock, lease: orDefault(l.LeaseDuration, 15*time.Second), clock: hold.Clock(l.Clock),
		end: end, started: make(chan struct{}), ended: make(chan struct{}),
	}
	h.answered = h.clock.Now()
	loop, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:          h,
		LeaseDuration: h.lease,
		RenewDeadline: orDefault(l.RenewDeadline, 10*time.Second),
		RetryPeriod:   orDefault(l.RetryPeriod, 2*time.Second),
		// ReleaseOnCancel stays off: client-go only logs its errors, and does not release a lease that
		// it does not know to hold. Release does both.
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(h.started) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		end(nil)
		return nil, fmt.Errorf("clientgo: %w", err)
	}
	go func() {
		defer close(h.ended)
		loop.Run(running)
		h.lose()
	}()
	select {
	case <-h.started:
		return h, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-running.Done():
		err = context.Cause(running)
	}
	limited, stop := hold.Within(context.WithoutCancel(ctx), h.clock, h.lease/3)
	defer stop()
	return nil, errors.Join(err, h.Release(limited))
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// held is the lock that client-go's loop sees. It notes when each write began.
type held struct {
	resourcelock.Interface
	lease time.Duration
	clock elector.Clock

	end            context.CancelCauseFunc // ends the loop
	started, ended chan struct{}           // the loop leads, and has returned

	mu       sync.Mutex
	hold     *hold.Hold // nil before the first write
	wrote    bool       // a write was tried, and the lease may name this process
	answered time.Time  // start of the last call without an error
}

// Get notes if the API server answers.
func (h *held) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	begun := h.clock.Now()
	record, raw, err := h.Interface.Get(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil || apierrors.IsNotFound(err):
		h.answered = begun
	case h.clock.Now().Sub(h.answered) >= h.lease:
		h.end(fmt.Errorf("the API server does not answer: %w", err))
	}
	return record, raw, err
}

// Create makes the lease.
func (h *held) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return h.write(ctx, record, h.Interface.Create)
}

// Update takes or renews the lease.
func (h *held) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return h.write(ctx, record, h.Interface.Update)
}

func (h *held) write(ctx context.Context, record resourcelock.LeaderElectionRecord,
	write func(context.Context, resourcelock.LeaderElectionRecord) error,
) error {
	h.mu.Lock()
	h.wrote = true
	h.mu.Unlock()
	begun := h.clock.Now()
	if err := write(ctx, record); err != nil {
		return err
	}
	until := begun.Add(hold.Trust(h.lease))
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hold == nil {
		h.hold = hold.New(h.clock, until)
	}
	h.hold.Extend(until) // not if it has ended, although client-go goes on: another process may have led meanwhile
	return nil
}

func (h *held) lose() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hold != nil {
		h.hold.End()
	}
}

func (h *held) Holds() bool           { return h.hold.Holds() }
func (h *held) Lost() <-chan struct{} { return h.hold.Lost() }

// Release ends the loop and clears the holder, as client-go's ReleaseOnCancel does.
func (h *held) Release(ctx context.Context) error {
	h.end(nil)
	select {
	case <-h.ended: // so that no renewal of the loop follows
	case <-ctx.Done():
		return fmt.Errorf("client-go's loop has not ended: %w", context.Cause(ctx))
	}
	if !h.wrote {
		return nil
	}
	for {
		record, _, err := h.Interface.Get(ctx)
		switch {
		case err != nil:
			return err
		case record.HolderIdentity != h.Identity():
			return nil
		}
		now := metav1.NewTime(h.clock.Wall())
		err = h.Interface.Update(ctx, resourcelock.LeaderElectionRecord{
			LeaderTransitions: record.LeaderTransitions, LeaseDurationSeconds: 1, RenewTime: now, AcquireTime: now,
		})
		if !apierrors.IsConflict(err) {
			return err
		}
	}
}
