package subspace

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/testseed"
)

// FuzzUnpack: any bytes are a tuple or cause a *decodeError. Packing the tuple
// results in the bytes that it was read from, except that integers get their
// shortest form. Unpacking those bytes results in the same tuple. Skip and the typed
// methods read the same bytes as Unpack.
func FuzzUnpack(f *testing.F) {
	for _, v := range readVectors(f) {
		for _, b := range [][]byte{v.hex, v.longer, v.bad} {
			if len(b) < 100 {
				f.Add(b)
			}
		}
	}
	f.Add(bytes.Repeat([]byte{codeNested}, maxDepth+1))
	f.Fuzz(checkUnpack)
}

func checkUnpack(t *testing.T, packed []byte) {
	tuple, err := Unpack(packed)

	skipped := NewReader(packed)
	for skipped.More() {
		skipped.Skip()
	}
	if err != nil {
		require.Nil(t, tuple)
		var decodeError *decodeError
		require.ErrorAs(t, err, &decodeError)
		require.LessOrEqual(t, decodeError.Offset, len(packed))
		require.Equal(t, err, skipped.Err())
		return
	}
	require.NoError(t, skipped.Err())
	requireNormal(t, tuple)

	p := packer{} // like Pack, but accepts incomplete versionstamps
	require.NoError(t, p.tuple(tuple))
	require.Equal(t, shortest(packed), append([]byte{}, p.dst...))
	again, err := Unpack(p.dst)
	require.NoError(t, err)
	requireSame(t, tuple, again)

	r := NewReader(packed)
	requireReads(t, &r, tuple)

	text := tuple.String()
	require.False(t, strings.ContainsFunc(text, func(c rune) bool { return c < ' ' }), "control character in %q", text)
}

// shortest rewrites the integers of a valid packed tuple to their shortest form. It
// uses the arithmetic of the specification.
func shortest(packed []byte) []byte {
	out := []byte{}
	for i := 0; i < len(packed); {
		size := 1 // nil, booleans, the beginning and the end of a nested tuple
		switch code := packed[i]; {
		case code == 0x01 || code == 0x02:
			for packed[i+size] != 0x00 || i+size+1 < len(packed) && packed[i+size+1] == 0xff {
				if packed[i+size] == 0x00 {
					size++ // the escape of a zero byte
				}
				size++
			}
			size++
		case code >= 0x0b && code <= 0x1d:
			n, header := int(code)-0x14, 1
			switch code {
			case 0x1d:
				n, header = int(packed[i+1]), 2
			case 0x0b:
				n, header = int(packed[i+1])-255, 2
			}
			size = header + max(n, -n)
			out = append(out, shortestInteger(packed[i+header:i+size], code < 0x14)...)
			i += size
			continue
		case code == 0x20:
			size = 5
		case code == 0x21:
			size = 9
		case code == 0x30:
			size = 17
		case code == 0x33:
			size = 13
		}
		out = append(out, packed[i:i+size]...)
		i += size
	}
	return out
}

func shortestInteger(body []byte, negative bool) []byte {
	v := new(big.Int).SetBytes(body)
	if negative { // value = body - (2^bits - 1)
		v.Sub(v, allOnes(len(body)))
	}
	n := (v.BitLen() + 7) / 8
	digits := make([]byte, n)
	if v.Sign() < 0 {
		v.Add(v, allOnes(n)).FillBytes(digits)
		if n > 8 {
			return append([]byte{0x0b, byte(255 - n)}, digits...)
		}
		return append([]byte{byte(0x14 - n)}, digits...)
	}
	v.FillBytes(digits)
	if n > 8 {
		return append([]byte{0x1d, byte(n)}, digits...)
	}
	return append([]byte{byte(0x14 + n)}, digits...)
}

func allOnes(size int) *big.Int {
	v := new(big.Int).Lsh(big.NewInt(1), uint(8*size))
	return v.Sub(v, big.NewInt(1))
}

// FuzzRoundTrip: Unpack and a Reader read a tuple as it was packed, and the append
// functions write the same bytes as Pack.
func FuzzRoundTrip(f *testing.F) {
	for i := range byte(14) {
		f.Add([]byte{2, i, 3, 0, 1, 0, 1, 0xff, 0x7f, i, 0x80, 0, 0, 0, 0, 0, 0, 0, 0})
	}
	f.Add([]byte{5, 13, 3, 1, 0, 13, 2, 1, 0, 3, 2, 0, 0, 4, 63, 0, 5, 63, 1})
	f.Fuzz(checkRoundTrip)
}

func checkRoundTrip(t *testing.T, input []byte) {
	g := generator{input}
	tuple := g.tuple(0)
	packed, err := tuple.Pack()
	require.NoError(t, err)
	require.Equal(t, appendTuple([]byte{}, tuple, false), append([]byte{}, packed...))

	got, err := Unpack(packed)
	require.NoError(t, err)
	requireSame(t, tuple, got)

	r := NewReader(packed)
	requireReads(t, &r, got)

	s := New("fuzz")
	key, err := s.Pack(tuple)
	require.NoError(t, err)
	begin, end := s.Range()
	require.Equal(t, len(tuple) > 0, bytes.Compare(begin, key) <= 0 && bytes.Compare(key, end) < 0)
	got, err = s.Unpack(key)
	require.NoError(t, err)
	requireSame(t, tuple, got)

	stamped, err := append(tuple, Tuple{IncompleteVersionstamp(1)}).PackWithVersionstamp(packed)
	require.NoError(t, err)
	offset := int(binary.LittleEndian.Uint32(stamped[len(stamped)-4:]))
	require.Equal(t, 2*len(packed)+2, offset)
	require.Equal(t, incomplete[:], stamped[offset:offset+10])
}

