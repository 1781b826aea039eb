package tracing_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
	"github.com/fdbelection/fdbelection/tracing"
)

const (
	lease = 6 * time.Second
	soon  = 100 * time.Millisecond

	claimed, changed, handedOver = "claim leadership", "change state", "hand over leadership"
)

// virtual is the clock of a synctest bubble.
type virtual struct{}

func (virtual) Now() time.Time                                    { return time.Now() }
func (virtual) Wall() time.Time                                   { return time.Now() }
func (virtual) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

// fixture is an election in virtual time.
type fixture struct {
	*testing.T
	db       *memkv.DB
	election *election.LeaderElection
	before   func(*memkv.Call) error
}

func inVirtualTime(t *testing.T, test func(f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{T: t, election: election.New(subspace.New("test"))}
		f.db = memkv.New(memkv.Options{Hooks: &memkv.Hooks{Before: func(_ context.Context, c *memkv.Call) error {
			if f.before == nil || c.Client == "" {
				return nil
			}
			return f.before(c)
		}}})
		test(f)
	})
}

// exported is where the spans of a process arrive.
type exported struct {
	*testing.T
	*tracetest.InMemoryExporter
}

// named returns the spans with a name that have ended, the first one first.
func (e exported) named(name string) (all tracetest.SpanStubs) {
	synctest.Wait()
	for _, s := range e.GetSpans() {
		if s.Name == name {
			all = append(all, s)
		}
	}
	return all
}

// only returns the only span with a name.
func (e exported) only(name string) tracetest.SpanStub {
	e.Helper()
	all := e.named(name)
	require.Len(e, all, 1, name)
	return all[0]
}

// of returns the attributes of a span.
func of(span tracetest.SpanStub) map[string]any {
	all := map[string]any{}
	for _, a := range span.Attributes {
		all[string(a.Key)] = a.Value.AsInterface()
	}
	return all
}

type process struct {
	*elector.Elector
	exported
	elected chan struct{}
}

// begin starts a process whose work takes a while to stop.
func (f *fixture) begin(id string, priority int32, toStop time.Duration, options ...func(*elector.Options)) *process {
	f.Helper()
	p := &process{elected: make(chan struct{}, 9), exported: exported{f.T, tracetest.NewInMemoryExporter()}}
	config := fdbelection.ConfigWithLease(lease)
	config.MinimumTenure, config.PreemptDelay = 0, 0
	opts := elector.Options{
		NodeID: id, Priority: priority, Config: config, Clock: virtual{},
		Tracer: tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(p.InMemoryExporter))),
	}
	for _, option := range options {
		option(&opts)
	}
	var err error
	p.Elector, err = elector.New(f.db.NewClient(id, memkv.ClientOptions{}), f.election, opts)
	require.NoError(f, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(f.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			p.elected <- struct{}{}
			<-ctx.Done()
			time.Sleep(toStop)
			return nil
		})
	}()
	f.Cleanup(func() {
		_ = p.Stop(context.Background()) // a test that cares stops it itself
		<-ended
	})
	return p
}

func (f *fixture) request() election.Request {
	f.Helper()
	request, err := kv.ReadTransact(f.Context(), f.db, f.election.ReadRequest)
	require.NoError(f, err)
	return request
}

