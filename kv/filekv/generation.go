package filekv

import "os"

// generation returns a number that every commit changes. It returns false if the
// file cannot be read now. The number is that of bbolt's newest transaction, so it
// changes together with the commit. A counter in a separate file could be lost or be
// late. No lock is needed, because a half-written meta page has a wrong checksum.
// Callers use the number only to decide whether to read the keys again.
func (s *store) generation() (uint64, bool) {
	f, err := os.Open(s.path)
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	meta, err := readMeta(f)
	return meta.txid, err == nil
}