// appendTuple packs with the append functions.
func appendTuple(dst []byte, t Tuple, nested bool) []byte {
	for _, e := range t {
		switch e := e.(type) {
		case nil, Nil:
			if nested {
				dst = appendNestedNil(dst)
			} else {
				dst = appendNil(dst)
			}
		case Bytes:
			dst = appendBytes(dst, e)
		case String:
			dst = AppendString(dst, string(e))
		case Int:
			dst = AppendInt(dst, int64(e))
		case Uint:
			dst = AppendUint(dst, uint64(e))
		case BigInt: // there is no append function for it
			dst, _ = Tuple{e}.appendTo(dst)
		case Float32:
			dst = appendFloat32(dst, float32(e))
		case Float64:
			dst = appendFloat64(dst, float64(e))
		case Bool:
			dst = AppendBool(dst, bool(e))
		case UUID:
			dst = AppendUUID(dst, e)
		case Versionstamp:
			dst = AppendVersionstamp(dst, e)
		case Tuple:
			dst = CloseNested(appendTuple(OpenNested(dst), e, true))
		}
	}
	return dst
}

// requireReads fails unless r reads want with the methods of its types.
func requireReads(t testing.TB, r *Reader, want Tuple) {
	got := Tuple{}
	for i := range want {
		kind := r.Peek()
		switch kind {
		case KindNone:
			t.Fatalf("there is no element, want %v", want[i])
		case KindString:
			if utf8.ValidString(string(want[i].(String))) {
				got = append(got, String(r.Text()))
			} else {
				got = append(got, r.element())
			}
		case KindNested:
			nested := r.Nested()
			requireReads(t, &nested, want[i].(Tuple))
			got = append(got, want[i])
		case KindInteger:
			switch want[i].(type) {
			case Int:
				got = append(got, Int(r.Int64()))
			case Uint:
				got = append(got, Uint(r.Uint64()))
			default:
				got = append(got, r.element())
			}
		case KindBool:
			got = append(got, Bool(r.Bool()))
		case KindUUID:
			got = append(got, UUID(r.UUID()))
		case KindVersionstamp:
			got = append(got, r.Versionstamp())
		default:
			got = append(got, r.element())
		}
		require.NoError(t, r.Err())
	}
	require.False(t, r.More())
	require.Equal(t, KindNone, r.Peek())
	requireSame(t, want, got)
}

// FuzzOrder: packed tuples sort in the order of compareTuples, and are equal if the
// tuples are.
func FuzzOrder(f *testing.F) {
	f.Add([]byte{1, 4, 7, 255}, []byte{1, 4, 8, 0}, uint8(0))
	f.Add([]byte{1, 2, 2, 0, 0}, []byte{1, 2, 1, 0}, uint8(0))
	f.Add([]byte{2, 13, 1, 0, 1}, []byte{1, 13, 0}, uint8(1))
	f.Add([]byte{1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{1, 8, 128, 0, 0, 0, 0, 0, 0, 0, 1}, uint8(0))
	f.Fuzz(checkOrder)
}

func checkOrder(t *testing.T, inputA, inputB []byte, shared uint8) {
	g := generator{inputA}
	a := g.tuple(0)
	g = generator{inputB}
	b := g.tuple(0)
	// A common beginning, so that the first difference is not always at the start.
	b = append(append(Tuple{}, a[:min(len(a), int(shared%4))]...), b...)

	packedA, err := a.Pack()
	require.NoError(t, err)
	packedB, err := b.Pack()
	require.NoError(t, err)
	require.Equal(t, compareTuples(a, b), bytes.Compare(packedA, packedB), "%v\n%v", a, b)

	// The same, one level deeper.
	packedA, err = Tuple{a, Nil{}}.Pack()
	require.NoError(t, err)
	packedB, err = Tuple{b, Nil{}}.Pack()
	require.NoError(t, err)
	require.Equal(t, compareTuples(a, b), bytes.Compare(packedA, packedB), "%v\n%v", a, b)
}

// TestRandomTuples runs the fuzz targets on new random input.
func TestRandomTuples(t *testing.T) {
	random := testseed.Random(t)
	for range 5000 {
		a, b := randomBytes(random, 120), randomBytes(random, 120)
		checkRoundTrip(t, a)
		checkOrder(t, a, b, uint8(random.Uint32()))
		checkOrder(t, a, a, 0)
	}
}

// TestRandomDamage changes, cuts off or inserts a few bytes of packed tuples. Most
// results are not tuples, or are different ones.
func TestRandomDamage(t *testing.T) {
	random := testseed.Random(t)
	for range 5000 {
		g := generator{randomBytes(random, 120)}
		packed, err := g.tuple(0).Pack()
		require.NoError(t, err)
		for range random.IntN(4) {
			if len(packed) == 0 {
				break
			}
			i := random.IntN(len(packed))
			switch random.IntN(3) {
			case 0:
				packed[i] = byte(random.Uint32())
			case 1:
				packed = packed[:i]
			default:
				packed = append(packed[:i], append([]byte{byte(random.IntN(0x34))}, packed[i:]...)...)
			}
		}
		checkUnpack(t, packed)
	}
}
