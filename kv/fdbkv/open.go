package fdbkv

import (
	"fmt"
	"os"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
)

// Open opens the database of a cluster file; an empty name means the default
// one of this machine ($FDB_CLUSTER_FILE, ./fdb.cluster, then
// /etc/foundationdb/fdb.cluster). It selects the API version, where the program
// has not done so, and starts the client's network thread.
//
// It does not wait for the cluster: a Ping with a limited context tells whether
// it can be reached. Close closes the Database.
//
// The binding keeps one database for each cluster file. Databases that Open
// returns for the same file share it, and the last Close closes it; a program
// that opens the same file with the binding as well should give that database
// to FromDatabase instead.
func Open(clusterFile string, opts Options) (*Database, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if clusterFile != "" {
		// The client would report neither before its first use.
		if err := checkClusterFile(clusterFile); err != nil {
			return nil, err
		}
	}
	if err := selectVersion(); err != nil {
		return nil, err
	}
	s, err := acquire(clusterFile)
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
		db, err := fdb.OpenDatabase(clusterFile)
		if err != nil {
			return nil, fmt.Errorf("fdbkv: cannot open %s: %w", describe(clusterFile), convert(err))
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

func describe(clusterFile string) string {
	if clusterFile == "" {
		return "the default cluster file (" + os.Getenv("FDB_CLUSTER_FILE") + ")"
	}
	return "cluster file " + clusterFile
}
