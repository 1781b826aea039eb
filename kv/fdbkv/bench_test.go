package fdbkv_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// sideBySide measures functions alternately, so that the load of the machine affects all
// of them. For each function, it reports the median and the 10th percentile, which load
// affects least, and their ratios to those of the first function. Each round starts with
// a different function, so that their order varies.
func sideBySide(b *testing.B, names []string, fns ...func(i int) error) {
	b.Helper()
	took := make([][]time.Duration, len(fns))
	for i := 0; b.Loop(); i++ {
		for turn := range fns {
			n := (i + turn) % len(fns)
			begin := time.Now()
			if err := fns[n](i); err != nil {
				b.Fatal(err)
			}
			took[n] = append(took[n], time.Since(begin))
		}
	}
	for n, name := range names {
		slices.Sort(took[n])
		for _, percent := range []int{10, 50} {
			at := func(n int) float64 { return float64(took[n][(len(took[n])-1)*percent/100].Microseconds()) }
			b.ReportMetric(at(n), fmt.Sprintf("%s-p%d-µs", name, percent))
			if n > 0 {
				b.ReportMetric(at(n)/at(0), fmt.Sprintf("%s/%s-p%d", name, names[0], percent))
			}
		}
	}
}

// BenchmarkCycle compares cycles with two bare transactions of the binding. The first
// reads one key and writes one. The second reads four keys in one batch, as a cycle does.
func BenchmarkCycle(b *testing.B) {
	e, db := elect(b, 2), raw(b)
	key := fdb.Key(append(prefix(b), "bare"...))
	cycle := func(n int) func(int) error {
		return func(int) error {
			return e.db.Transact(context.Background(), func(tr kv.Transaction) error {
				_, err := e.RunElectionCycle(tr, e.members[n], time.Now())
				return err
			})
		}
	}
	bare := func(reads int) func(int) error {
		return func(i int) error {
			_, err := db.Transact(func(tr fdb.Transaction) (any, error) {
				answers := make([]fdb.FutureByteSlice, reads)
				for n := range answers {
					answers[n] = tr.Get(append(slices.Clip(key), byte(n)))
				}
				for _, answer := range answers {
					if _, err := answer.Get(); err != nil {
						return nil, err
					}
				}
				tr.Set(key, fmt.Appendf(nil, "%d", i))
				return nil, nil
			})
			return err
		}
	}
	sideBySide(b, []string{"bare", "wave", "leader", "follower"}, bare(1), bare(4), cycle(0), cycle(1))
}

// BenchmarkFence compares a transaction of an application with the same fenced
// transaction.
func BenchmarkFence(b *testing.B) {
	e := elect(b, 2)
	key := append(prefix(b), "work"...)
	work := func(fence bool) func(int) error {
		return func(i int) error {
			return e.db.Transact(context.Background(), func(tr kv.Transaction) error {
				value := tr.Get(key)
				if fence {
					if err := e.RequireLeadership(tr, e.token); err != nil {
						return err
					}
				}
				_, err := value.Get()
				tr.Set(key, fmt.Appendf(nil, "%d", i))
				return err
			})
		}
	}
	sideBySide(b, []string{"unfenced", "fenced"}, work(false), work(true))
}

// BenchmarkAdapter compares a transaction through the adapter with the same transaction
// of the binding.
func BenchmarkAdapter(b *testing.B) {
	binding, db := raw(b), open(b, fdbkv.Options{})
	key := append(prefix(b), "k"...)
	sideBySide(b, []string{"binding", "adapter"}, func(int) error {
		_, err := binding.Transact(func(tr fdb.Transaction) (any, error) {
			_, err := tr.Get(fdb.Key(key)).Get()
			tr.Set(fdb.Key(key), []byte("v"))
			return nil, err
		})
		return err
	}, func(int) error {
		return db.Transact(context.Background(), func(tr kv.Transaction) error {
			_, err := tr.Get(key).Get()
			tr.Set(key, []byte("v"))
			return err
		})
	})
}
