//go:build unix

package filekv_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// acknowledged is a commit that was acknowledged to a child.
type acknowledged struct {
	N     int64 // the value that the commit wrote to the child's own counter
	Read  int64 // the read version
	Wrote int64 // the version of the commit
}

// writeUntilKilled increments its own counter and a common one, writes a versionstamped
// key for each step, and reports each acknowledgement.
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

// count reads a number, or 0 if there is no key.
func count(f kv.Future[[]byte]) (int64, error) {
	value, err := f.Get()
	if err != nil || value == nil {
		return 0, err
	}
	return strconv.ParseInt(string(value), 10, 64)
}

// TestKilledWriters kills writing processes at random times while others continue.
// Afterwards, every acknowledged commit is in the store exactly once, and versions have
// only grown.
func TestKilledWriters(t *testing.T) {
	random := testseed.Random(t)
	rounds := longtest.Pick(8, 40)
	path := filepath.Join(t.TempDir(), "store")
	names := []string{"a", "b", "c"}
	check := &killChecker{last: make(map[string]acknowledged)}
	for _, name := range names {
		check.last[name] = acknowledged{} // before the first acknowledgement, so that its commits are known
	}
	for round := range rounds {
		told := make(chan struct {
			name string
			acks []acknowledged
		})
		for _, name := range names {
			victim := spawn(t, "write", path)
			victim.await()
			victim.send(name)
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
	t.Logf("%d rounds, %d processes killed, %d commits acknowledged, %d unacknowledged ones found", rounds, 3*rounds, check.total, check.more)
	require.Positive(t, check.total)
}

// killChecker records the acknowledged commits.
type killChecker struct {
	last  map[string]acknowledged
	total int64
	more  int64 // commits in the store without an acknowledgement
	top   int64 // the highest version seen
}

// acknowledged checks the reports of a killed process.
func (k *killChecker) acknowledged(t *testing.T, name string, acks []acknowledged) {
	t.Helper()
	for _, ack := range acks {
		before := k.last[name]
		require.Greater(t, ack.N, before.N, "the counter of %s decreased or did not change", name)
		require.Greater(t, ack.Wrote, ack.Read, "the version of a commit must be above its read version")
		require.GreaterOrEqual(t, ack.Read, before.Wrote, "a read version is below the version of an acknowledged commit")
		k.last[name] = ack
		k.total++
	}
}

// store opens the store, which checks its pages, and compares the data.
func (k *killChecker) store(t *testing.T, path, when string) {
	t.Helper()
	db, err := filekv.Open(path, filekv.Options{MustExist: true})
	require.NoError(t, err, when)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.ReadTransact(t.Context(), func(tr kv.ReadTransaction) error {
		version, err := tr.GetReadVersion().Get()
		require.NoError(t, err)
		require.GreaterOrEqual(t, version, k.top, "%s: the version decreased", when)
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
			require.Equal(t, n, steps[name], "%s: only a part of a commit of %s is in the store", when, name)
			require.GreaterOrEqual(t, version, last.Wrote, "%s: the version is below that of an acknowledged commit", when)
			k.last[name] = acknowledged{N: n, Read: last.Read, Wrote: last.Wrote}
			sum += n
		}
		total, err := count(tr.Get([]byte("common")))
		require.NoError(t, err)
		require.Equal(t, sum, total, "%s: only a part of a commit is in the store", when)
		k.more = total - k.total
		return nil
	}))
}

// createAtOnce creates the store when the test tells it to.
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

// TestKilledCreators: several processes create the same store at once, and some of them
// are killed. The result is one complete store and no temporary file.
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
			c.send("go")
			if i < 2 {
				time.AfterFunc(time.Duration(round)*time.Millisecond/2, func() { _ = c.cmd.Process.Kill() })
			}
		}
		for i, c := range children {
			var word string
			err := c.out.Decode(&word)
			if i < 2 {
				continue // it was killed, perhaps before it created the store
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
