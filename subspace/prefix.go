package subspace

import "errors"

// PrefixEnd returns the first key after all keys that begin with prefix. There
// is none where prefix is empty or has no byte but 0xFF: that is an error.
//
// Subspace.Range bounds the tuples under a prefix; prefix and PrefixEnd bound
// everything under it.
func PrefixEnd(prefix []byte) ([]byte, error) {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end, nil
		}
	}
	return nil, errors.New("no key comes after a prefix that is empty or all 0xFF bytes")
}
