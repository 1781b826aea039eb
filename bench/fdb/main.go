// Peers on FoundationDB: the same program as ../peers, for one more system. It needs the client
// library of FoundationDB, and a cluster whose file FDB_CLUSTER_FILE names.
package main

import (
	"context"
	"os"
	"regexp"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/bench/internal/program"
	"github.com/fdbelection/fdbelection/bench/internal/system"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

func main() { os.Exit(program.Main([]system.System{foundationDB()})) }

// foundationDB is this project on a cluster that runs already. Each run has a part of the key
// space of its own, which stays.
func foundationDB() system.System {
	return system.System{
		Name: "FoundationDB", Lease: 10 * time.Second, Heartbeat: 3 * time.Second,
		Absent: func() string {
			if os.Getenv("FDB_CLUSTER_FILE") == "" {
				return "FDB_CLUSTER_FILE names no cluster"
			}
			return ""
		},
		Start: func(context.Context, system.Settings) (system.Server, error) { return server{uuid.NewString()}, nil },
		Connect: func(_ context.Context, address string, s system.Settings) (system.Client, error) {
			db, err := fdbkv.Open(os.Getenv("FDB_CLUSTER_FILE"), fdbkv.Options{})
			if err != nil {
				return nil, err
			}
			return system.NewEngineClient(db, address, s, func() { _ = db.Close() }), nil
		},
		Unfair: "One server process with one copy of the data, on the machine of its clients. The server was built for this " +
			"measurement with little optimisation. The processor time of the server is not counted.",
	}
}

type server struct{ space string }

// Version returns the version of a server process, as its status tells.
func (s server) Version() string {
	file := os.Getenv("FDB_CLUSTER_FILE")
	opened, err := fdbkv.Open(file, fdbkv.Options{}) // it chooses the version of the API
	if err != nil {
		return "unknown"
	}
	defer opened.Close() //nolint:errcheck // it only reads
	db, err := fdb.OpenDatabase(file)
	if err != nil {
		return "unknown"
	}
	status, err := db.ReadTransact(func(tr fdb.ReadTransaction) (any, error) {
		return tr.Get(fdb.Key("\xff\xff/status/json")).Get()
	})
	if err != nil {
		return "unknown"
	}
	if found := version.FindSubmatch(status.([]byte)); found != nil {
		return string(found[1])
	}
	return "unknown"
}

var version = regexp.MustCompile(`"version"\s*:\s*"([0-9.]+)"`)

func (s server) Address() string { return s.space }
func (s server) PIDs() []int     { return nil }
func (s server) Close() error    { return nil }
