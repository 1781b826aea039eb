package system

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// NewEngineClient returns a client of this project on a part of a database. closed is called by
// Close.
func NewEngineClient(db kv.Database, part string, s Settings, closed func()) Client {
	c := &engineClient{space: subspace.New("bench", part), settings: s, closed: closed}
	c.db = countedDatabase{db, &c.traffic}
	return c
}

// engineClient is a process of this project.
type engineClient struct {
	db       kv.Database
	space    subspace.Subspace
	settings Settings
	traffic  Traffic
	closed   func()
}

func (c *engineClient) Traffic() *Traffic { return &c.traffic }
func (c *engineClient) Close()            { c.closed() }

// config is the one of a lease, with its usual heartbeat. A higher priority may preempt at once.
func (c *engineClient) config() fdbelection.Config {
	config := fdbelection.ConfigWithLease(c.settings.Lease)
	config.HeartbeatInterval = c.settings.Heartbeat
	config.PreemptDelay, config.MinimumTenure = 0, 0
	return config
}

func (c *engineClient) election(name string) *election.LeaderElection {
	return election.New(c.space.Sub("elections", name))
}

// engineCandidate is an elector that campaigns.
type engineCandidate struct {
	elector *elector.Elector
	config  fdbelection.Config
	events  Candidacy
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // set before done is closed

	mu   sync.Mutex
	lead *elector.Leadership // if it leads
}

func (c *engineClient) Campaign(ctx context.Context, name, id string, o Candidacy) (Candidate, error) {
	one := &engineCandidate{config: c.config(), events: o, done: make(chan struct{})}
	var err error
	one.elector, err = elector.New(c.db, c.election(name), elector.Options{NodeID: id, Priority: o.Priority, Config: one.config})
	if err != nil {
		return nil, err
	}
	ctx, one.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(one.done)
		one.err = one.campaign(ctx)
	}()
	return one, nil
}

// campaign campaigns and leads until ctx ends.
func (c *engineCandidate) campaign(ctx context.Context) error {
	for {
		lead, err := c.elector.Campaign(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		c.mu.Lock()
		c.lead = lead
		c.mu.Unlock()
		if c.events.Lead != nil {
			c.events.Lead()
		}
		if c.events.Renewed != nil {
			lead.SubscribeDeadlines(func(d elector.Deadlines) {
				begin := d.End.Add(c.config.EffectiveMargin() - c.config.LeaseDuration)
				c.events.Renewed(time.Now().Add(begin.Sub(elector.SystemClock().Now())))
			})
		}
		<-lead.Context().Done()
		if c.events.Lose != nil {
			c.events.Lose()
		}
		if ctx.Err() != nil {
			return nil
		}
		_ = lead.Resign(ctx)
	}
}

// Resign resigns first, so that the successor does not wait for the candidate to leave.
func (c *engineCandidate) Resign(ctx context.Context) error {
	c.cancel()
	c.mu.Lock()
	lead := c.lead
	c.mu.Unlock()
	if lead != nil {
		if err := lead.Resign(ctx); err != nil {
			return err
		}
	}
	<-c.done
	return errors.Join(c.err, c.elector.Stop(ctx))
}

func (c *engineCandidate) Crash() {
	c.cancel()
	c.elector.Abandon()
	<-c.done
}

// Hold leads an election by cycles of the library.
func (c *engineClient) Hold(ctx context.Context, name, id string) (func(context.Context) error, error) {
	e, me, _, err := c.claim(ctx, name, id)
	return func(ctx context.Context) error {
		result, err := c.cycle(ctx, e, me)
		if err == nil && result.Action != election.Renewed {
			err = fmt.Errorf("the cycle returned %s instead of a renewal", result.Action)
		}
		return err
	}, err
}

func (c *engineClient) claim(ctx context.Context, name, id string) (*election.LeaderElection, election.Registration, election.Token, error) {
	e, me := c.election(name), election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}}
	config := c.config()
	config.LeaseDuration, config.CandidateTimeout = time.Hour, 2*time.Hour // it is renewed by hand
	err := c.db.Transact(ctx, func(tr kv.Transaction) error {
		if _, err := e.InitializeWithConfig(tr, config); err != nil {
			return err
		}
		return e.RegisterCandidate(tr, me, clock.Wall())
	})
	if err != nil {
		return nil, me, election.Token{}, err
	}
	result, err := c.cycle(ctx, e, me)
	if err == nil && result.Action != election.Claimed {
		err = fmt.Errorf("the cycle returned %s instead of a claim", result.Action)
	}
	return e, me, result.Leader.Token(), err
}

func (c *engineClient) cycle(ctx context.Context, e *election.LeaderElection, me election.Registration) (election.CycleResult, error) {
	return kv.Transact(ctx, c.db, func(tr kv.Transaction) (election.CycleResult, error) {
		return e.RunElectionCycle(tr, me, clock.Wall(), election.WithObservation(election.Observation{}, elector.SystemClock().Now()))
	})
}

// Fence writes a row with RequireLeadership, and without.
func (c *engineClient) Fence(ctx context.Context, name, id string) (fenced, plain func(context.Context) error, err error) {
	e, _, token, err := c.claim(ctx, name, id)
	if err != nil {
		return nil, nil, err
	}
	row := c.space.Sub("rows", name).Bytes()
	plain = func(ctx context.Context) error {
		return c.db.Transact(ctx, func(tr kv.Transaction) error { return count(tr, row) })
	}
	fenced = func(ctx context.Context) error {
		return c.db.Transact(ctx, func(tr kv.Transaction) error {
			if err := e.RequireLeadership(tr, token); err != nil {
				return err
			}
			return count(tr, row)
		})
	}
	return fenced, plain, nil
}

// count raises a number.
func count(tr kv.Transaction, key []byte) error {
	value, err := tr.Get(key).Get()
	if err != nil {
		return err
	}
	next := uint64(1)
	if len(value) == 8 {
		next += binary.BigEndian.Uint64(value)
	}
	tr.Set(key, binary.BigEndian.AppendUint64(nil, next))
	return nil
}
