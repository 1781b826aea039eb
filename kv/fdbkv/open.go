package fdbkv

import (
	"fmt"
	"path/filepath"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
)

// Open opens the database of a cluster file; an empty name means the default
// one of this machine ($FDB_CLUSTER_FILE, ./fdb.cluster, then that of
// FoundationDB's installation). It selects the API version, where the program
// has not done so, and starts the client's network thread.
//
// It does not wait for the cluster: a Ping with a limited context tells whether
// it can be reached. Close closes the Database.
//
// Databases that Open returns for the same file share a connection, which the
// last Close closes. One that the program has opened with the binding itself is
// another.
func Open(clusterFile string, opts Options) (*Database, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	file, err := resolveClusterFile(clusterFile)
	if err != nil {
		return nil, err
	}
	// The client would not say so before its first use.
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

// shared is a database that several connections have opened.
type shared struct {
	clusterFile string
	db          fdb.Database
	users       int
}

// opened holds what Open has opened. Its lock also keeps the binding's own map
// of databases, which has none, from concurrent use.
var opened = struct {
	sync.Mutex
	byFile map[string]*shared
}{byFile: make(map[string]*shared)}

func acquire(clusterFile string) (*shared, error) {
	opened.Lock()
	defer opened.Unlock()
	s := opened.byFile[clusterFile]
	if s == nil {
		// The binding keeps a database for each name of a file, and whoever closes it
		// closes it for all. Another spelling of the name keeps this one apart.
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
