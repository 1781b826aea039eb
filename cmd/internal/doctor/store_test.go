package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestDoctorOfASlowStore: doctor compares the latency of the store with the time that a leader
// has for a renewal. It reports a slow store before everything else, and then does not judge
// delays that the store may have caused.
func TestDoctorOfASlowStore(t *testing.T) {
	for delay, want := range map[time.Duration]string{
		time.Millisecond:       "ok a read takes 1.00ms",
		600 * time.Millisecond: "warn a read takes 600ms",
		7 * time.Second:        "fail a read takes 7.00s",
	} {
		for _, args := range [][]string{{"--quick"}, nil} {
			t.Run(fmt.Sprint(delay, args), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					db := memkv.New(memkv.Options{})
					e := election.New(subspace.New("fdbelection", "default"))
					ash := election.Registration{Identity: election.Identity{ID: "ash", Incarnation: uuid.UUID{1}}}
					for _, do := range []func(tr kv.Transaction) error{
						func(tr kv.Transaction) error { _, err := e.Initialize(tr); return err },
						func(tr kv.Transaction) error { return e.RegisterCandidate(tr, ash, time.Now().Add(time.Hour)) },
						func(tr kv.Transaction) error {
							_, err := e.TryClaimLeadership(tr, ash.Identity, time.Now(), election.WithObservation(election.Observation{}, time.Now()))
							return err
						},
					} {
						require.NoError(t, db.Transact(t.Context(), do))
					}
					clock.Sleep(t.Context(), clitest.Virtual{}, time.Hour) //nolint:errcheck // it does not end early
					begin := time.Now()
					d, _ := examined(t, clitest.Slow(db, delay), append(args, "--timeout", "10s")...)
					require.Contains(t, d.of("latency")[0], want)
					if delay == time.Millisecond {
						require.Equal(t, "store", d.Findings[0].Check)
						require.NotContains(t, strings.Join(d.of("clock"), ""), "skip")
						return
					}
					require.Equal(t, "latency", d.Findings[0].Check, "it is reported first")
					for _, check := range []string{"leader", "clock", "candidates"} {
						require.Len(t, d.of(check), 1)
						require.Regexp(t, "^skip not judged, because the store is slow: ", d.of(check)[0])
					}
					require.LessOrEqual(t, time.Since(begin), 10*delay, "a slow store is not read a hundred times")
				})
			})
		}
	}
}

// TestDoctorOfAStoreThatBecomesSlow: doctor finds a store that becomes slow during the
// observation.
func TestDoctorOfAStoreThatBecomesSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := clitest.NewCompany(t)
		ash, _ := world.Enter("ash", 0)
		world.Pass(3 * time.Second)
		ash.Abandon()
		later := &slowLater{Database: world.DB, from: time.Now().Add(300 * time.Millisecond)}
		d, _ := examined(t, later)
		require.Regexp(t, "^warn a read took 900ms while the election was observed", d.of("latency")[0])
		require.Equal(t, "latency", d.Findings[0].Check)
		require.Len(t, d.of("latency"), 2, "the earlier finding stays")
		require.Contains(t, d.of("candidates")[0], "skip")
		require.Contains(t, d.of("leader")[0], "skip")
	})
}

// slowLater takes 900 milliseconds for each read after an instant.
type slowLater struct {
	kv.Database
	from time.Time
}

func (s *slowLater) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if time.Now().After(s.from) {
		return clitest.Slow(s.Database, 900*time.Millisecond).ReadTransact(ctx, fn)
	}
	return s.Database.ReadTransact(ctx, fn)
}

