package subspace

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersionstamp(t *testing.T) {
	v := Versionstamp{Transaction: [10]byte{0, 0, 0, 0, 0, 0xa1, 0xb2, 0xc3, 0, 1}, User: 0x0203}
	b := v.Bytes()
	require.Equal(t, [12]byte{0, 0, 0, 0, 0, 0xa1, 0xb2, 0xc3, 0, 1, 2, 3}, b)
	require.Equal(t, v, versionstampAt(b[:]))
	require.False(t, v.Incomplete())
	require.Equal(t, "0000000000a1b2c30001:515", v.String())

	i := IncompleteVersionstamp(7)
	require.True(t, i.Incomplete())
	require.Equal(t, uint16(7), i.User)
	require.Equal(t, "incomplete:7", i.String())

	require.Equal(t, "incomplete:65535", IncompleteVersionstamp(65535).String())
}

func TestVersionstampCompare(t *testing.T) {
	ordered := []Versionstamp{
		{},
		{User: 1},
		{User: 256},
		{Transaction: [10]byte{9: 1}},
		{Transaction: [10]byte{8: 1}},
		{Transaction: [10]byte{0: 1}, User: 65535},
		IncompleteVersionstamp(0),
		IncompleteVersionstamp(1),
	}
	for i, a := range ordered {
		for j, b := range ordered {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			require.Equal(t, want, a.Compare(b), "%v %v", a, b)
			bytesA, bytesB := a.Bytes(), b.Bytes()
			require.Equal(t, want, bytes.Compare(bytesA[:], bytesB[:]), "%v %v", a, b)
		}
	}
}
