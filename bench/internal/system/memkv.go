package system

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/kv/memkv"
)

// Memkv is this project on a database in memory.
func Memkv() System {
	return System{
		Name: "memkv", Lease: 10 * time.Second, Heartbeat: 3 * time.Second, InProcess: true,
		Absent: func() string { return "" },
		Start: func(context.Context, Settings) (Server, error) {
			s := &memServer{name: uuid.NewString()}
			memServers.Store(s.name, memkv.New(memkv.Options{MaxWatches: manyWatches}))
			return s, nil
		},
		Connect: func(_ context.Context, address string, s Settings) (Client, error) {
			db, _ := memServers.Load(address)
			return NewEngineClient(db.(*memkv.DB), "", s, func() {}), nil
		},
		Cannot: map[string]string{"cold": "its store lives in one process"},
		Unfair: "It is memory in the same process: no network and no disk. It shows what the library itself costs. A kill is " +
			"only simulated: the candidates of one client send nothing any more.",
	}
}

// manyWatches is enough for 10,000 elections.
const manyWatches = 100_000

var memServers sync.Map // of *memkv.DB by address

type memServer struct{ name string }

func (s *memServer) Version() string { return "unreleased" }
func (s *memServer) Address() string { return s.name }
func (s *memServer) PIDs() []int     { return nil }
func (s *memServer) Close() error    { memServers.Delete(s.name); return nil }