// A claim, the changes of state and a resignation are spans with times and attributes. The
// changes are children of what they are part of.
func TestSpansOfATenure(t *testing.T) {
	inVirtualTime(t, func(f *fixture) {
		began := time.Now()
		a := f.begin("a", 0, time.Second)
		<-a.elected
		time.Sleep(10 * lease)
		require.NoError(f, a.Stop(f.Context()))

		claim := a.only(claimed)
		require.Equal(f, trace.SpanKindInternal, claim.SpanKind)
		require.Equal(f, "github.com/fdbelection/fdbelection/tracing", claim.InstrumentationScope.Name)
		require.NotEmpty(f, claim.InstrumentationScope.SchemaURL)
		require.False(f, claim.Parent.IsValid())
		require.Equal(f, codes.Unset, claim.Status.Code)
		require.Equal(f, map[string]any{
			"fdbelection.election": `("test")`, "fdbelection.node": "a", "fdbelection.outcome": "elected",
			"fdbelection.term": int64(1), "fdbelection.leader": "a", "fdbelection.acquire_reason": "vacancy",
		}, of(claim))
		require.WithinDuration(f, began, claim.StartTime, soon)
		require.WithinDuration(f, began, claim.EndTime, soon)

		release := a.only(handedOver)
		require.False(f, release.Parent.IsValid())
		require.NotEqual(f, claim.SpanContext.TraceID(), release.SpanContext.TraceID())
		require.Equal(f, map[string]any{
			"fdbelection.election": `("test")`, "fdbelection.node": "a", "fdbelection.outcome": "resigned",
			"fdbelection.term": int64(1), "fdbelection.reason": "stopped", "fdbelection.work.duration": 1.0,
		}, of(release))
		require.WithinDuration(f, began.Add(10*lease), release.StartTime, soon)
		require.WithinDuration(f, began.Add(10*lease+time.Second), release.EndTime, soon)

		states := a.named(changed)
		require.Len(f, states, 4)
		for i, want := range []struct{ from, to, reason, parent string }{
			{"stopped", "candidate", "started", ""},
			{"candidate", "leader", "leadership was vacant", claimed},
			{"leader", "candidate", "stopped", handedOver},
			{"candidate", "stopped", "stopped", handedOver},
		} {
			s := states[i]
			got := of(s)
			require.Equal(f, want.from, got["fdbelection.state.from"])
			require.Equal(f, want.to, got["fdbelection.state.to"])
			require.Equal(f, want.reason, got["fdbelection.reason"])
			require.Equal(f, s.StartTime, s.EndTime)
			parent := map[string]trace.SpanContext{claimed: claim.SpanContext, handedOver: release.SpanContext}[want.parent]
			require.Equal(f, parent.SpanID(), s.Parent.SpanID())
			if want.parent != "" {
				require.Equal(f, parent.TraceID(), s.SpanContext.TraceID())
			}
		}
	})
}

// Renewals, followers and observers have no spans, except for changes of state.
func TestNoSpansOfRenewalsAndFollowers(t *testing.T) {
	inVirtualTime(t, func(f *fixture) {
		a := f.begin("a", 0, 0)
		<-a.elected
		b, o := f.begin("b", 0, 0), f.begin("o", 0, 0, func(o *elector.Options) { o.Role = election.Observer })
		time.Sleep(20 * lease)
		require.Len(f, a.GetSpans(), 3)
		a.only(claimed)
		require.Len(f, b.GetSpans(), 2)
		require.Len(f, b.named(changed), 2)
		require.Len(f, o.GetSpans(), 1)
		require.Len(f, o.named(changed), 1)
	})
}

// A claim that cannot commit is an error with its type. The next one is a trace of its own.
func TestAFailedClaim(t *testing.T) {
	inVirtualTime(t, func(f *fixture) {
		leader := f.election.Subspace().Sub("leader").Bytes()
		var failed atomic.Bool
		f.before = func(c *memkv.Call) error {
			if failed.Load() || c.Kind != memkv.CallCommit {
				return nil
			}
			for i := range c.Commit.Mutations {
				if bytes.HasPrefix(c.Commit.Mutations[i].Key, leader) {
					failed.Store(true)
					return kv.Error{Code: kv.CodeIOError}
				}
			}
			return nil
		}
		a := f.begin("a", 0, 0)
		<-a.elected
		claims := a.named(claimed)
		require.Len(f, claims, 2)
		require.Equal(f, codes.Error, claims[0].Status.Code)
		require.Contains(f, claims[0].Status.Description, "1510")
		require.Equal(f, "failed", of(claims[0])["fdbelection.outcome"])
		require.Equal(f, "1510", of(claims[0])["error.type"])
		require.NotContains(f, of(claims[0]), "fdbelection.term")
		require.Equal(f, codes.Unset, claims[1].Status.Code)
		require.NotContains(f, of(claims[1]), "error.type")
		require.NotEqual(f, claims[0].SpanContext.TraceID(), claims[1].SpanContext.TraceID())
	})
}

// The hand-over of the loser links to the claim of the winner, and is in another trace.
func TestThePreemptedLinksToTheChallenger(t *testing.T) {
	inVirtualTime(t, func(f *fixture) {
		low := f.begin("low", 0, lease/2)
		<-low.elected
		high := f.begin("high", 1, 0)
		<-high.elected
		lost, won := low.only(handedOver), high.only(claimed)
		require.Len(f, lost.Links, 1)
		link := lost.Links[0].SpanContext
		require.Equal(f, won.SpanContext.TraceID(), link.TraceID())
		require.Equal(f, won.SpanContext.SpanID(), link.SpanID())
		require.True(f, link.IsSampled())
		require.True(f, link.IsRemote())
		require.NotEqual(f, won.SpanContext.TraceID(), lost.SpanContext.TraceID())
		require.False(f, lost.Parent.IsValid())
		require.Empty(f, won.Links)
		require.Equal(f, "handed over", of(lost)["fdbelection.outcome"])
		require.Equal(f, "high", of(lost)["fdbelection.leader"])
		require.Equal(f, "challenged by a higher priority", of(lost)["fdbelection.reason"])
		require.InDelta(f, (lease / 2).Seconds(), of(lost)["fdbelection.work.duration"], 0.001)
		require.Equal(f, "preemption", of(won)["fdbelection.acquire_reason"])
		require.GreaterOrEqual(f, won.EndTime.Sub(won.StartTime), lease/2, "from the first request")
	})
}

