package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

const path = "app/elections/main"

var space = subspace.New("app", "elections", "main")

// world is one election on one database, in which Go and Python take turns.
type world struct {
	ctx    context.Context
	python *python
	random *rand.Rand
	now    time.Time
	db     *memkv.DB
	last   memkv.LogEntry // the newest commit
	ledger ledger
}

func newWorld(ctx context.Context, program *python, seed uint64, config fdbelection.Config) (*world, error) {
	w := &world{
		ctx:    ctx,
		python: program,
		random: rand.New(rand.NewPCG(seed, 0)),
		now:    time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC),
	}
	w.db = w.database(&w.last, 0)
	return w, w.db.Transact(ctx, func(tr kv.Transaction) error {
		_, err := election.New(space).InitializeWithConfig(tr, config)
		return err
	})
}

func (w *world) database(last *memkv.LogEntry, version int64) *memkv.DB {
	return memkv.New(memkv.Options{
		FirstVersion: version,
		Now:          func() time.Time { return w.now },
		OnCommit:     func(e memkv.LogEntry) { *last = e },
	})
}

func (w *world) uuid() uuid.UUID {
	var bits [16]byte
	for i := range bits {
		bits[i] = byte(w.random.Uint32())
	}
	id, err := uuid.NewRandomFromReader(bytes.NewReader(bits[:]))
	if err != nil {
		panic(err)
	}
	return id
}

// process is a candidate that may run Go in one step and Python in the next. Its clocks differ from
// those of the others.
type process struct {
	election.Registration
	run        uuid.UUID
	wall, mono time.Duration
}

func (w *world) process(id string, priority int32, role election.Role) *process {
	return &process{
		Registration: election.Registration{
			Identity: election.Identity{ID: id, Incarnation: w.uuid()},
			Priority: priority, Role: role,
			Metadata: map[string]string{"addr": "10.0.0.1:80", "zone": id},
		},
		run:  w.uuid(),
		wall: time.Duration(w.random.IntN(200)-100) * time.Millisecond,
		mono: time.Duration(w.random.IntN(1000)) * time.Hour,
	}
}

func (w *world) wall(p *process) time.Time { return w.now.Add(p.wall) }

// step is one act of one process, which Go and Python can both do.
type step struct {
	name  string // register, heartbeat, claim, renew or resign
	by    *process
	nonce uuid.UUID // of a tenure that begins
}

func (s step) String() string { return fmt.Sprintf("%s by %s", s.name, s.by.Identity) }

// library returns the election as a process in Go uses it.
func (w *world) library(p *process, nonce uuid.UUID) *election.LeaderElection {
	return election.New(space, election.WithRandom(repeat{nonce}), election.WithClock(election.Clock{
		Run: p.run, Now: func() time.Time { return w.now.Add(p.mono) },
	}))
}

// inGo takes a step with the library.
func (w *world) inGo(tr kv.Transaction, s step) error {
	e := w.library(s.by, s.nonce)
	now := w.wall(s.by)
	switch s.name {
	case "register":
		existing, err := e.TakeOverCandidate(tr, s.by.Registration, nil, now)
		if existing != nil {
			return errRefused
		}
		return refusal(err)
	case "heartbeat":
		return refusal(e.HeartbeatCandidate(tr, s.by.Registration, now))
	case "claim":
		result, err := e.TryClaimLeadership(tr, s.by.Identity, now, election.NoPreempt())
		if err == nil && result.Action != election.Claimed {
			return errRefused
		}
		return refusal(err)
	case "renew", "resign":
		leader, err := e.GetLeaderRaw(tr.Snapshot())
		if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
			return err
		}
		if err != nil || !leader.HeldBy(s.by.Identity) {
			// The record may be lost. The cycle knows.
			status, err := e.ReadStatus(tr.Snapshot())
			if err != nil {
				return err
			}
			leader = status.Leader
		}
		if !leader.HeldBy(s.by.Identity) {
			return errRefused
		}
		if s.name == "resign" {
			return refusal(e.ResignLeadership(tr, leader.Token(), now))
		}
		_, err = e.RefreshLease(tr, leader.Token(), now)
		return refusal(err)
	}
	panic("no step " + s.name)
}

