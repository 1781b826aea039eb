package system

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fdbelection/fdbelection/kv/filekv"
)

// Filekv is this project on a file.
func Filekv() System {
	open := func(path string) (*filekv.DB, error) {
		return filekv.Open(path, filekv.Options{MaxWatches: manyWatches})
	}
	return System{
		Name: "filekv", Lease: 10 * time.Second, Heartbeat: 3 * time.Second,
		Absent: func() string { return "" },
		Start: func(_ context.Context, s Settings) (Server, error) {
			f := &fileServer{filepath.Join(s.Dir, "store")}
			db, err := open(f.path)
			if err != nil {
				return nil, err
			}
			return f, db.Close()
		},
		Connect: func(_ context.Context, address string, s Settings) (Client, error) {
			db, err := open(address)
			if err != nil {
				return nil, err
			}
			return NewEngineClient(db, "", s, func() { _ = db.Close() }), nil
		},
		Unfair: "It has no server and no network, and each commit waits for two syncs of the disk.",
	}
}

type fileServer struct{ path string }

func (s *fileServer) Version() string { return "unreleased" }
func (s *fileServer) Address() string { return s.path }
func (s *fileServer) PIDs() []int     { return nil }
func (s *fileServer) Close() error    { return nil }
