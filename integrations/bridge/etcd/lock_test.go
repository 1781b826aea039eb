package etcd_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/fdbelection/fdbelection/integrations/bridge"
	"github.com/fdbelection/fdbelection/integrations/bridge/etcd"
	"github.com/fdbelection/fdbelection/integrations/bridge/internal/rollout"
)

const prefix = "/billing/leader"

// startServer returns the address of an etcd in this process. Its shortest TTL is one second.
func startServer(t *testing.T) string {
	t.Helper()
	config := embed.NewConfig()
	config.Dir, config.LogLevel = t.TempDir(), "fatal"
	config.TickMs, config.ElectionMs = 10, 100
	local := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls, config.ListenPeerUrls = []url.URL{local}, []url.URL{local}
	config.AdvertiseClientUrls, config.AdvertisePeerUrls = config.ListenClientUrls, config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	<-server.Server.ReadyNotify()
	return server.Clients[0].Addr().String()
}

func connect(tb testing.TB, address string) *clientv3.Client {
	tb.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{address}, Logger: zap.NewNop()})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// newLock returns the lock of a process. etcd raises a TTL that is shorter than its own shortest.
func newLock(client *clientv3.Client, id string) *etcd.Lock {
	// begin README
	lock := &etcd.Lock{
		Client: client,
		Prefix: "/billing/leader", // what the old fleet passes to NewElection or NewMutex
		Value:  id,                // what it passes to Campaign
		TTL:    time.Second,       // what it passes to WithTTL
	}
	// end README
	return lock
}

// old campaigns as programs with etcd's client do: a session, a campaign, and all of it again when the
// session has ended.
func old(client *clientv3.Client, m *rollout.Member, campaign func(context.Context, *concurrency.Session, string) error) {
	for m.Stopped.Err() == nil {
		session, err := concurrency.NewSession(client, concurrency.WithTTL(1))
		if err != nil {
			return // killed
		}
		if campaign(m.Stopped, session, m.ID) == nil {
			ctx, stop := context.WithCancel(m.Stopped)
			context.AfterFunc(session.Ctx(), stop)
			m.Work(ctx)
			stop()
		}
		_ = session.Close()
	}
}

func TestRollout(t *testing.T) {
	for name, campaign := range map[string]func(context.Context, *concurrency.Session, string) error{
		"election": func(ctx context.Context, s *concurrency.Session, id string) error {
			return concurrency.NewElection(s, prefix).Campaign(ctx, id)
		},
		"mutex": func(ctx context.Context, s *concurrency.Session, _ string) error {
			return concurrency.NewMutex(s, prefix).Lock(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := startServer(t)
			rollout.Run(t, rollout.Fleets{
				Old: func(tb testing.TB, m *rollout.Member) (run, kill func()) {
					client := connect(tb, address)
					return func() { old(client, m, campaign) }, func() { _ = client.Close() }
				},
				Lock: func(tb testing.TB, m *rollout.Member) (lock bridge.Lock, kill func()) {
					client := connect(tb, address)
					return newLock(client, m.ID), func() { _ = client.Close() }
				},
			})
		})
	}
}

func within(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "timeout: "+what)
	}
}

// keys returns the values under the prefix, the leader first.
func keys(t *testing.T, client *clientv3.Client) (values []string, lease clientv3.LeaseID) {
	t.Helper()
	found, err := client.Get(t.Context(), prefix, clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend))
	require.NoError(t, err)
	for _, kv := range found.Kvs {
		values = append(values, string(kv.Value))
		lease = clientv3.LeaseID(kv.Lease)
	}
	return values, lease
}

// The lease ends on the server, or the client gets no answer.
func TestLoss(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	observer := connect(t, address)
	for name, end := range map[string]func(*clientv3.Client, clientv3.LeaseID){
		"revoked": func(_ *clientv3.Client, lease clientv3.LeaseID) {
			_, err := observer.Revoke(t.Context(), lease)
			require.NoError(t, err)
		},
		"the client is closed": func(client *clientv3.Client, _ clientv3.LeaseID) { _ = client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			client := connect(t, address)
			lock := newLock(client, "new")
			if name == "the client is closed" {
				lock.TTL = time.Minute // it does not wait for that
			}
			held, err := lock.Acquire(t.Context())
			require.NoError(t, err)
			require.True(t, held.Holds())
			values, lease := keys(t, observer)
			require.Equal(t, []string{"new"}, values)
			end(client, lease)
			within(t, held.Lost(), "the loss")
			require.False(t, held.Holds())
			if name == "revoked" {
				require.NoError(t, held.Release(t.Context()), "it has ended already")
				return
			}
			limited, cancel := context.WithTimeout(t.Context(), time.Second/10) // the client goes on for 3 s
			defer cancel()
			require.Error(t, held.Release(limited))
			_, err = (&etcd.Lock{Client: client, Prefix: prefix, TTL: time.Second / 10}).Acquire(t.Context())
			require.ErrorContains(t, err, "no session")
		})
	}
}