// TestDoctorOfAnIdleCluster: the read version of an idle FoundationDB cluster does not change
// for up to two seconds. doctor does not take that for a wrong clock, whenever it begins to
// measure.
func TestDoctorOfAnIdleCluster(t *testing.T) {
	for _, step := range []time.Duration{10 * time.Millisecond, 700 * time.Millisecond, 1700 * time.Millisecond, 2 * time.Second} {
		for phase := time.Duration(0); phase < step; phase += step / 7 {
			synctest.Test(t, func(t *testing.T) {
				clock.Sleep(t.Context(), clitest.Virtual{}, phase) //nolint:errcheck // it does not end early
				e := &examination{basis: &basis{diagnosis: &diagnosis{Store: "test:x"}, progress: clitest.NewProgram(clitest.Virtual{}, io.Discard, io.Discard).NewProgress()}}
				e.session = &session.Session{
					Database: session.Database{Database: steps{memkv.New(memkv.Options{}), step}}, Program: &session.Program{Clock: clitest.Virtual{}},
					Access: &session.Access{Timeout: time.Second},
				}
				require.NoError(t, e.measureRate(t.Context()))
				e.checkRate()
				require.Regexp(t, `^ok versions grew (0\.9[89]|1\.0[012]) times`, e.of("")[0], "step %s, phase %s", step, phase)
			})
		}
	}
}

// steps is a store whose version grows only once per step.
type steps struct {
	kv.Database
	step time.Duration
}

func (s steps) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	return s.Database.ReadTransact(ctx, func(tr kv.ReadTransaction) error { return fn(stepped{tr, s.step}) })
}

type stepped struct {
	kv.ReadTransaction
	step time.Duration
}

func (s stepped) GetReadVersion() kv.Future[int64] {
	return readVersion(time.Now().Truncate(s.step).UnixMicro())
}

type readVersion int64

func (v readVersion) Get() (int64, error) { return int64(v), nil }

// TestDoctorOfAnUnreachableStore: the exit code says whether a store cannot be opened or does
// not answer.
func TestDoctorOfAnUnreachableStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, code := examined(t, clitest.Slow(memkv.New(memkv.Options{}), time.Hour), "--timeout", "2s")
		require.Equal(t, exit.CodeUnreachable, code)
		require.Contains(t, d.of("store")[0], "fail store test: did not answer within 2s")

		w := &clitest.Weather{Database: memkv.New(memkv.Options{})}
		w.Down.Store(true)
		p := clitest.NewProgram(clitest.Virtual{}, io.Discard, io.Discard, w.Store())
		err := clitest.Exec(t.Context(), p, Command(p), "doctor", "--store", "test:")
		require.Equal(t, exit.CodeFailure, exit.Code(err), "no retry can fix it")
		p.Stores[0].Permanent = nil
		err = clitest.Exec(t.Context(), p, Command(p), "doctor", "--store", "test:")
		require.Equal(t, exit.CodeUnreachable, exit.Code(err))
	})
}

// TestDoctorOfAnotherStore: doctor shows the versions that a store reports, and compares read
// versions that follow a clock with the local clock.
func TestDoctorOfAnotherStore(t *testing.T) {
	d := &diagnosis{Store: "test:x"}
	b := &basis{diagnosis: d, session: &session.Session{Program: &session.Program{
		Clock: clitest.Virtual{},
		Stores: []session.Store{{Scheme: "test", Versions: func(context.Context, kv.Database) ([]session.Version, error) {
			return []session.Version{{Part: "client API", Version: "730"}, {Part: "server", Version: "7.3\x1b[2J"}}, errors.New("no status")
		}}},
	}, Access: &session.Access{Timeout: time.Second}}}
	b.versions(t.Context())
	require.Equal(t, []string{"ok client API 730", `ok server 7.3\x1b[2J`, "warn no status"}, d.of("versions")[1:])

	for rate, want := range map[float64]string{0: "warn", 0.7: "warn", 0.99: "ok", 1.3: "warn", 100: "warn"} {
		d := &diagnosis{Store: "test:x"}
		e := &examination{basis: &basis{diagnosis: d}, rate: &versionRate{grown: int64(2e6 * rate), passed: 2 * time.Second}}
		e.checkRate()
		require.Contains(t, d.of("")[0], want+" versions grew", "%v", rate)
	}
	e := &examination{basis: &basis{diagnosis: &diagnosis{Store: "test:x"}}, rate: &versionRate{}}
	e.checkRate()
	require.Equal(t, []string{"warn versions did not change twice within 6s"}, e.of(""))
	for _, store := range []string{"file:x", "mem:"} {
		e := &examination{basis: &basis{diagnosis: &diagnosis{Store: store}}}
		require.NoError(t, e.measureRate(t.Context()))
		e.checkRate()
		require.Empty(t, e.Findings, "its versions do not follow a clock")
	}
}
