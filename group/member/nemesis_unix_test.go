//go:build unix

package member_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/mirror"
	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The environment of a worker process of the nemesis: the store, the id, the file for what it did,
// and a bug that is planted.
const (
	nemesisStore = "FDBELECTION_NEMESIS_STORE"
	nemesisID    = "FDBELECTION_NEMESIS_ID"
	nemesisDiary = "FDBELECTION_NEMESIS_DIARY"
	nemesisBug   = "FDBELECTION_NEMESIS_BUG"
)

func TestMain(m *testing.M) {
	if os.Getenv(nemesisStore) != "" {
		if err := nemesisWorker(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const nemesisShards = 16

var (
	nemesisGroup = group.New(subspace.New("nemesis", "group"))
	nemesisRows  = subspace.New("nemesis", "rows")
)

func nemesisConfig() group.Config {
	c := group.ConfigWithLease(2 * time.Second)
	c.SettleDelay = 200 * time.Millisecond
	return c
}

// nemesisWorker is a process that leads shards and writes down what it believes and does.
func nemesisWorker() error {
	db, err := filekv.Open(os.Getenv(nemesisStore), filekv.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	diary, err := os.OpenFile(os.Getenv(nemesisDiary), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	m, err := member.New(db, nemesisGroup, member.Options{ID: os.Getenv(nemesisID), DrainLimit: time.Second, LeaveLimit: 10 * time.Second})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	w := worker{db: db, diary: diary, bug: os.Getenv(nemesisBug)}
	return m.Run(ctx, w.work)
}

type worker struct {
	db    kv.Database
	mu    sync.Mutex
	diary *os.File
	bug   string
}

// work writes rows under leadership of a shard, and a line for each instant at which it believes
// in that.
func (w *worker) work(ctx context.Context, shard *member.Shard) error {
	for {
		at := clock.Boot() // before the check, so the belief holds at that instant
		leads, lease := shard.Leads(), shard.LeaseContext()
		if w.bug != "" { // it never looks again
			leads, lease = true, context.WithoutCancel(ctx)
		}
		if !leads {
			return nil
		}
		if w.bug != "fence" {
			w.write("believes %s %d %d\n", shard.Name(), shard.Term(), at)
		}
		var number int64
		err := w.db.Transact(lease, func(tr kv.Transaction) (err error) {
			if w.bug != "fence" {
				err = shard.Fence(tr)
			}
			if err == nil {
				number, err = addRow(tr, shard)
			}
			return err
		})
		if err == nil {
			w.write("wrote %s %d %d\n", shard.Name(), shard.Term(), number)
		}
		if _, err := clock.Await(context.WithoutCancel(ctx), realTimers{}, 20*time.Millisecond, ctx.Done()); err != nil {
			return err
		}
	}
}

type realTimers struct{}

func (realTimers) AfterFunc(d time.Duration, f func()) *time.Timer { return time.AfterFunc(d, f) }

func (w *worker) write(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.diary, format, args...)
}

// addRow adds the next row of a shard, with its term.
func addRow(tr kv.Transaction, shard *member.Shard) (int64, error) {
	rows := nemesisRows.Sub(shard.Name())
	begin, end := rows.Range()
	last, err := tr.GetRange(begin, end, kv.RangeOptions{Limit: 1, Reverse: true}).Get()
	if err != nil {
		return 0, err
	}
	number := int64(1)
	if len(last) > 0 {
		r := rows.Reader(last[0].Key)
		number = r.Int64() + 1
	}
	key, err := rows.Pack(subspace.Tuple{subspace.Int(number)})
	if err != nil {
		return 0, err
	}
	value, err := subspace.Tuple{subspace.Uint(shard.Term())}.Pack()
	tr.Set(key, value)
	return number, err
}

// nemesis kills, stops and restarts real processes that share a group on a file.
type nemesis struct {
	t       *testing.T
	random  *rand.Rand
	dir     string
	db      *filekv.DB
	bug     string
	starts  int
	workers []*exec.Cmd
}

func newNemesis(t *testing.T, seed uint64, bug string) *nemesis {
	n := &nemesis{t: t, random: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(), bug: bug}
	db, err := filekv.Open(filepath.Join(n.dir, "store"), filekv.Options{})
	require.NoError(t, err)
	n.db = db
	t.Cleanup(func() { _ = db.Close() })
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		if _, err := nemesisGroup.Initialize(tr, nemesisConfig()); err != nil {
			return err
		}
		var names []string
		for i := range nemesisShards {
			names = append(names, fmt.Sprintf("shard-%02d", i))
		}
		_, err := nemesisGroup.CreateShards(tr, names, time.Now())
		return err
	}))
	for i := range 4 {
		n.workers = append(n.workers, n.start(i))
	}
	t.Cleanup(func() {
		for _, w := range n.workers {
			_ = w.Process.Kill()
			_ = w.Wait()
		}
	})
	return n
}

func (n *nemesis) start(i int) *exec.Cmd {
	n.starts++
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nemesisStore+"="+filepath.Join(n.dir, "store"), nemesisID+"="+fmt.Sprintf("worker-%d", i),
		nemesisDiary+"="+filepath.Join(n.dir, fmt.Sprintf("diary-%03d", n.starts)), nemesisBug+"="+n.bug)
	cmd.Stderr = os.Stderr
	require.NoError(n.t, cmd.Start())
	return cmd
}

