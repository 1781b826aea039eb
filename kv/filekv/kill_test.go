//go:build unix

package filekv_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// killSeedEnv replays the moments of a run, as far as processes can be replayed.
const killSeedEnv = "FILEKV_KILL_SEED"

// acknowledged is a commit that a child was told to be done.
type acknowledged struct {
	N     int64 // the child's own counter, which the commit raised to this
	Read  int64 // the read version
	Wrote int64 // the version of the commit
}

// writeUntilKilled counts up a key of its own and a common one, keeps a record
// of each step under a versionstamped key, and tells each acknowledgement.
func writeUntilKilled(c *childSide) error {
	db, err := c.open()
	if err != nil {
		return err
	}
	var name string
	if err := c.ready(&name); err != nil {
		return err
	}
	for {
		var ack acknowledged
		tr, err := db.CreateTransaction(context.Background())
		if err != nil {
			return err
		}
		err = kv.RetryLoop(tr, func(t kv.Transaction) error {
			own, common := t.Get([]byte("own/"+name)), t.Get([]byte("common"))
			n, err := count(own)
			if err != nil {
				return err
			}
			total, err := count(common)
			if err != nil {
				return err
			}
			if ack.Read, err = t.GetReadVersion().Get(); err != nil {
				return err
			}
			ack.N = n + 1
			t.Set([]byte("own/"+name), []byte(strconv.FormatInt(n+1, 10)))
			t.Set([]byte("common"), []byte(strconv.FormatInt(total+1, 10)))
			step := append([]byte("step/"), make([]byte, 10)...)
			t.SetVersionstampedKey(binary.LittleEndian.AppendUint32(step, uint32(len("step/"))), []byte(name))
			return nil
		})
		if err != nil {
			return err
		}
		if ack.Wrote, err = tr.GetCommittedVersion(); err != nil {
			return err
		}
		if err := c.out.Encode(ack); err != nil {
			return err
		}
	}
}

// count reads a number; 0 where there is none.
func count(f kv.Future[[]byte]) (int64, error) {
	value, err := f.Get()
	if err != nil || value == nil {
		return 0, err
	}
	return strconv.ParseInt(string(value), 10, 64)
}

// Processes that write are killed at random moments, round after round, while
// others go on. Every acknowledged commit is there afterwards, none is there
// twice, and versions only grow.
func TestKilledWriters(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv(killSeedEnv); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("replay with %s=%d go test ./kv/filekv -run %s", killSeedEnv, seed, t.Name())
	random := rand.New(rand.NewPCG(seed, 0))
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	path := filepath.Join(t.TempDir(), "store")
	names := []string{"a", "b", "c"}
	check := &killChecker{last: make(map[string]acknowledged)}
	for _, name := range names {
		check.last[name] = acknowledged{} // its commits count before the first is acknowledged
	}
	for round := range rounds {
		told := make(chan struct {
			name string
			acks []acknowledged
		})
		for _, name := range names {
			victim := spawn(t, "write", path)
			victim.await()
			victim.tell(name)
			moment := time.Duration(random.Int64N(int64(60 * time.Millisecond)))
			go func() {
				var acks []acknowledged
				time.AfterFunc(moment, func() { _ = victim.cmd.Process.Kill() })
				for {
					var ack acknowledged
					if victim.out.Decode(&ack) != nil {
						break
					}
					acks = append(acks, ack)
				}
				told <- struct {
					name string
					acks []acknowledged
				}{name, acks}
			}()
		}
		for range names {
			report := <-told
			check.acknowledged(t, report.name, report.acks)
		}
		check.store(t, path, fmt.Sprintf("round %d", round))
	}
	t.Logf("%d rounds, %d processes killed, %d commits acknowledged, %d more found", rounds, 3*rounds, check.total, check.more)
	require.Positive(t, check.total)
}

