package fdbkv

import (
	"fmt"
	"path/filepath"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
)

// Open opens the database of a cluster file. An empty name means the default file of
// this machine: $FDB_CLUSTER_FILE, ./fdb.cluster, or the file of FoundationDB's
// installation. Open selects the API version if the program has not done so, and starts
// the client's network thread.
//
// Open does not wait for the cluster. To check that it is reachable, call Ping with a
// deadline.
//
// Databases that Open returns for the same file share a connection, which the last Close
// closes. Databases that the program opens with the binding itself do not share it.
func Open(clusterFile string, opts Options) (*Database, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	file, err := resolveClusterFile(clusterFile)
	if err != nil {
		return nil, err
	}
	// The client would report these errors only at its first use.
	if err := checkClusterFile(file); err != nil {
		return nil, err
	}
	if err := selectVersion(); err != nil {
		return nil, err
	}
	s, err := acquire(file)
	if err != nil {
		return nil, err
	}
	return &Database{conn: &connection{db: s.db, shared: s}, source: s.db, opts: &opts}, nil
}

// shared is a database that several connections use.
type shared struct {
	clusterFile string
	db          fdb.Database
	users       int
}

// opened holds the databases that Open has opened. Its lock also protects the binding's
// own map of databases, which has no lock.
var opened = struct {
	sync.Mutex
	byFile map[string]*shared
}{byFile: make(map[string]*shared)}

func acquire(clusterFile string) (*shared, error) {
	opened.Lock()
	defer opened.Unlock()
	s := opened.byFile[clusterFile]
	if s == nil {
		// The binding has one database for each file name, and a Close closes it for all
		// of its users. A different spelling of the name makes this one separate.
		dir, base := filepath.Split(clusterFile)
		db, err := fdb.OpenDatabase(dir + "." + string(filepath.Separator) + base)
		if err != nil {
			return nil, fmt.Errorf("fdbkv: cannot open the database of %s: %w", clusterFile, convert(err))
		}
		s = &shared{clusterFile: clusterFile, db: db}
		opened.byFile[clusterFile] = s
	}
	s.users++
	return s, nil
}

func (s *shared) release() {
	opened.Lock()
	defer opened.Unlock()
	if s.users--; s.users == 0 {
		delete(opened.byFile, s.clusterFile)
		s.db.Close()
	}
}
