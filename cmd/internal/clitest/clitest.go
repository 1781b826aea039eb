package clitest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Virtual is a clock that reads the time of package time, so testing/synctest makes it
// virtual. The clock of the command reads the kernel and would stay real.
type Virtual struct{}

// Now is the time of the bubble.
func (Virtual) Now() time.Time { return time.Now() }

// Wall is the same time.
func (Virtual) Wall() time.Time { return time.Now() }

// AfterFunc calls f once d has passed in the bubble.
func (Virtual) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

// Meddled is a store that calls Before before each transaction, with its number from 1 on.
// If Before fails, so does the transaction.
type Meddled struct {
	kv.Database
	Before func(n int) error
	n      int
}

// Transact calls Before, and then runs the transaction.
func (m *Meddled) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	m.n++
	if err := m.Before(m.n); err != nil {
		return err
	}
	return m.Database.Transact(ctx, fn)
}

// StoreOf returns a store with the name "test:", on a database.
func StoreOf(db kv.Database) session.Store {
	return session.Store{Scheme: "test", Open: func(context.Context, string, time.Duration) (kv.Database, io.Closer, error) {
		return db, io.NopCloser(nil), nil
	}}
}

// Contents returns all keys and values of a database.
func Contents(t *testing.T, db kv.Database) []kv.KeyValue {
	t.Helper()
	rows, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(nil, []byte{0xff}, kv.RangeOptions{}).Get()
	})
	require.NoError(t, err)
	return rows
}

// Slow returns a database that waits for a delay before each transaction.
func Slow(db kv.Database, delay time.Duration) kv.Database { return slow{db, delay} }

type slow struct {
	kv.Database
	delay time.Duration
}

func (s slow) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if err := clock.Sleep(ctx, Virtual{}, s.delay); err != nil {
		return kv.Error{Code: kv.CodeTransactionCancelled, Err: context.Cause(ctx)}
	}
	return s.Database.Transact(ctx, fn)
}

func (s slow) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if err := clock.Sleep(ctx, Virtual{}, s.delay); err != nil {
		return kv.Error{Code: kv.CodeTransactionCancelled, Err: context.Cause(ctx)}
	}
	return s.Database.ReadTransact(ctx, fn)
}

var errDown = errors.New("the disk is on fire")

// Weather is a store that fails while Down is set. Its errors are permanent, so the command
// has to open it again. Opened counts that.
type Weather struct {
	kv.Database
	Down   atomic.Bool
	Opened atomic.Int32
}

// Transact fails while the store is down.
func (w *Weather) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if w.Down.Load() {
		return errDown
	}
	return w.Database.Transact(ctx, fn)
}

// Store returns the store with the name "test:".
func (w *Weather) Store() session.Store {
	return session.Store{
		Scheme: "test",
		Open: func(context.Context, string, time.Duration) (kv.Database, io.Closer, error) {
			if w.Down.Load() {
				return nil, nil, errDown
			}
			w.Opened.Add(1)
			return w, io.NopCloser(nil), nil
		},
		Permanent: func(err error) bool { return errors.Is(err, errDown) },
	}
}

// Company is an election in virtual time, with candidates that a test starts.
type Company struct {
	t        *testing.T
	DB       kv.Database
	election *election.LeaderElection
}

// NewCompany returns an election without candidates, in a new database in memory.
func NewCompany(t *testing.T) *Company {
	return &Company{t: t, DB: memkv.New(memkv.Options{}), election: election.New(subspace.New("fdbelection", "default"))}
}

// Enter starts a candidate. leave makes it resign and unregister.
func (c *Company) Enter(id string, priority int32) (el *elector.Elector, leave func()) {
	c.t.Helper()
	el, err := elector.New(c.DB, c.election, elector.Options{
		NodeID: id, Priority: priority, Config: fdbelection.ConfigWithLease(2 * time.Second), Clock: Virtual{},
	})
	require.NoError(c.t, err)
	ctx, cancel := context.WithCancel(c.t.Context())
	require.NoError(c.t, el.Start(ctx))
	return el, func() {
		require.NoError(c.t, el.Stop(c.t.Context()))
		cancel()
	}
}

