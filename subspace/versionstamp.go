package subspace

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// Versionstamp is the position of a write in the order of all writes. The database
// chooses the 10 bytes of the transaction. The application chooses the number that
// orders the writes of one transaction.
type Versionstamp struct {
	// Transaction is the commit version (8 bytes) and the position among the commits
	// of that version (2 bytes), both big-endian.
	Transaction [10]byte
	// User orders the versionstamps of one transaction.
	User uint16
}

// incomplete is the Transaction of an incomplete versionstamp.
var incomplete = [10]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// IncompleteVersionstamp returns a versionstamp whose ten transaction bytes are all
// 0xFF. The commit replaces them.
func IncompleteVersionstamp(user uint16) Versionstamp {
	return Versionstamp{Transaction: incomplete, User: user}
}

// versionstampAt reads a versionstamp from the first 12 bytes of b.
func versionstampAt(b []byte) (v Versionstamp) {
	v.User = binary.BigEndian.Uint16(b[10:12])
	copy(v.Transaction[:], b)
	return v
}

// Incomplete reports whether v is still to be completed by a commit.
func (v Versionstamp) Incomplete() bool { return v.Transaction == incomplete }

// Bytes returns the 12 bytes of the versionstamp. They sort as Compare does.
func (v Versionstamp) Bytes() (b [12]byte) {
	copy(b[:], v.Transaction[:])
	binary.BigEndian.PutUint16(b[10:], v.User)
	return b
}

// Compare returns -1, 0 or 1 if v is before, equal to or after other. An
// incomplete versionstamp is after every complete one.
func (v Versionstamp) Compare(other Versionstamp) int {
	return cmp.Or(
		bytes.Compare(v.Transaction[:], other.Transaction[:]),
		cmp.Compare(v.User, other.User),
	)
}

// String returns the transaction in hexadecimal, or "incomplete", and the
// user number in decimal: "000000a1b2c3d4e50001:7".
func (v Versionstamp) String() string {
	transaction := "incomplete"
	if !v.Incomplete() {
		transaction = hex.EncodeToString(v.Transaction[:])
	}
	return transaction + ":" + strconv.Itoa(int(v.User))
}