// A challenger without a provider, and one whose provider makes no spans, write no trace
// context. The leader has nothing to link to.
func TestNothingWithoutAProvider(t *testing.T) {
	require.Nil(t, tracing.New(nil))
	for name, tracer := range map[string]elector.Tracer{"none": tracing.New(nil), "noop": tracing.New(noop.NewTracerProvider())} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(f *fixture) {
				low := f.begin("low", 0, lease/2)
				<-low.elected
				high := f.begin("high", 1, 0, func(o *elector.Options) { o.Tracer = tracer })
				time.Sleep(lease / 3)
				require.Equal(f, election.PreemptionRequest, f.request().Kind)
				require.Empty(f, f.request().TraceParent)
				<-high.elected
				require.Empty(f, low.only(handedOver).Links)
				require.Empty(f, high.GetSpans())
			})
		})
	}
}

// A hostile trace context in the database has no effect: the leader hands over to the challenger
// and links to nothing. The text is in no span.
func TestAHostileTraceContextIsIgnored(t *testing.T) {
	const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, text := range map[string]string{
		"control characters": "00-4bf92f3577b34da6a3ce929d0e0e4736-\x1b[31m067aa0ba902b7-01",
		"long":               strings.Repeat(valid, 500),
		"another version":    "cc" + valid[2:],
		"more elements":      valid + "-what-the-future-will-be-like",
		"zero":               "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"not UTF-8":          valid[:40] + "\xff" + valid[41:],
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(f *fixture) {
				low := f.begin("low", 0, lease/2)
				<-low.elected
				f.challenge(text)
				span := low.only(handedOver)
				require.Empty(f, span.Links)
				require.Equal(f, "handed over", of(span)["fdbelection.outcome"])
				require.Equal(f, "hostile", of(span)["fdbelection.leader"])
				require.NotContains(f, fmt.Sprint(low.GetSpans()), text)
			})
		})
	}
}

// The same challenge with a valid context is a link, so the test above can fail.
func TestAContextOfAnotherProgramIsALink(t *testing.T) {
	inVirtualTime(t, func(f *fixture) {
		low := f.begin("low", 0, lease/2)
		<-low.elected
		f.challenge("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
		links := low.only(handedOver).Links
		require.Len(f, links, 1)
		require.Equal(f, "4bf92f3577b34da6a3ce929d0e0e4736", links[0].SpanContext.TraceID().String())
		require.False(f, links[0].SpanContext.IsSampled())
	})
}

// challenge requests leadership as another program, which writes a trace context of its own,
// until it has leadership.
func (f *fixture) challenge(text string) {
	f.Helper()
	me := election.Registration{Identity: election.Identity{ID: "hostile", Incarnation: uuid.New()}, Priority: 9}
	key := f.election.Subspace().Sub("intent").Bytes()
	require.NoError(f, f.db.Transact(f.Context(), func(tr kv.Transaction) error {
		return f.election.RegisterCandidate(tr, me, time.Now())
	}))
	for range 100 {
		var action election.Action
		require.NoError(f, f.db.Transact(f.Context(), func(tr kv.Transaction) error {
			result, err := f.election.RunElectionCycle(tr, me, time.Now(), election.WithObservation(election.Observation{}, time.Now()))
			if action = result.Action; err != nil || action != election.RequestedPreemption {
				return err
			}
			value, err := tr.Get(key).Get()
			if err == nil {
				tr.Set(key, subspace.AppendString(bytes.Clone(value), text))
			}
			return err
		}))
		if action.Leads() {
			synctest.Wait()
			return
		}
		time.Sleep(lease / 10)
	}
	require.Fail(f, "the leader does not hand over")
}

// A stop that cannot hand over to the named successor is an error, although it resigns.
func TestAHandOverWithoutASuccessor(t *testing.T) {
	inVirtualTime(t, func(f *fixture) {
		a := f.begin("a", 0, 0)
		<-a.elected
		require.Error(f, a.StopAndHandOver(f.Context(), "nobody"))
		span := a.only(handedOver)
		require.Equal(f, "resigned", of(span)["fdbelection.outcome"])
		require.Equal(f, "process_not_found", of(span)["error.type"])
		require.Equal(f, codes.Error, span.Status.Code)
	})
}
