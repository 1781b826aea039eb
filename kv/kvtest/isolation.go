package kvtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
)

// errUnseen is returned by a goroutine that does not see its own commit.
var errUnseen = errors.New("a commit that was acknowledged is not visible")

// isolationCases check that concurrent transactions are serialisable.
var isolationCases = []Case{
	{
		Name:  "Isolation/UncommittedIsInvisible",
		Shows: "other transactions do not see a write before it is committed",
		run: func(t *env) {
			t.put("k", "old")
			tr := t.begin()
			tr.Set(t.key("k"), []byte("new"))
			tr.Set(t.key("k2"), []byte("new"))
			require.Equal(t, "new", t.get(tr, "k"))
			require.Equal(t, "k=old", t.storedAll())
			t.commit(tr)
			require.Equal(t, "k=new k2=new", t.storedAll())
		},
	},
	{
		Name:  "Isolation/AbandonedWritesNothing",
		Shows: "a transaction that is cancelled, reset or never committed writes nothing",
		run: func(t *env) {
			for _, end := range []func(tr kv.OwnedTransaction){
				kv.OwnedTransaction.Cancel, kv.OwnedTransaction.Reset, func(kv.OwnedTransaction) {},
			} {
				tr := t.begin()
				t.get(tr, "k")
				tr.Set(t.key("k"), []byte("v"))
				tr.ClearRange(t.key("a"), t.key("j"))
				end(tr)
			}
			require.Empty(t, t.storedAll())
			t.put("k", "v")
		},
	},
	{
		Name:  "Isolation/NoWriteSkew",
		Shows: "if two transactions each read what the other writes, only one commits",
		run: func(t *env) {
			t.put("a", "on call", "b", "on call")
			first, second := t.pinned(), t.pinned()
			for _, tr := range []kv.OwnedTransaction{first, second} {
				require.Equal(t, "a=on call b=on call", t.all(tr, "", ""))
			}
			first.Clear(t.key("a"))
			second.Clear(t.key("b"))
			t.commit(first)
			t.commitFails(second, kv.CodeNotCommitted)
			require.Equal(t, "b=on call", t.storedAll())
		},
	},
	{
		Name:  "Isolation/Counter",
		Shows: "no increment is lost if many goroutines increment concurrently",
		run:   counter,
	},
	{
		Name:  "Isolation/Bank",
		Shows: "concurrent transfers between accounts never change the total that a reader sees",
		run:   bank,
	},
	{
		Name:  "Isolation/SerialOrder",
		Shows: "random transactions of many goroutines are serialisable in the order of their versionstamps",
		run:   func(t *env) { serialOrder(t, t) },
	},
	{
		Name:  "Isolation/WriteOrder",
		Shows: "writes of a transaction apply in order, and the last write of a key wins",
		run: func(t *env) {
			tr := t.begin()
			tr.Set(t.key("a"), []byte("1"))
			tr.Set(t.key("b"), []byte("1"))
			tr.ClearRange(t.key("a"), t.key("z"))
			tr.Set(t.key("a"), []byte("2"))
			tr.Set(t.key("c"), []byte("1"))
			tr.Clear(t.key("c"))
			tr.Set(t.key("d"), []byte("1"))
			tr.Set(t.key("d"), []byte("2"))
			t.commit(tr)
			require.Equal(t, "a=2 d=2", t.storedAll())
		},
	},
}

func counter(t *env) {
	const workers, increments = 6, 15
	t.concurrently(workers, func(int) error {
		for range increments {
			if err := t.Transact(t.ctx, func(tr kv.Transaction) error { return add(t, tr, "counter", 1) }); err != nil {
				return err
			}
		}
		return nil
	})
	require.Equal(t, strconv.Itoa(workers*increments), t.stored("counter"))
}

// add increments the number stored at key. An absent key counts as zero.
func add(t *env, tr kv.Transaction, key string, amount int) error {
	value, err := tr.Get(t.key(key)).Get()
	if err != nil {
		return err
	}
	number := 0
	if value != nil {
		if number, err = strconv.Atoi(string(value)); err != nil {
			return err
		}
	}
	tr.Set(t.key(key), []byte(strconv.Itoa(number+amount)))
	return nil
}

func bank(t *env) {
	const accounts, initial, workers, transfers = 5, 100, 5, 15
	seed := testseed.Draw(t)
	var opening []string
	for i := range accounts {
		opening = append(opening, numbered(i), strconv.Itoa(initial))
	}
	t.put(opening...)
	t.concurrently(workers, func(worker int) error {
		random := rand.New(rand.NewPCG(seed, uint64(worker)))
		for range transfers {
			from, to, amount := random.IntN(accounts), random.IntN(accounts), 1+random.IntN(20)
			err := t.Transact(t.ctx, func(tr kv.Transaction) error {
				if err := add(t, tr, numbered(from), -amount); err != nil {
					return err
				}
				return add(t, tr, numbered(to), amount)
			})
			if err != nil {
				return err
			}
			if err := balanced(t, accounts*initial); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, balanced(t, accounts*initial))
}

// balanced reads all accounts and checks their total.
func balanced(t *env, want int) error {
	total, err := kv.ReadTransact(t.ctx, t, func(tr kv.ReadTransaction) (int, error) {
		rows, err := tr.GetRange(t.key("n"), t.key("o"), forwards).Get()
		if err != nil {
			return 0, err
		}
		total := 0
		for _, row := range rows {
			amount, err := strconv.Atoi(string(row.Value))
			if err != nil {
				return 0, err
			}
			total += amount
		}
		return total, nil
	})
	if err == nil && total != want {
		err = fmt.Errorf("the accounts total %d, want %d", total, want)
	}
	return err
}
