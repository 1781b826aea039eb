package differential

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// TestMemkvAgainstFilekv checks that the engines of this module give the same
// answers.
func TestMemkvAgainstFilekv(t *testing.T) {
	t.Parallel()
	Run(t, engines.Mem(), engines.File(), 300)
}

// TestSeveralHandles checks the same if transactions use several handles in turn.
func TestSeveralHandles(t *testing.T) {
	t.Parallel()
	Run(t, withHandles(engines.Mem()), withHandles(engines.File()), 100)
}

// withHandles returns an engine whose transactions use several handles in turn.
func withHandles(e kvtest.Engine) kvtest.Engine {
	open := e.Open
	e.Open = func(t testing.TB) kvtest.Store {
		s := open(t)
		s.Database = &handles{Database: s.Database, all: []kv.Database{s.Database, s.Share(t), s.Share(t)}}
		return s
	}
	return e
}

// handles is a database that creates each transaction on the next handle.
type handles struct {
	kv.Database
	all  []kv.Database
	next int
}

func (h *handles) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	h.next++
	return h.all[h.next%len(h.all)].CreateTransaction(ctx)
}

// TestDifferencesAreFound checks that an engine with a fault is found, and that the
// script is reduced to the steps that show it.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name   string
		inject func(tr *faulty)
		most   int // maximum number of steps after reduction
	}{
		{"clears are ignored", func(tr *faulty) { tr.clear = func([]byte) {} }, 3},
		{"snapshot reads conflict", func(tr *faulty) { tr.snapshot = func() kv.ReadTransaction { return tr.OwnedTransaction } }, 6},
		{"write conflicts are ignored", func(tr *faulty) { tr.addWrite = func([]byte) error { return nil } }, 2},
		{"a conflict is reported as 1021", func(tr *faulty) {
			tr.commit = func() error {
				err := tr.OwnedTransaction.Commit()
				if kv.CodeOf(err) == kv.CodeNotCommitted {
					err = kv.Error{Code: kv.CodeCommitUnknownResult}
				}
				return err
			}
		}, 6},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			const seed = 1
			broken := engines.Mem().Open(t)
			broken.Database = &faultyDB{broken.Database, fault.inject}
			d := &difference{t: t, stores: [2]kvtest.Store{engines.Mem().Open(t), broken}}
			random := rand.New(rand.NewPCG(seed, 0))
			for range 500 {
				script := generate(random)
				if !d.differs(script) {
					continue
				}
				small := d.minimise(script)
				explained := d.explain(small, "right", "wrong")
				require.LessOrEqual(t, len(small), fault.most, explained)
				require.Contains(t, explained, "right: ")
				return
			}
			t.Fatal("no script shows the fault")
		})
	}
}

// TestScriptsReplay checks that a seed always generates the same script.
func TestScriptsReplay(t *testing.T) {
	t.Parallel()
	one, same := rand.New(rand.NewPCG(7, 0)), rand.New(rand.NewPCG(7, 0))
	for range 20 {
		require.Equal(t, generate(one), generate(same))
	}
}

// faultyDB is a database whose transactions have a fault.
type faultyDB struct {
	kv.Database
	inject func(tr *faulty)
}

func (db *faultyDB) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	tr, err := db.Database.CreateTransaction(ctx)
	if err != nil {
		return nil, err
	}
	f := &faulty{OwnedTransaction: tr, clear: tr.Clear, snapshot: tr.Snapshot, addWrite: tr.AddWriteConflictKey, commit: tr.Commit}
	db.inject(f)
	return f, nil
}

type faulty struct {
	kv.OwnedTransaction
	clear    func(key []byte)
	snapshot func() kv.ReadTransaction
	addWrite func(key []byte) error
	commit   func() error
}

func (f *faulty) Clear(key []byte)                     { f.clear(key) }
func (f *faulty) Snapshot() kv.ReadTransaction         { return f.snapshot() }
func (f *faulty) AddWriteConflictKey(key []byte) error { return f.addWrite(key) }
func (f *faulty) Commit() error                        { return f.commit() }