// killChecker knows what was acknowledged.
type killChecker struct {
	last  map[string]acknowledged
	total int64
	more  int64 // commits that are there without an acknowledgement
	top   int64 // the highest version seen
}

// acknowledged takes the reports of one process that was killed.
func (k *killChecker) acknowledged(t *testing.T, name string, acks []acknowledged) {
	t.Helper()
	for _, ack := range acks {
		before := k.last[name]
		require.Greater(t, ack.N, before.N, "the counter of %s went back or repeats", name)
		require.Greater(t, ack.Wrote, ack.Read, "the version of a commit is above its read version")
		require.GreaterOrEqual(t, ack.Read, before.Wrote, "a read version is below an acknowledged commit")
		k.last[name] = ack
		k.total++
	}
}

// store opens the store, which checks its pages, and compares.
func (k *killChecker) store(t *testing.T, path, when string) {
	t.Helper()
	db, err := filekv.Open(path, filekv.Options{MustExist: true})
	require.NoError(t, err, when)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.ReadTransact(t.Context(), func(tr kv.ReadTransaction) error {
		version, err := tr.GetReadVersion().Get()
		require.NoError(t, err)
		require.GreaterOrEqual(t, version, k.top, "%s: the version went back", when)
		k.top = version
		sum, steps := int64(0), make(map[string]int64)
		rows, err := tr.GetRange([]byte("step/"), []byte("step0"), kv.RangeOptions{}).Get()
		require.NoError(t, err)
		for _, row := range rows {
			steps[string(row.Value)]++
		}
		for name, last := range k.last {
			n, err := count(tr.Get([]byte("own/" + name)))
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, last.N, "%s: an acknowledged commit of %s is lost", when, name)
			require.Equal(t, n, steps[name], "%s: a commit of %s is there in part", when, name)
			require.GreaterOrEqual(t, version, last.Wrote, "%s: the version is below an acknowledged commit", when)
			k.last[name] = acknowledged{N: n, Read: last.Read, Wrote: last.Wrote}
			sum += n
		}
		total, err := count(tr.Get([]byte("common")))
		require.NoError(t, err)
		require.Equal(t, sum, total, "%s: a commit is there in part", when)
		k.more = total - k.total
		return nil
	}))
}

// createAtOnce creates the store as soon as it is told to.
func createAtOnce(c *childSide) error {
	var word string
	if err := c.ready(&word); err != nil {
		return err
	}
	db, err := c.open()
	if err != nil {
		return err
	}
	err = db.Transact(context.Background(), func(tr kv.Transaction) error {
		n, err := count(tr.Get([]byte("opened")))
		tr.Set([]byte("opened"), []byte(strconv.FormatInt(n+1, 10)))
		return err
	})
	if err != nil {
		return err
	}
	return c.out.Encode("done")
}

// Several processes create the same store at once, and some of them die over
// it: there is one store, and nothing half done stays.
func TestKilledCreators(t *testing.T) {
	for round := range 10 {
		path := filepath.Join(t.TempDir(), "store")
		var children []*child
		for range 4 {
			c := spawn(t, "create", path)
			c.await()
			children = append(children, c)
		}
		for i, c := range children {
			c.tell("go")
			if i < 2 {
				time.AfterFunc(time.Duration(round)*time.Millisecond/2, func() { _ = c.cmd.Process.Kill() })
			}
		}
		for i, c := range children {
			var word string
			err := c.out.Decode(&word)
			if i < 2 {
				continue // it was killed, perhaps in time
			}
			require.NotErrorIs(t, err, io.EOF)
			require.NoError(t, err)
		}
		db, err := filekv.Open(path, filekv.Options{MustExist: true})
		require.NoError(t, err)
		require.NoError(t, db.ReadTransact(t.Context(), func(tr kv.ReadTransaction) error {
			n, err := count(tr.Get([]byte("opened")))
			require.GreaterOrEqual(t, n, int64(2))
			return err
		}))
		require.NoError(t, db.Close())
	}
}
