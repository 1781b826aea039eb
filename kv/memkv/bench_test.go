package memkv

import (
	"context"
	"fmt"
	"testing"

	"github.com/fdbelection/fdbelection/kv"
)

// BenchmarkCycleShape has the shape of an election cycle: four reads in one wave,
// three writes and a commit.
func BenchmarkCycleShape(b *testing.B) {
	db := New(Options{})
	ctx := context.Background()
	var keys [4][]byte
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "\x15\x0celection/one/record%d", i)
	}
	value := make([]byte, 120)
	cycle := func(tr kv.Transaction) error {
		var futures [4]kv.Future[[]byte]
		for i, k := range keys {
			futures[i] = tr.Get(k)
		}
		for _, f := range futures {
			if _, err := f.Get(); err != nil {
				return err
			}
		}
		for _, k := range keys[:3] {
			tr.Set(k, value)
		}
		return nil
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := db.Transact(ctx, cycle); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads one key in one transaction.
func BenchmarkRead(b *testing.B) {
	db := New(Options{})
	ctx := context.Background()
	k := []byte("key")
	read := func(tr kv.ReadTransaction) error {
		_, err := tr.Get(k).Get()
		return err
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := db.ReadTransact(ctx, read); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRange reads ten thousand rows.
func BenchmarkRange(b *testing.B) {
	db := New(Options{})
	ctx := context.Background()
	for from := 0; from < 10_000; from += 1000 {
		_ = db.Transact(ctx, func(tr kv.Transaction) error {
			for i := from; i < from+1000; i++ {
				tr.Set(fmt.Appendf(nil, "candidate/%06d", i), make([]byte, 80))
			}
			return nil
		})
	}
	begin, end := []byte("candidate/"), []byte("candidate0")
	scan := func(tr kv.ReadTransaction) error {
		rows, err := tr.GetRange(begin, end, kv.RangeOptions{}).Get()
		if err == nil && len(rows) != 10_000 {
			b.Fatalf("%d rows", len(rows))
		}
		return err
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := db.ReadTransact(ctx, scan); err != nil {
			b.Fatal(err)
		}
	}
}
