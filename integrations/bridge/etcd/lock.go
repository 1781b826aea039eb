// Package etcd is a bridge.Lock for fleets that elect their leader with package concurrency of etcd's
// client: an Election, or a Mutex, which has the same keys.
//
// What it cannot promise: a process that is suspended, or whose request is under way, may act after
// its lease has ended. Only a write to etcd in a transaction that compares the key of the leader
// is safe from that. Key and revision of the new fleet are not passed to the work.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/integrations/bridge"
	"github.com/fdbelection/fdbelection/integrations/bridge/internal/hold"
)

// Lock is an election of package concurrency.
type Lock struct {
	Client *clientv3.Client
	// Prefix is what the old fleet passes to NewElection or NewMutex.
	Prefix string
	// Value is the value of the key, as the old fleet passes it to Campaign. The followers of the old
	// fleet read it.
	Value string
	// TTL is that of the sessions of the old fleet, in whole seconds. Zero means 60 s, as there.
	TTL time.Duration
	// Clock measures the TTL. Nil means elector.SystemClock.
	Clock elector.Clock
}

var _ bridge.Lock = (*Lock)(nil)

// Acquire makes a session and campaigns until it has won or ctx ends. It waits in the queue of the
// old fleet. It fails if the session ends meanwhile, which concurrency.Election does not notice.
func (l *Lock) Acquire(ctx context.Context) (bridge.Held, error) {
	if l.Client == nil || l.Prefix == "" {
		return nil, errors.New("etcd: a Lock needs a Client and a Prefix")
	}
	h, err := l.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("etcd: no session: %w", err)
	}
	campaign, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case <-h.Lost():
			stop(errors.New("the session ended while it waited"))
		case <-campaign.Done():
		}
	}()
	// After the end of its context, Campaign deletes its key with the context of the client.
	unstuck := context.AfterFunc(ctx, func() { h.clock.AfterFunc(h.ttl/3, h.end) })
	defer unstuck()
	err = concurrency.NewElection(h.session, l.Prefix).Campaign(campaign, l.Value)
	if err == nil && h.Holds() {
		return h, nil
	}
	if campaign.Err() != nil {
		err = context.Cause(campaign)
	}
	limited, cancel := hold.Within(context.WithoutCancel(ctx), h.clock, h.ttl/3)
	defer cancel()
	return nil, errors.Join(err, h.Release(limited))
}

// held is a lease of etcd, and the session that campaigns with it.
type held struct {
	*hold.Hold
	client  *clientv3.Client
	clock   elector.Clock
	session *concurrency.Session
	lease   clientv3.LeaseID
	ttl     time.Duration
	end     context.CancelFunc // ends the renewals, and what the session still does
	kept    chan struct{}      // closed when they have ended
}

// open grants a lease and keeps it alive.
func (l *Lock) open(ctx context.Context) (*held, error) {
	ttl := l.TTL
	if ttl <= 0 {
		ttl = 60 * time.Second
	}
	h := &held{client: l.Client, clock: hold.Clock(l.Clock), kept: make(chan struct{})}
	begun := h.clock.Now()
	granted, err := l.grant(ctx, h.clock, ttl)
	if err != nil {
		return nil, err
	}
	h.lease, h.ttl = granted.ID, time.Duration(granted.TTL)*time.Second // the server may have raised it
	h.Hold = hold.New(h.clock, begun.Add(hold.Trust(h.ttl)))
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	h.end = end
	// The session uses the connection of the client, and a context that ends with this lock.
	client := clientv3.NewCtxClient(running)
	client.KV, client.Lease, client.Watcher = l.Client.KV, l.Client.Lease, l.Client.Watcher
	h.session, err = concurrency.NewSession(client, concurrency.WithLease(h.lease))
	if err != nil {
		close(h.kept)
		return nil, errors.Join(err, h.Release(ctx))
	}
	context.AfterFunc(h.session.Ctx(), h.End) // when session.Done is closed
	go func() {
		defer close(h.kept)
		h.Keep(running, h.ttl, h.renew)
	}()
	return h, nil
}

// grant fails if etcd does not answer for a TTL.
func (l *Lock) grant(ctx context.Context, clock elector.Clock, ttl time.Duration) (*clientv3.LeaseGrantResponse, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := clock.AfterFunc(ttl, func() { cancel(fmt.Errorf("no answer for %s", ttl)) })
	defer timer.Stop()
	granted, err := l.Client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return granted, err
}

// renew renews the lease once. The session does the same, but does not say when it sent a request.
func (h *held) renew(ctx context.Context) (bool, error) {
	_, err := h.client.KeepAliveOnce(ctx, h.lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return false, nil
	}
	return true, err
}

// Release revokes the lease, which deletes the key.
func (h *held) Release(ctx context.Context) error {
	h.end()
	select {
	case <-h.kept:
	case <-ctx.Done():
	}
	h.End()
	if h.session != nil {
		h.session.Orphan()
	}
	_, err := h.client.Revoke(ctx, h.lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil // it has ended already
	}
	return err
}