// refusal marks the errors that say that a step is not possible.
func refusal(err error) error {
	for _, known := range []error{
		fdbelection.ErrNotLeader, fdbelection.ErrElectionDisabled, fdbelection.ErrDuplicateID, fdbelection.ErrNotVoting,
		fdbelection.ErrNotReady, fdbelection.ErrNotInitialized, fdbelection.ErrInvalidState, fdbelection.ErrUnregisteredCandidate,
	} {
		if errors.Is(err, known) {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
	}
	return err
}

// inPython takes a step with Python, in the same transaction as the dump that it reads.
func (w *world) inPython(tr kv.Transaction, s step) error {
	dump, err := Dump(tr)
	if err != nil {
		return err
	}
	nanoseconds := func(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
	args := []string{
		s.name, path, "--id=" + s.by.ID, "--incarnation=" + s.by.Incarnation.String(),
		"--now=" + nanoseconds(w.wall(s.by)), "--clock=" + nanoseconds(w.now.Add(s.by.mono)), "--run=" + s.by.run.String(),
	}
	switch s.name {
	case "register":
		args = append(args, "--priority="+strconv.Itoa(int(s.by.Priority)))
		for name, value := range s.by.Metadata {
			args = append(args, "--tag="+name+"="+value)
		}
		if s.by.NotReady != "" {
			args = append(args, "--not-ready="+s.by.NotReady)
		}
		if s.by.Role == election.Observer {
			args = append(args, "--observer")
		}
	case "claim":
		args = append(args, "--nonce="+s.nonce.String())
	}
	operations, err := w.python.run(dump, args...)
	if err != nil {
		return err
	}
	return Apply(tr, operations)
}

// take takes a step with one implementation, and checks that the other one would have written the
// same bytes. It reports whether the step was possible.
func (w *world) take(s step, inGo bool) (bool, error) {
	before, err := rows(w.ctx, w.db)
	if err != nil {
		return false, err
	}
	var forked memkv.LogEntry
	fork := w.database(&forked, 1<<40) // none of its versionstamps is in the records
	if err := load(w.ctx, fork, before); err != nil {
		return false, err
	}
	first, second, firstName, secondName := w.inPython, w.inGo, "Python", "Go"
	if inGo {
		first, second, firstName, secondName = second, first, secondName, firstName
	}
	w.last, forked = memkv.LogEntry{}, memkv.LogEntry{}
	done := w.db.Transact(w.ctx, func(tr kv.Transaction) error { return first(tr, s) })
	other := fork.Transact(w.ctx, func(tr kv.Transaction) error { return second(tr, s) })
	for _, err := range []error{done, other} {
		if err != nil && !errors.Is(err, errRefused) {
			return false, fmt.Errorf("%s: %w", s, err)
		}
	}
	if (done == nil) != (other == nil) {
		return false, fmt.Errorf("%s: %s says %s, and %s says %s", s, firstName, fmt.Sprint(done), secondName, fmt.Sprint(other))
	}
	after, err := rows(w.ctx, w.db)
	if err != nil {
		return false, err
	}
	expected, err := rows(w.ctx, fork)
	if err != nil {
		return false, err
	}
	if problem := difference(after, stamp(w.last), expected, stamp(forked)); problem != "" {
		return false, fmt.Errorf("%s: %s wrote something else than %s would have written:\n%s", s, firstName, secondName, problem)
	}
	for name, commit := range map[string]memkv.LogEntry{firstName: w.last, secondName: forked} {
		if err := owed(s, commit, before); err != nil {
			return false, fmt.Errorf("%s: %s: %w", s, name, err)
		}
	}
	return done == nil, nil
}

func load(ctx context.Context, db kv.Database, rows []kv.KeyValue) error {
	return db.Transact(ctx, func(tr kv.Transaction) error {
		for _, row := range rows {
			tr.Set(row.Key, row.Value)
		}
		return nil
	})
}

func rows(ctx context.Context, db kv.Database) ([]kv.KeyValue, error) {
	return kv.ReadTransact(ctx, db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(nil, []byte{0xff}, kv.RangeOptions{}).Get()
	})
}

func stamp(commit memkv.LogEntry) []byte {
	s := memkv.CommitResult{Version: commit.Version, Batch: commit.Batch}.Stamp()
	return s[:]
}

// difference says how two databases differ, apart from the versionstamps of their newest commits.
func difference(got []kv.KeyValue, gotStamp []byte, want []kv.KeyValue, wantStamp []byte) string {
	var text bytes.Buffer
	a, b := contents(got, gotStamp), contents(want, wantStamp)
	for key, value := range a {
		if other, found := b[key]; !found {
			fmt.Fprintf(&text, "%q: %x instead of nothing\n", key, value)
		} else if other != value {
			fmt.Fprintf(&text, "%q:\n\t%x instead of\n\t%x\n", key, value, other)
		}
	}
	for key, value := range b {
		if _, found := a[key]; !found {
			fmt.Fprintf(&text, "%q: nothing instead of %x\n", key, value)
		}
	}
	return text.String()
}

func contents(rows []kv.KeyValue, stamp []byte) map[string]string {
	result := map[string]string{}
	for _, row := range rows {
		plain := func(b []byte) string { return string(bytes.ReplaceAll(b, stamp, make([]byte, len(stamp)))) }
		result[plain(row.Key)] = plain(row.Value)
	}
	return result
}

// repeat is a source of randomness from which every nonce is the same.
type repeat struct{ nonce uuid.UUID }

func (r repeat) Read(p []byte) (int, error) { return copy(p, r.nonce[:]), nil }
