package filekv

import "os"

// generation returns a number that every commit changes, and false where the
// file cannot be read just now. It is the number of bbolt's newest transaction,
// so it is there as soon as a commit is and cannot be lost or lag behind, as a
// counter in a file of its own could. No lock is needed: what is half written
// does not count. It is a hint to look, nothing more.
func (s *store) generation() (uint64, bool) {
	f, err := os.Open(s.path)
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	meta, err := readMeta(f)
	return meta.txid, err == nil
}
