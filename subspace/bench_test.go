package subspace

import "testing"

// benchmarkRecord resembles a leader record: numbers, an id, a UUID and a versionstamp.
var benchmarkRecord = Tuple{
	Int(1), Int(1_000_000), Int(42), String("node-7.example.org"),
	UUID{1, 2, 3},
	Int(-10),
	Int(1_700_000_000_000_000_000), Int(10_000_000_000),
	Versionstamp{Transaction: [10]byte{5: 1}},
	Bool(true),
}

func BenchmarkPack(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := benchmarkRecord.Pack(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	buffer := make([]byte, 0, 128)
	uuid, stamp := [16]byte{1, 2, 3}, Versionstamp{Transaction: [10]byte{5: 1}}
	for b.Loop() {
		dst := AppendInt(buffer[:0], 1)
		dst = AppendInt(dst, 1_000_000)
		dst = AppendInt(dst, 42)
		dst = AppendString(dst, "node-7.example.org")
		dst = AppendUUID(dst, uuid)
		dst = AppendInt(dst, -10)
		dst = AppendInt(dst, 1_700_000_000_000_000_000)
		dst = AppendInt(dst, 10_000_000_000)
		dst = AppendVersionstamp(dst, stamp)
		buffer = AppendBool(dst, true)
	}
}

func BenchmarkUnpack(b *testing.B) {
	packed := mustPack(b, benchmarkRecord...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Unpack(packed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	packed := mustPack(b, benchmarkRecord...)
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(packed)
		for range 3 {
			r.Int64()
		}
		_ = r.Text()
		r.UUID()
		for range 3 {
			r.Int64()
		}
		r.Versionstamp()
		if !r.Bool() || r.More() {
			b.Fatal(r.Err())
		}
	}
}

func BenchmarkSubspaceKey(b *testing.B) {
	s := New("app", "election", "candidates")
	b.ReportAllocs()
	for b.Loop() {
		key := AppendString(append(make([]byte, 0, 96), s.prefix...), "node-7.example.org")
		if !s.Contains(key) {
			b.Fatal("not in the subspace")
		}
	}
}
