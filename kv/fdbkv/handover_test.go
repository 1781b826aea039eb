package fdbkv_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// BenchmarkHandover measures the time between an acknowledged resignation in one process
// and the acknowledged claim of the successor in another. It compares this with the bare
// sequence "a watch fires, read, commit".
func BenchmarkHandover(b *testing.B) {
	p := prefix(b)
	bare := spawn(b, "follow", string(p))
	e := elect(b, 1)
	successor := spawn(b, "succeed", string(e.Subspace().Bytes()))
	db, ctx := e.db, context.Background()
	var took [2][]time.Duration
	for i := 0; b.Loop(); i++ {
		bare.watches()
		require.NoError(b, db.Transact(ctx, func(tr kv.Transaction) error {
			tr.Set(p, strconv.AppendInt(nil, int64(i+1), 10))
			return nil
		}))
		took[0] = append(took[0], since(b, time.Now(), bare.line()))

		successor.watches()
		require.NoError(b, db.Transact(ctx, func(tr kv.Transaction) error {
			return e.ResignLeadership(tr, e.token, time.Now())
		}))
		took[1] = append(took[1], since(b, time.Now(), successor.line()))

		successor.line() // it has resigned
		require.NoError(b, db.Transact(ctx, func(tr kv.Transaction) error {
			result, err := e.RunElectionCycle(tr, e.leader, time.Now())
			if err == nil && result.Action != election.Claimed {
				err = fmt.Errorf("got %v instead of a claim", result.Action)
			}
			e.token = result.Leader.Token()
			return err
		}))
	}
	for _, c := range []*child{bare, successor} {
		require.NoError(b, c.in.Close())
		c.wait()
	}
	for n, name := range []string{"bare", "handover"} {
		slices.Sort(took[n])
		for _, percent := range []int{50, 99} {
			at := func(n int) float64 { return float64(took[n][(len(took[n])-1)*percent/100].Microseconds()) }
			b.ReportMetric(at(n), fmt.Sprintf("%s-p%d-µs", name, percent))
			if n > 0 {
				b.ReportMetric(at(n)/at(0), fmt.Sprintf("%s/bare-p%d", name, percent))
			}
		}
	}
}

// watches lets a child start a round and waits until it watches.
func (c *child) watches() {
	c.t.Helper()
	_, err := io.WriteString(c.in, "go\n")
	require.NoError(c.t, err)
	require.Equal(c.t, "watching", c.line())
}

// since returns the time between begin and the time that the child reported. Both
// processes have the same clock.
func since(b *testing.B, begin time.Time, noted string) time.Duration {
	b.Helper()
	nanos, err := strconv.ParseInt(noted, 10, 64)
	require.NoError(b, err)
	return time.Unix(0, nanos).Sub(begin)
}

// follow is the bare sequence of a child: watch a key, and when it has changed, read it and
// write another one.
func follow(key string) error {
	db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	seen := ""
	return rounds(db, func(tr kv.Transaction) (kv.Watch, error) {
		value, err := tr.Get([]byte(key)).Get()
		seen = string(value)
		return tr.Watch([]byte(key)), err
	}, func(tr kv.Transaction) (bool, error) {
		value, err := tr.Get([]byte(key)).Get()
		tr.Set([]byte(key+"/other"), value)
		return string(value) != seen, err
	}, nil)
}

// succeed claims the leadership whenever it is vacant, and resigns.
func succeed(space string) error {
	db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	e := election.New(subspace.FromBytes([]byte(space)))
	me := election.Registration{Identity: election.Identity{ID: uuid.NewString(), Incarnation: uuid.New()}}
	if err := db.Transact(context.Background(), func(tr kv.Transaction) error {
		return e.RegisterCandidate(tr, me, time.Now())
	}); err != nil {
		return err
	}
	var token election.Token
	return rounds(db, func(tr kv.Transaction) (kv.Watch, error) {
		return e.Watch(tr), nil
	}, func(tr kv.Transaction) (bool, error) {
		result, err := e.RunElectionCycle(tr, me, time.Now())
		token = result.Leader.Token()
		return result.Action == election.Claimed, err
	}, func(tr kv.Transaction) error {
		return e.ResignLeadership(tr, token, time.Now())
	})
}

// rounds runs one round for each line of its input. It registers a watch, reports that,
// waits until the watch fires, runs the reaction, reports the time, and undoes the
// reaction.
func rounds(
	db kv.Database, watch func(kv.Transaction) (kv.Watch, error), react func(kv.Transaction) (bool, error), undo func(kv.Transaction) error,
) error {
	ctx := context.Background()
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		announce := true
		for reacted := false; !reacted; {
			watching, err := kv.Transact(ctx, db, watch)
			if err != nil {
				return err
			}
			if announce {
				fmt.Println("watching")
				announce = false
			}
			<-watching.Done()
			if err := watching.Err(); err != nil {
				return err
			}
			if reacted, err = kv.Transact(ctx, db, react); err != nil {
				return err
			}
		}
		fmt.Println(time.Now().UnixNano())
		if undo == nil {
			continue
		}
		if err := db.Transact(ctx, undo); err != nil {
			return err
		}
		fmt.Println("undone")
	}
	return nil
}