// strike does one thing to one worker.
func (n *nemesis) strike() {
	i := n.random.IntN(len(n.workers))
	w := n.workers[i]
	part := func(d time.Duration) { time.Sleep(time.Duration(n.random.Int64N(int64(d)))) }
	switch n.random.IntN(3) {
	case 0:
		_ = w.Process.Kill()
		_ = w.Wait()
		part(time.Second)
		n.workers[i] = n.start(i)
	case 1:
		_ = w.Process.Signal(syscall.SIGSTOP)
		part(4 * time.Second)
		_ = w.Process.Signal(syscall.SIGCONT)
	case 2:
		_ = w.Process.Signal(syscall.SIGTERM)
		_ = w.Wait()
		n.workers[i] = n.start(i)
	}
	part(time.Second)
}

// settle waits until every shard is led by a member that lives.
func (n *nemesis) settle() {
	require.Eventually(n.t, func() bool {
		page, err := kv.ReadTransact(n.t.Context(), n.db, func(tr kv.ReadTransaction) (group.Page, error) {
			return nemesisGroup.ScanPage(tr, group.Position{}, 1000)
		})
		if err != nil {
			return false
		}
		m := mirror.New(nil)
		m.AddPage(&page)
		return len(m.MemberIDs()) == len(n.workers) && !slices.ContainsFunc(m.Shards(), m.Free)
	}, 20*time.Second, 50*time.Millisecond, "every shard is led again")
}

// end stops all workers in order.
func (n *nemesis) end() {
	for _, w := range n.workers {
		_ = w.Process.Signal(syscall.SIGTERM)
	}
	for _, w := range n.workers {
		_ = w.Wait()
	}
}

// belief is the time during which a process believed in one tenure, as far as it wrote that down.
type belief struct {
	shard       string
	term        uint64
	first, last int64
}

