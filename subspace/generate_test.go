package subspace

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomBytes returns up to limit bytes.
func randomBytes(random *rand.Rand, limit int) []byte {
	b := make([]byte, random.IntN(limit))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// generator makes tuples from any bytes, for fuzzing and for random tests. After the
// last byte it continues with zeros.
type generator struct {
	b []byte
}

func (g *generator) byte() byte {
	if len(g.b) == 0 {
		return 0
	}
	b := g.b[0]
	g.b = g.b[1:]
	return b
}

func (g *generator) below(n int) int { return int(g.byte()) % n }

func (g *generator) take(n int) []byte {
	taken := make([]byte, n)
	g.b = g.b[copy(taken, g.b):]
	return taken
}

func (g *generator) uint64() uint64 { return binary.BigEndian.Uint64(g.take(8)) }

// tuple makes a tuple that can be packed: without incomplete versionstamps and
// integers that are too long.
func (g *generator) tuple(depth int) Tuple {
	t := Tuple{}
	for range g.below(6) {
		t = append(t, g.element(depth))
	}
	return t
}

func (g *generator) element(depth int) Element {
	switch g.below(14) {
	case 0:
		return Nil{}
	case 1:
		return nil
	case 2:
		return Bytes(g.text())
	case 3:
		return String(g.text())
	case 4: // near the powers of two, where the lengths change
		return Int(int64(1)<<g.below(64) + int64(int8(g.byte())))
	case 5:
		return Int(-(int64(1)<<g.below(64) + int64(int8(g.byte()))))
	case 6:
		return Uint(g.uint64() >> g.below(64))
	case 7:
		return g.bigInt()
	case 8:
		return Float32(math.Float32frombits(uint32(g.special(32))))
	case 9:
		return Float64(math.Float64frombits(g.special(64)))
	case 10:
		return Bool(g.byte()&1 == 1)
	case 11:
		return UUID(g.take(16))
	case 12:
		v := Versionstamp{User: uint16(g.below(3)), Transaction: [10]byte(g.take(10))}
		v.Transaction[9] &^= 1 // never incomplete
		return v
	default:
		if depth == 4 {
			return Tuple{}
		}
		return g.tuple(depth + 1)
	}
}

// text prefers bytes that are special in the encoding.
func (g *generator) text() []byte {
	text := []byte{}
	for range g.below(6) {
		switch g.below(5) {
		case 0:
			text = append(text, 0x00)
		case 1:
			text = append(text, 0xff)
		case 2:
			text = append(text, "é\U0001f525"[g.below(2)*2:]...)
		case 3:
			text = append(text, 0x01)
		default:
			text = append(text, g.byte())
		}
	}
	return text
}

func (g *generator) bigInt() BigInt {
	size := g.below(20)
	if g.below(16) == 0 {
		size = maxIntegerLen - g.below(2)
	}
	v := new(big.Int).SetBytes(g.take(size))
	switch g.below(4) {
	case 0:
		v.Neg(v)
	case 1: // all ones, or a power of two
		v.Lsh(big.NewInt(1), uint(8*min(size, maxIntegerLen-1)))
		v.Sub(v, big.NewInt(int64(g.below(2))))
	case 2:
		v.Lsh(big.NewInt(1), uint(8*min(size, maxIntegerLen-1)))
		v.Sub(v, big.NewInt(int64(g.below(2)))).Neg(v)
	}
	return BigInt{Value: v}
}

// special returns the bits of a float of the given size: any bits, or an exponent
// of all zeros or all ones, as zeros, infinities and NaNs have.
func (g *generator) special(size int) uint64 {
	bits := g.uint64()
	exponent := uint64(0x7ff) << 52
	if size == 32 {
		bits, exponent = bits>>32, 0xff<<23
	}
	switch g.below(4) {
	case 0:
		bits |= exponent
	case 1:
		bits &^= exponent
	case 2: // infinities
		bits = bits&(1<<(size-1)) | exponent
	}
	return bits
}

// requireSame fails unless got is equal to want by compareTuples, with each integer
// in the type that Unpack returns for it.
func requireSame(t testing.TB, want, got Tuple) {
	require.Zero(t, compareTuples(want, got), "want %v\ngot  %v", want, got)
	requireNormal(t, got)
}

func requireNormal(t testing.TB, got Tuple) {
	for _, e := range got {
		switch e := e.(type) {
		case nil:
			t.Fatal("a nil Element was read")
		case Uint:
			require.Greater(t, uint64(e), uint64(math.MaxInt64))
		case BigInt:
			require.False(t, e.Value.IsInt64() || e.Value.IsUint64(), "%v", e)
		case Tuple:
			require.NotNil(t, e)
			requireNormal(t, e)
		}
	}
}