// A process that stops waiting leaves the queue. One whose session ends while it waits does not take
// itself for the leader, as concurrency.Election does.
func TestWait(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	observer := connect(t, address)
	session, err := concurrency.NewSession(observer, concurrency.WithTTL(60))
	require.NoError(t, err)
	e := concurrency.NewElection(session, prefix)
	require.NoError(t, e.Campaign(t.Context(), "old"))
	queued := func() clientv3.LeaseID {
		var lease clientv3.LeaseID
		require.Eventually(t, func() bool {
			var values []string
			values, lease = keys(t, observer)
			return len(values) == 2
		}, 30*time.Second, time.Millisecond)
		return lease
	}
	lock := newLock(connect(t, address), "new")
	result := make(chan error, 1)
	acquire := func(ctx context.Context) {
		_, err := lock.Acquire(ctx)
		result <- err
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	go acquire(ctx)
	queued()
	stopped := errors.New("stopped")
	cancel(stopped)
	require.ErrorIs(t, <-result, stopped)
	values, _ := keys(t, observer)
	require.Equal(t, []string{"old"}, values)
	leases, err := observer.Leases(t.Context())
	require.NoError(t, err)
	require.Len(t, leases.Leases, 1, "that of the old process")

	go acquire(t.Context())
	lease := queued()
	_, err = observer.Revoke(t.Context(), lease)
	require.NoError(t, err)
	require.ErrorContains(t, <-result, "the session ended while it waited")
	values, _ = keys(t, observer)
	require.Equal(t, []string{"old"}, values)
}

// If etcd does not answer when a process stops waiting, it stops all the same. The key ends with its
// lease.
func TestNoAnswerWhileItStops(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	observer := connect(t, address)
	session, err := concurrency.NewSession(observer, concurrency.WithTTL(60))
	require.NoError(t, err)
	require.NoError(t, concurrency.NewElection(session, prefix).Campaign(t.Context(), "old"))
	hangs := make(chan struct{})
	client := connect(t, address)
	client.KV = silentKV{client.KV, hangs}
	client.Lease = silentLease{client.Lease, hangs}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := newLock(client, "new").Acquire(ctx)
		result <- err
	}()
	require.Eventually(t, func() bool {
		values, _ := keys(t, observer)
		return len(values) == 2
	}, 30*time.Second, time.Millisecond)
	close(hangs)
	cancel()
	select {
	case err = <-result:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(30 * time.Second):
		require.FailNow(t, "timeout: the end of Acquire")
	}
	require.Eventually(t, func() bool {
		values, _ := keys(t, observer)
		return len(values) == 1
	}, 30*time.Second, time.Millisecond, "the key ends with its lease")
}

// silentKV and silentLease get no answer after hangs is closed.
type silentKV struct {
	clientv3.KV
	hangs chan struct{}
}

func (s silentKV) Txn(ctx context.Context) clientv3.Txn {
	select {
	case <-s.hangs:
		return silentTxn{ctx}
	default:
		return s.KV.Txn(ctx)
	}
}

type silentTxn struct{ ctx context.Context }

func (s silentTxn) If(...clientv3.Cmp) clientv3.Txn  { return s }
func (s silentTxn) Then(...clientv3.Op) clientv3.Txn { return s }
func (s silentTxn) Else(...clientv3.Op) clientv3.Txn { return s }
func (s silentTxn) Commit() (*clientv3.TxnResponse, error) {
	<-s.ctx.Done()
	return nil, s.ctx.Err()
}

type silentLease struct {
	clientv3.Lease
	hangs chan struct{}
}

func (s silentLease) Revoke(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	select {
	case <-s.hangs:
		<-ctx.Done()
		return nil, ctx.Err()
	default:
		return s.Lease.Revoke(ctx, id)
	}
}

func (s silentLease) KeepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	select {
	case <-s.hangs:
		<-ctx.Done()
		return nil, ctx.Err()
	default:
		return s.Lease.KeepAliveOnce(ctx, id)
	}
}

// Only a renewal that says when it was sent counts. The session counts from the answer.
func TestUnansweredRenewals(t *testing.T) {
	t.Parallel()
	client := connect(t, startServer(t))
	hangs := make(chan struct{})
	client.Lease = silentLease{client.Lease, hangs}
	held, err := newLock(client, "new").Acquire(t.Context())
	require.NoError(t, err)
	close(hangs)
	within(t, held.Lost(), "the loss")
	values, _ := keys(t, client)
	require.Equal(t, []string{"new"}, values, "before the key is gone")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, held.Release(ended))
}

func TestInvalidLock(t *testing.T) {
	_, err := (&etcd.Lock{}).Acquire(t.Context())
	require.ErrorContains(t, err, "needs a Client")
}

// After the migration a key without a lease stays, so that an old process that starts by mistake waits
// for ever in the queue behind it.
func TestRetiredLock(t *testing.T) {
	t.Parallel()
	client := connect(t, startServer(t))
	_, err := client.Put(t.Context(), prefix+"/retired", "")
	require.NoError(t, err)
	for range 2 { // nothing changes when one of them leaves
		ctx, cancel := context.WithCancel(t.Context())
		session, err := concurrency.NewSession(client, concurrency.WithTTL(1))
		require.NoError(t, err)
		result := make(chan error, 1)
		go func() { result <- concurrency.NewElection(session, prefix).Campaign(ctx, "old") }()
		require.Eventually(t, func() bool {
			values, _ := keys(t, client)
			return len(values) == 2
		}, 30*time.Second, time.Millisecond)
		leader, err := concurrency.NewElection(session, prefix).Leader(t.Context())
		require.NoError(t, err)
		require.Equal(t, prefix+"/retired", string(leader.Kvs[0].Key))
		require.Empty(t, result)
		cancel()
		require.ErrorIs(t, <-result, context.Canceled)
		require.NoError(t, session.Close())
	}
}
