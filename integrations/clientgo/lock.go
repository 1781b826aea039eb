package clientgo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Options configure a Lock.
type Options struct {
	// Metadata is for others to read, such as the address of this process.
	Metadata map[string]string
	// Logger gets client-go's events. Nil logs nothing.
	Logger *slog.Logger
}

// Lock is a resourcelock.Interface for one candidate in one election. It is for one loop at a time.
type Lock struct {
	db       kv.Database
	election *election.LeaderElection
	me       election.Registration
	name     string
	logger   *slog.Logger
	now      func() time.Time

	mu         sync.Mutex
	read       *election.LeaderRecord // that Get has read, or that this Lock has written since; nil: none
	registered bool
	token      election.Token // of the last tenure
	leads      bool           // a tenure has begun, and was not released
	renewed    time.Time      // start of the last attempt that is known to have written the leader record
	listed     time.Time      // when dead candidates were last looked for
}

var _ resourcelock.Interface = (*Lock)(nil)

// New returns the Lock of a candidate. It does no I/O. identity is the name under which client-go
// and this library list the process. Every process needs its own.
func New(db kv.Database, e *election.LeaderElection, identity string, opts Options) (*Lock, error) {
	if db == nil || e == nil {
		return nil, errors.New("clientgo: New needs a database and an election")
	}
	l := &Lock{
		db: db, election: e,
		me:     election.Registration{Identity: election.Identity{ID: identity, Incarnation: uuid.New()}, Metadata: opts.Metadata},
		name:   election.SafeText(strings.TrimPrefix(e.Subspace().String(), "subspace ")),
		logger: opts.Logger,
		now:    time.Now,
	}
	if err := l.me.Validate(); err != nil {
		return nil, fmt.Errorf("clientgo: %w", err)
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	return l, nil
}

// Identity returns the identity of this candidate.
func (l *Lock) Identity() string { return l.me.ID }

// Describe returns the name of the election.
func (l *Lock) Describe() string { return "fdbelection " + l.name }

// RecordEvent logs an event of client-go's loop. The history of the election has the tenures.
func (l *Lock) RecordEvent(event string) {
	l.logger.Info("leader election", "election", l.name, "node", l.me.ID, "event", event, "term", l.Token().Term)
}

// Token returns the fencing token of the last tenure of this Lock, for RequireLeadership. It stays
// when the tenure has ended, and is then refused. Before the first tenure it is zero, which is
// refused, too. Read it once, when OnStartedLeading begins.
func (l *Lock) Token() election.Token {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token
}

// Get returns the leader record. It also registers this candidate, or writes its heartbeat, so that
// it is listed while it waits. If no candidate has ever led, apierrors.IsNotFound finds the error.
func (l *Lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	status, err := kv.Transact(ctx, l.db, func(tr kv.Transaction) (election.Status, error) {
		status, err := l.election.ReadStatus(tr)
		if err != nil {
			return status, err
		}
		return status, l.heartbeat(tr)
	})
	missing := errors.Is(err, fdbelection.ErrNotInitialized) // Create makes it, and registers
	if err != nil && !missing {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.registered = !missing
	l.read = &status.Leader
	if status.Leader.Ballot == 0 {
		return nil, nil, apierrors.NewNotFound(resource, l.name)
	}
	return l.record(&status.Leader), fmt.Appendf(nil, "ballot %d of %s", status.Leader.Ballot, status.Leader.Token().Text()), nil
}

// resource is what Kubernetes' errors call an election.
var resource = schema.GroupResource{Group: "fdbelection", Resource: "elections"}

// heartbeat registers the candidate, or writes its heartbeat.
func (l *Lock) heartbeat(tr kv.Transaction) error {
	l.mu.Lock()
	registered := l.registered
	l.mu.Unlock()
	if !registered {
		return l.election.RegisterCandidate(tr, l.me, l.now())
	}
	err := l.election.HeartbeatCandidate(tr, l.me, l.now())
	if errors.Is(err, fdbelection.ErrUnregisteredCandidate) {
		return l.election.RejoinCandidate(tr, l.me, l.now())
	}
	return err
}

// record returns a leader record in the form of client-go.
func (l *Lock) record(leader *election.LeaderRecord) *resourcelock.LeaderElectionRecord {
	holder := leader.ID
	if holder == l.me.ID && leader.Incarnation != l.me.Incarnation {
		holder = leader.Identity.String()
	}
	return &resourcelock.LeaderElectionRecord{
		HolderIdentity:       holder,
		LeaseDurationSeconds: int((leader.LeaseDuration + time.Second - 1) / time.Second),
		AcquireTime:          metav1.NewTime(leader.AcquiredAt),
		RenewTime:            metav1.NewTime(leader.LeaseExpiry.Add(-leader.LeaseDuration)),
		LeaderTransitions:    int(min(max(leader.Term, 1)-1, math.MaxInt32)),
	}
}

// Create makes the election if it does not exist, and begins its first term. If a candidate has led
// already, apierrors.IsAlreadyExists finds the error.
func (l *Lock) Create(ctx context.Context, ler resourcelock.LeaderElectionRecord) error {
	if err := l.check(ler); err != nil {
		return err
	}
	err := l.db.Transact(ctx, func(tr kv.Transaction) error {
		if _, err := l.election.InitializeWithConfig(tr, fdbelection.ConfigWithLease(leaseOf(ler))); err != nil {
			return err
		}
		return l.heartbeat(tr)
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.registered = true
	l.mu.Unlock()
	return l.write(ctx, ler, election.LeaderRecord{})
}

// Update renews the lease of this candidate, or begins a new term of it if leadership is vacant or
// the lease has expired. If the record has changed since Get or the last Update,
// apierrors.IsConflict finds the error. An empty HolderIdentity releases leadership: the candidate
// leaves the election in the same transaction. If another process leads already, nothing of that
// is changed.
func (l *Lock) Update(ctx context.Context, ler resourcelock.LeaderElectionRecord) error {
	if ler.HolderIdentity == "" {
		return l.release(ctx)
	}
	if err := l.check(ler); err != nil {
		return err
	}
	l.mu.Lock()
	read := l.read
	l.mu.Unlock()
	if read == nil {
		return errors.New("clientgo: Update needs the record that Get returns: call Get first")
	}
	return l.write(ctx, ler, *read)
}

// check returns an error if this Lock cannot write a record of client-go.
func (l *Lock) check(ler resourcelock.LeaderElectionRecord) error {
	switch {
	case ler.HolderIdentity != l.me.ID:
		return fmt.Errorf("clientgo: the lock of %s cannot make %s the holder", election.SafeText(l.me.ID), election.SafeText(ler.HolderIdentity))
	case ler.LeaseDurationSeconds < 1:
		return errors.New("clientgo: LeaseDuration is below one second, which client-go cannot store")
	}
	return nil
}

func leaseOf(ler resourcelock.LeaderElectionRecord) time.Duration {
	return time.Duration(ler.LeaseDurationSeconds) * time.Second
}

// write claims or renews if the leader record is still the one that was read.
func (l *Lock) write(ctx context.Context, ler resourcelock.LeaderElectionRecord, read election.LeaderRecord) error {
	options := []election.CycleOption{election.NoPreempt()}
	held, wait := l.holdOff(2 * leaseOf(ler))
	if wait > 0 {
		options = append(options, election.Abstain())
	}
	var began time.Time
	var attempted election.Token // the tenure that the attempt before has written, whose outcome is unknown
	result, err := kv.Transact(ctx, l.db, func(tr kv.Transaction) (election.CycleResult, error) {
		began = l.now()
		result, err := l.election.RunElectionCycle(tr, l.me, began, options...)
		if err != nil {
			return result, err
		}
		token := result.Leader.Token()
		unchanged := result.Leader.Ballot == read.Ballot+1 || token == attempted
		attempted = election.Token{}
		vacant := !result.Leads() && result.Leader.Ballot == read.Ballot // or expired: client-go would claim it
		switch {
		case result.Action == election.Draining:
			return result, fdbelection.ErrElectionDisabled
		case wait > 0 && (vacant || result.Leads() && token != held):
			return result, fmt.Errorf("clientgo: the last tenure of this process was lost, and client-go's loop of it may still run: "+
				"it can claim in %s", wait.Round(time.Second))
		case !result.Leads() || !unchanged:
			return result, l.changed(&read, &result.Leader)
		case result.MustHandOver:
			return result, fmt.Errorf("clientgo: the lease is not renewed, since this process is asked to give up leadership: %s", result.Request)
		case result.Config.LeaseDuration < leaseOf(ler):
			return result, fmt.Errorf("clientgo: the lease of the election is %s, shorter than client-go's LeaseDuration of %s: "+
				"change one of them", result.Config.LeaseDuration, leaseOf(ler))
		}
		attempted = token
		return result, nil
	})
	if err != nil {
		return err
	}
	l.wrote(&result.Leader, began)
	if took, limit := l.now().Sub(began), leaseOf(ler)/10; took > limit {
		return fmt.Errorf("clientgo: the lease was renewed, but that took %s, longer than a tenth of it: renew again", took)
	}
	l.evict(ctx, &result.Config)
	return nil
}

// changed returns the error for a leader record that is not the one that was read.
func (l *Lock) changed(read, leader *election.LeaderRecord) error {
	if read.Ballot == 0 {
		return apierrors.NewAlreadyExists(resource, l.name)
	}
	return apierrors.NewConflict(resource, l.name, fmt.Errorf("the leader record was %s, and this process cannot replace it: it is %s", read, leader))
}

// holdOff returns the last tenure, and for how long this Lock must not begin another one, if it may
// do so only so long after its last renewal.
func (l *Lock) holdOff(after time.Duration) (held election.Token, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.leads {
		return l.token, 0
	}
	return l.token, after - l.now().Sub(l.renewed)
}

// wrote notes that this Lock has written the leader record.
func (l *Lock) wrote(leader *election.LeaderRecord, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read, l.token, l.leads, l.renewed = leader, leader.Token(), true, began
}

// evict removes dead candidates from time to time. Without that, every restart of a process with a
// new identity would leave one behind. It does not matter if that fails, since it is done again.
func (l *Lock) evict(ctx context.Context, config *fdbelection.Config) {
	if l.now().Sub(l.listed) < config.CandidateTimeout/3 {
		return
	}
	l.listed = l.now()
	evicted, err := kv.Transact(ctx, l.db, func(tr kv.Transaction) ([]string, error) {
		return l.election.EvictDeadCandidates(tr, l.now())
	})
	if err != nil {
		l.logger.Debug("dead candidates were not removed", "election", l.name, "node", l.me.ID, "error", err)
	} else if len(evicted) > 0 {
		l.logger.Info("dead candidates removed", "election", l.name, "node", l.me.ID, "count", len(evicted))
	}
}

// release leaves the election, and vacates leadership if this Lock holds it.
func (l *Lock) release(ctx context.Context) error {
	err := l.db.Transact(ctx, func(tr kv.Transaction) error {
		return l.election.UnregisterCandidate(tr, l.me.Identity, l.now())
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leads, l.registered, l.read = false, false, nil
	return nil
}
