package filekv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A commit wakes only the processes that watch one of the keys that it changes.
// Otherwise the work of n processes would grow with the square of n. Each key is
// hashed to one of signalCount numbers. Each number has a file in the directory beside
// the store (name and ".watch"). The first process that watches such a key creates the
// file. A commit writes its version to the signal files of its keys and closes them.
// Watchers wait for that. If two keys have the same number, their watchers sometimes
// read a key that has not changed.
//
// A signal is only a hint. Watchers also check their keys at intervals, so a lost
// signal file delays a watch but does not break it.
const (
	signalCount = 256
	signalSize  = 8 // a version
)

// signalSet is a set of signal files, by number.
type signalSet [signalCount]bool

// add adds the signal file of a key.
func (set *signalSet) add(key []byte) { set[signalNumber(key)] = true }

// signalNumber returns the number of a key's signal file.
func signalNumber(key []byte) int {
	sum := fnv.New32a()
	_, _ = sum.Write(key)
	return int(sum.Sum32() % signalCount)
}

// signalPath returns the name of a signal file of the store at path.
func signalPath(path string, number int) string {
	return filepath.Join(path+signalSuffix, fmt.Sprintf("%02x", number))
}

// createSignal creates a signal file, and the directory, if it is missing.
func createSignal(path string, number int, mode os.FileMode) error {
	name := signalPath(path, number)
	f, err := os.OpenFile(name, os.O_RDONLY|os.O_CREATE|syscall.O_NONBLOCK, mode)
	if errors.Is(err, fs.ErrNotExist) {
		// Users who can read the files must be able to search the directory.
		if err := os.Mkdir(filepath.Dir(name), mode|mode&0o444>>2); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		f, err = os.OpenFile(name, os.O_RDONLY|os.O_CREATE|syscall.O_NONBLOCK, mode)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// signals holds the signal files that a commit has open.
type signals struct {
	version int64
	files   []*os.File
}

// openSignals opens the signal files of the keys that a commit changes, if they
// exist. It is called before the commit is written: if the process dies while it
// writes, the kernel closes the files, and that wakes the watchers too.
func (s *store) openSignals(changed []previous, version int64) signals {
	opened := signals{version: version}
	var set signalSet
	for _, p := range changed {
		set.add(p.key)
	}
	for number, wanted := range set {
		if !wanted {
			continue
		}
		f, err := os.OpenFile(signalPath(s.path, number), os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			continue // usually because there is no watch
		}
		opened.files = append(opened.files, f)
	}
	return opened
}

// send wakes the watchers. It is called after the lock is released, so that they do
// not have to wait for the lock.
func (g signals) send() {
	for _, f := range g.files {
		// A larger file is not a signal file, and is not changed.
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() <= signalSize {
			_, _ = f.WriteAt(binary.BigEndian.AppendUint64(nil, uint64(g.version)), 0)
		}
		_ = f.Close()
	}
}
