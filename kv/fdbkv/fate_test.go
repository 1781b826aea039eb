package fdbkv_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// fates counts commits by their reported outcome.
type fates map[kv.Outcome]struct{ there, absent int }

// judge compares the outcome that an error reports with the content of the database. It
// first runs a transaction that settles the outcome: the transaction reads the key that
// the commit had read and adds a write conflict for it.
func (f fates) judge(ctx context.Context, db kv.Database, key []byte, err error) error {
	said := kv.OutcomeOf(err)
	var there bool
	settled := db.Transact(ctx, func(tr kv.Transaction) error {
		value, err := tr.Get(key).Get()
		there = value != nil
		if err != nil {
			return err
		}
		return tr.AddWriteConflictKey(key)
	})
	if settled != nil {
		return fmt.Errorf("settling: %w", settled)
	}
	count := f[said]
	if there {
		count.there++
	} else {
		count.absent++
	}
	f[said] = count
	if (said == kv.Committed && !there) || (said == kv.NotCommitted && there) {
		return fmt.Errorf("%q: the reported outcome of the commit is %v (%w), but whether its write exists is %t", key, said, err, there)
	}
	return nil
}

// TestCancelledCommits cancels commits at random times, by the context and by the time
// limit. Their reported outcomes must be true.
func TestCancelledCommits(t *testing.T) {
	const commits, patientCommits = 300, 10 * 300
	random := testseed.Random(t)
	db, p := open(t, fdbkv.Options{}), prefix(t)
	found := fates{}
	var usual time.Duration // of a commit without interference
	for i := 0; i < commits || (i < patientCommits && !found.various()); i++ {
		key := below(p, strconv.Itoa(i))
		if i%10 == 0 {
			begin := time.Now()
			require.NoError(t, commitOnce(t.Context(), db, below(p, "usual"), false, 0))
			usual = time.Since(begin)
		}
		delay := time.Duration(random.Int64N(int64(3 * usual / 2)))
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(delay, func() {
			if i%3 != 0 {
				cancel(errStopped)
			}
		})
		err := commitOnce(ctx, db, key, i%3 == 0, delay)
		timer.Stop()
		cancel(nil)
		if err != nil && i%3 != 0 {
			require.ErrorIs(t, err, errStopped)
		}
		require.NoError(t, found.judge(t.Context(), db, key, err))
	}
	t.Logf("%+v", found)
	require.True(t, found.various())
}

// various reports whether there were commits that succeeded, that never began, and that
// were abandoned midway.
func (f fates) various() bool {
	return f[kv.Committed].there > 0 && f[kv.NotCommitted].absent > 0 && f[kv.Unsettled].there+f[kv.Unsettled].absent > 0
}

// commitOnce reads and writes a key in one attempt, with or without a time limit.
func commitOnce(ctx context.Context, db kv.Database, key []byte, limited bool, limit time.Duration) error {
	tr, err := db.CreateTransaction(ctx)
	if err != nil {
		return err
	}
	defer tr.Cancel()
	if limited {
		tr.SetTimeout(limit + time.Nanosecond)
	}
	if _, err := tr.Get(key).Get(); err != nil {
		return err
	}
	tr.Set(key, []byte("v"))
	return tr.Commit()
}

// TestLostAcknowledgements: the client library injects faults, including commits that
// succeed but return 1021. All reported outcomes must be true, and a counter with markers
// for its increments must count each increment once.
func TestLostAcknowledgements(t *testing.T) {
	t.Parallel()
	out := spawn(t, "buggify", string(prefix(t))).wait()
	t.Log(out)
}

// buggify is the part of the child. The faults affect the whole process and cannot be
// switched off again.
func buggify(p string) error {
	db, err := buggified()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found := fates{}
	for i := range 200 {
		key := binary.BigEndian.AppendUint32([]byte(p+"single/"), uint32(i))
		err := commitOnce(ctx, db, key, false, 0)
		if err := found.judge(ctx, db, key, err); err != nil {
			return err
		}
	}
	fmt.Printf("single commits: %+v\n", found)
	if found[kv.UnknownResult].there == 0 || found[kv.NotCommitted].absent == 0 {
		return errors.New("the client lost no acknowledgement or rejected no commit; are its faults switched on?")
	}
	return countOnce(ctx, db, p)
}

// countOnce increments a counter and writes a marker for each increment. A retried
// increment finds out by the marker whether it was done.
func countOnce(ctx context.Context, db kv.Database, p string) error {
	const increments = 100
	counter, again := []byte(p+"counter"), 0
	for i := range increments {
		marker := binary.BigEndian.AppendUint32([]byte(p+"done/"), uint32(i))
		if err := db.Transact(ctx, func(tr kv.Transaction) error {
			done, value := tr.Get(marker), tr.Get(counter)
			before, err := done.Get()
			if err != nil {
				return err
			}
			if before != nil {
				again++
				return nil
			}
			v, err := value.Get()
			if err != nil {
				return err
			}
			n, _ := strconv.Atoi(string(v))
			tr.Set(marker, nil)
			tr.Set(counter, strconv.AppendInt(nil, int64(n+1), 10))
			return nil
		}); err != nil {
			return err
		}
	}
	v, err := kv.ReadTransact(ctx, db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(counter).Get() })
	if err != nil {
		return err
	}
	fmt.Printf("counter: %s of %d; already done when retried: %d\n", v, increments, again)
	if string(v) != strconv.Itoa(increments) {
		return errors.New("the counter is wrong")
	}
	if again == 0 {
		return errors.New("no acknowledgement of an increment was lost")
	}
	return nil
}

// TestCancelAgainstCommit: Cancel and Reset in another goroutine race with the commit. The
// reported outcome of the commit must be true.
func TestCancelAgainstCommit(t *testing.T) {
	const commits = 200
	random := testseed.Random(t)
	db, p := open(t, fdbkv.Options{}), prefix(t)
	found := fates{}
	for i := range commits {
		key := below(p, strconv.Itoa(i))
		tr, err := db.CreateTransaction(t.Context())
		require.NoError(t, err)
		_, err = tr.Get(key).Get()
		require.NoError(t, err)
		tr.Set(key, []byte("v"))
		spins := random.IntN(1 << random.IntN(17)) // from before the start of the commit until after its end
		ready := make(chan struct{})
		ended := background(func() error {
			close(ready)
			for range spins {
				runtime.Gosched()
			}
			if i%2 == 0 {
				tr.Cancel()
			} else {
				tr.Reset()
			}
			return nil
		})
		<-ready
		err = tr.Commit()
		require.NoError(t, await(t, ended))
		tr.Cancel()
		if i%2 != 0 && err == nil {
			continue // after an early Reset, the commit was empty
		}
		require.NoError(t, found.judge(t.Context(), db, key, err))
	}
	t.Logf("%+v", found)
}