// Pass lets virtual time pass.
func (c *Company) Pass(d time.Duration) {
	c.t.Helper()
	require.NoError(c.t, clock.Sleep(c.t.Context(), Virtual{}, d))
}

// Manual is an election whose two candidates act only when the test says so, at any time
// that it chooses.
type Manual struct {
	T *testing.T
	kv.Database
	*election.LeaderElection
	One, Two election.Registration
}

// NewManual returns an initialized election with the registered candidates One and Two.
func NewManual(t *testing.T) *Manual {
	t.Helper()
	m := &Manual{
		T: t, Database: memkv.New(memkv.Options{}), LeaderElection: election.New(subspace.New("fdbelection", "default")),
		One: election.Registration{Identity: election.Identity{ID: "one", Incarnation: uuid.UUID{1}}},
		Two: election.Registration{Identity: election.Identity{ID: "two", Incarnation: uuid.UUID{2}}},
	}
	m.Does(func(tr kv.Transaction) error { _, err := m.Initialize(tr); return err })
	for _, me := range []election.Registration{m.One, m.Two} {
		m.Does(func(tr kv.Transaction) error { return m.RegisterCandidate(tr, me, time.Now()) })
	}
	return m
}

// Does runs a transaction. It fails the test if the transaction fails.
func (m *Manual) Does(fn func(tr kv.Transaction) error) {
	m.T.Helper()
	require.NoError(m.T, m.Transact(m.T.Context(), fn))
}

// Claims makes a candidate claim or renew at the time now.
func (m *Manual) Claims(me election.Registration, now time.Time) {
	m.T.Helper()
	m.Does(func(tr kv.Transaction) error {
		_, err := m.RunElectionCycle(tr, me, now, election.WithObservation(election.Observation{}, now))
		return err
	})
}

// Leader reads the leader record.
func (m *Manual) Leader() election.LeaderRecord {
	m.T.Helper()
	l, err := kv.ReadTransact(m.T.Context(), m.Database, m.GetLeaderRaw)
	require.NoError(m.T, err)
	return l
}

// HandsOver makes the leader hand over to candidate two at the time now.
func (m *Manual) HandsOver(now time.Time) {
	m.T.Helper()
	token := m.Leader().Token()
	m.Does(func(tr kv.Transaction) error {
		_, err := m.TransferLeadership(tr, token, "two", uuid.UUID{9}, now)
		return err
	})
}

// NewProgram returns a program with a clock and stores. Its stdout is out, and its stderr
// is errs.
func NewProgram(c elector.Clock, out, errs io.Writer, stores ...session.Store) *session.Program {
	return &session.Program{
		Stdin: strings.NewReader(""), Stdout: out, Stderr: errs, Clock: c, Random: rand.Reader, Stores: stores,
		Forced: context.Background(),
	}
}

// Exec runs one subcommand. args begin with its name. Like the complete command, it prints
// the error that it returns to stderr.
func Exec(ctx context.Context, p *session.Program, command *cobra.Command, args ...string) error {
	root := &cobra.Command{Use: "fdbelect", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(command)
	root.SetArgs(args)
	err := p.Mark(root.ExecuteContext(ctx))
	if err != nil {
		fmt.Fprintln(p.Stderr, terminal.SafeLines("fdbelect: "+err.Error()))
	}
	return err
}

// ExecOn runs a subcommand on a database, as the store "test:", and returns its output.
func ExecOn(ctx context.Context, c elector.Clock, db kv.Database, command func(*session.Program) *cobra.Command, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	p := NewProgram(c, &out, &errs, StoreOf(db))
	err = Exec(ctx, p, command(p), append(args, "--store", "test:")...)
	return out.String(), errs.String(), err
}