// judge reads all diaries and the store, and returns what is wrong.
func (n *nemesis) judge() error {
	diaries, err := filepath.Glob(filepath.Join(n.dir, "diary-*"))
	if err != nil {
		return err
	}
	beliefs := make(map[string][]*belief) // by shard
	written := make(map[string]map[int64]uint64)
	for _, name := range diaries {
		if err := readDiary(name, beliefs, written); err != nil {
			return err
		}
	}
	var faults []error
	total := 0
	for i := range nemesisShards {
		shard := fmt.Sprintf("shard-%02d", i)
		all := beliefs[shard]
		slices.SortFunc(all, func(a, b *belief) int { return int(a.first - b.first) })
		for i := 1; i < len(all); i++ {
			if before, b := all[i-1], all[i]; b.first <= before.last {
				faults = append(faults, fmt.Errorf("%s: terms %d and %d were believed at the same time, for %s",
					shard, before.term, b.term, time.Duration(before.last-b.first)))
			}
		}
		stored, err := kv.ReadTransact(n.t.Context(), n.db, func(tr kv.ReadTransaction) (map[int64]uint64, error) { return readRows(tr, shard) })
		if err != nil {
			return err
		}
		total += len(stored)
		for number := int64(1); number <= int64(len(stored)); number++ {
			if stored[number] == 0 || stored[number] < stored[number-1] {
				faults = append(faults, fmt.Errorf("%s: row %d of term %d follows one of term %d", shard, number, stored[number], stored[number-1]))
			}
		}
		for number, term := range written[shard] {
			if stored[number] != term {
				faults = append(faults, fmt.Errorf("%s: the acknowledged row %d of term %d has term %d", shard, number, term, stored[number]))
			}
		}
	}
	n.t.Logf("%d starts, %d shards, %d rows", n.starts, len(beliefs), total)
	if n.bug == "" && (len(beliefs) != nemesisShards || total == 0) {
		faults = append(faults, errors.New("not every shard had a leader that wrote"))
	}
	return errors.Join(faults...)
}

func readDiary(name string, beliefs map[string][]*belief, written map[string]map[int64]uint64) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	own := make(map[string]*belief)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var shard, kind string
		var term uint64
		var value int64
		if n, err := fmt.Sscan(lines.Text(), &kind, &shard, &term, &value); n < 4 || err != nil {
			continue // the last line before a crash
		}
		if kind == "wrote" {
			if written[shard] == nil {
				written[shard] = make(map[int64]uint64)
			}
			written[shard][value] = term
			continue
		}
		key := fmt.Sprint(shard, term)
		b := own[key]
		if b == nil {
			b = &belief{shard, term, value, value}
			own[key], beliefs[shard] = b, append(beliefs[shard], b)
		}
		b.first, b.last = min(b.first, value), max(b.last, value)
	}
	return lines.Err()
}

func readRows(tr kv.ReadTransaction, shard string) (map[int64]uint64, error) {
	rows := nemesisRows.Sub(shard)
	begin, end := rows.Range()
	found, err := tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	stored := make(map[int64]uint64, len(found))
	for _, row := range found {
		key, value := rows.Reader(row.Key), subspace.NewReader(row.Value)
		stored[key.Int64()] = value.Uint64()
	}
	return stored, err
}

// nemesisTime is how long the nemesis strikes: FOR, or a few seconds.
func nemesisTime(t *testing.T) time.Duration {
	d := 8 * time.Second
	if text := os.Getenv("NEMESIS"); text != "" {
		var err error
		d, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	return d
}

// TestNemesis kills, stops and restarts processes that lead shards. `make nemesis-group` does so for
// longer.
func TestNemesis(t *testing.T) {
	longtest.Only(t)
	n := newNemesis(t, testseed.Draw(t), "")
	n.settle()
	for until := time.Now().Add(nemesisTime(t)); time.Now().Before(until); {
		n.strike()
	}
	n.settle()
	n.end()
	require.NoError(t, n.judge())
}

// TestNemesisFindsPlantedBugs: without these the judge could be blind.
func TestNemesisFindsPlantedBugs(t *testing.T) {
	longtest.Only(t)
	for bug, want := range map[string]string{"belief": "believed at the same time", "fence": "follows one of term"} {
		t.Run(bug, func(t *testing.T) {
			t.Parallel()
			n := newNemesis(t, 1, bug)
			n.settle()
			for range 5 { // until it shows
				w := n.workers[0]
				_ = w.Process.Signal(syscall.SIGSTOP)
				time.Sleep(3 * time.Second)
				_ = w.Process.Signal(syscall.SIGCONT)
				time.Sleep(time.Second)
				if err := n.judge(); err != nil && strings.Contains(err.Error(), want) {
					return
				}
			}
			t.Fatal("it was not found")
		})
	}
}
