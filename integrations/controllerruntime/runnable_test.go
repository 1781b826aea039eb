package controllerruntime

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/integrations/clientgo"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var elected = election.New(subspace.New("controllers"))

// newManager returns a manager that needs no API server, since none of its runnables asks it.
func newManager(t *testing.T, options manager.Options) manager.Manager {
	t.Helper()
	options.Metrics = server.Options{BindAddress: "0"}
	options.MapperProvider = func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
		return meta.NewDefaultRESTMapper(nil), nil
	}
	mgr, err := manager.New(&rest.Config{Host: "127.0.0.1:1"}, options)
	require.NoError(t, err)
	return mgr
}

// start starts a manager, and returns how to stop it and wait for its end.
func start(t *testing.T, mgr manager.Manager) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	return func() error {
		cancel()
		return within(t, ended, "the manager stops")
	}
}

func within[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "timeout: "+what)
	}
	return v
}

// event is something that a process of the test has done.
type event struct {
	id   string
	lead *elector.Leadership
}

// host is a process with a manager whose controller runs only while it leads.
type host struct {
	elector          *elector.Elector
	reconciled, left chan event
	finish           chan struct{} // the work may return
	stop             func() error
}

func newHost(t *testing.T, db kv.Database, id string) *host {
	t.Helper()
	h := &host{reconciled: make(chan event, 8), left: make(chan event, 8), finish: make(chan struct{})}
	var err error
	h.elector, err = elector.New(db, elected, elector.Options{NodeID: id})
	require.NoError(t, err)
	mgr := newManager(t, manager.Options{})
	skip := true // the name is used again with each tenure
	work := func(ctx context.Context, lead *elector.Leadership) error {
		reconciler := reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
			err := lead.Transact(ctx, func(tr kv.Transaction) error {
				tr.Set([]byte("reconciled by"), []byte(id))
				return nil
			})
			h.reconciled <- event{id, lead}
			return reconcile.Result{}, err
		})
		c, err := controller.NewUnmanaged("billing", controller.Options{
			Reconciler: reconciler, SkipNameValidation: &skip, Logger: mgr.GetLogger(),
		})
		if err != nil {
			return err
		}
		once := source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			queue.Add(reconcile.Request{})
			return nil
		})
		if err := c.Watch(once); err != nil {
			return err
		}
		err = c.Start(ctx)
		<-h.finish
		h.left <- event{id, lead}
		return err
	}
	require.NoError(t, mgr.Add(Runnable{Elector: h.elector, Work: work}))
	h.stop = start(t, mgr)
	return h
}

// Leadership goes from one manager to the other after the work has ended, and back without a
// restart of a process.
func TestRunnable(t *testing.T) {
	db := memkv.New(memkv.Options{})
	a := newHost(t, db, "a")
	first := within(t, a.reconciled, "a reconciles")
	require.Equal(t, uint64(1), first.lead.Term())
	b := newHost(t, db, "b")
	for len(candidates(t, db)) < 2 {
		time.Sleep(time.Millisecond)
	}

	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		return elected.RequestTransfer(tr, 1, "b", first.lead.Token().Nonce)
	}))
	<-first.lead.Context().Done()
	require.NoError(t, fenced(t, db, first.lead.Token()), "leadership is not released before the work has returned")
	require.False(t, b.elector.Leading())
	a.finish <- struct{}{}
	second := within(t, b.reconciled, "b reconciles")
	require.Equal(t, uint64(2), second.lead.Term())
	require.ErrorIs(t, fenced(t, db, first.lead.Token()), fdbelection.ErrFenced)

	stopped := make(chan error, 1)
	go func() { stopped <- b.stop() }()
	b.finish <- struct{}{}
	require.NoError(t, within(t, stopped, "b has left"))
	third := within(t, a.reconciled, "a reconciles again, in the same process")
	require.Equal(t, uint64(3), third.lead.Term())
	go func() { stopped <- a.stop() }()
	a.finish <- struct{}{}
	require.NoError(t, within(t, stopped, "a has left"))
	require.Empty(t, candidates(t, db))
}

// A runnable that needs leadership runs in the manager that client-go's own loop has elected
// on a Lock of this project.
func TestLockInManager(t *testing.T) {
	db := memkv.New(memkv.Options{})
	lease, deadline, retry := 2*time.Second, 1500*time.Millisecond, 50*time.Millisecond
	begin := func(id string) (leads chan election.Token, stop func() error) {
		lock, err := clientgo.New(db, elected, id, clientgo.Options{})
		require.NoError(t, err)
		mgr := newManager(t, manager.Options{
			LeaderElection: true, LeaderElectionResourceLockInterface: lock, LeaderElectionReleaseOnCancel: true,
			LeaseDuration: &lease, RenewDeadline: &deadline, RetryPeriod: &retry,
		})
		leads = make(chan election.Token, 1)
		require.NoError(t, mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			leads <- lock.Token()
			<-ctx.Done()
			return nil
		})))
		return leads, start(t, mgr)
	}
	a, stopA := begin("a")
	first := within(t, a, "a leads")
	require.NoError(t, fenced(t, db, first))
	b, stopB := begin("b")
	require.NoError(t, stopA())
	second := within(t, b, "b leads")
	require.Equal(t, uint64(2), second.Term)
	require.ErrorIs(t, fenced(t, db, first), fdbelection.ErrFenced)
	require.NoError(t, fenced(t, db, second))
	require.NoError(t, stopB())
}

// The leader election of the manager does not decide about a Runnable.
func TestRunnableBesideALock(t *testing.T) {
	db := memkv.New(memkv.Options{})
	begin := func(id string) (leads chan string, stop func() error) {
		lock, err := clientgo.New(db, election.New(subspace.New("manager")), id, clientgo.Options{})
		require.NoError(t, err)
		mgr := newManager(t, manager.Options{LeaderElection: true, LeaderElectionResourceLockInterface: lock, LeaderElectionReleaseOnCancel: true})
		el, err := elector.New(db, elected, elector.Options{NodeID: id})
		require.NoError(t, err)
		leads = make(chan string, 2)
		require.NoError(t, mgr.Add(Runnable{Elector: el, Work: func(ctx context.Context, _ *elector.Leadership) error {
			leads <- id
			<-ctx.Done()
			return nil
		}}))
		if id == "a" {
			require.NoError(t, mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
				leads <- "the manager of a"
				<-ctx.Done()
				return nil
			})))
		}
		return leads, start(t, mgr)
	}
	a, stopA := begin("a")
	require.ElementsMatch(t, []string{"a", "the manager of a"}, []string{within(t, a, "a leads"), within(t, a, "a leads")})
	b, stopB := begin("b")
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		return elected.RequestResign(tr, 1, uuid.New())
	}))
	require.Equal(t, "b", within(t, b, "b leads while its manager does not"))
	require.NoError(t, stopB())
	require.NoError(t, stopA())
}

// fenced writes under a token.
func fenced(t *testing.T, db kv.Database, token election.Token) error {
	t.Helper()
	return db.Transact(t.Context(), func(tr kv.Transaction) error {
		if err := elected.RequireLeadership(tr, token); err != nil {
			return err
		}
		tr.Set([]byte("balance"), []byte("100"))
		return nil
	})
}

func candidates(t *testing.T, db kv.Database) []election.Candidate {
	t.Helper()
	all, err := kv.ReadTransact(t.Context(), db, elected.ListCandidates)
	require.NoError(t, err)
	return all
}
