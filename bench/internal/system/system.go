package system

import (
	"context"
	"time"
)

// System is a way to elect leaders.
type System struct {
	Name string
	// Lease and Heartbeat are what the documentation of the system advises. Settings.Lease
	// replaces the lease for comparisons at an equal one.
	Lease, Heartbeat time.Duration
	// InProcess is true if a store lives in one process. A crash is then simulated: the
	// candidate goes silent.
	InProcess bool
	// Absent says why the system cannot run on this machine. It returns "" if it can.
	Absent func() string
	// Start starts a server, or opens a store.
	Start func(context.Context, Settings) (Server, error)
	// Connect makes what one process has: a client of a server that runs.
	Connect func(ctx context.Context, address string, s Settings) (Client, error)
	// Cannot says why the system has no figure in a scenario, by the name of the scenario.
	Cannot map[string]string
	// Unfair says how the comparison flatters or harms the system, for the report.
	Unfair string
}

// All returns every system, in the order of the report.
func All() []System {
	return []System{Memkv(), Filekv(), Etcd(), Redis(), PostgresLock(), PostgresRow(), ZooKeeper()}
}

// Settings are those of one run.
type Settings struct {
	Dir              string // for files of the server
	Lease, Heartbeat time.Duration
	// Durable says that each acknowledged write is on the disk. Without it, a system has the
	// durability of its recommended settings.
	Durable bool
}

// Server is a system that runs.
type Server interface {
	Version() string
	// Address is what Connect needs, also in another process.
	Address() string
	// PIDs are the processes of the server. There are none if it runs in this process.
	PIDs() []int
	Close() error
}

// Client is what one process has. It is safe for concurrent use.
type Client interface {
	// Campaign takes part in an election in the background. It returns before the candidate
	// leads.
	Campaign(ctx context.Context, election, id string, o Candidacy) (Candidate, error)
	// Traffic counts what the client and the candidates of it have sent and received.
	Traffic() *Traffic
	Close()
}

// Candidacy is how a candidate campaigns, and whom it tells.
type Candidacy struct {
	// Priority is that of the candidate, if the system knows priorities.
	Priority int32
	// Lead is called when the candidate leads, and Lose when it does not lead any more.
	// Renewed is called with the time before the request that renewed the lease last, if the
	// system tells. All may be nil, and must not wait.
	Lead, Lose func()
	Renewed    func(before time.Time)
}

// Candidate is a candidate that campaigns or leads.
type Candidate interface {
	// Resign gives leadership up and leaves the election. It returns when both are acknowledged.
	Resign(ctx context.Context) error
	// Crash goes silent, as if the process were killed. The store stays open.
	Crash()
}

// Renewer is a Client that can renew one lease by hand, for the cost of a renewal.
type Renewer interface {
	// Hold leads an election without a loop. renew renews it once.
	Hold(ctx context.Context, election, id string) (renew func(context.Context) error, err error)
}

// Fencer is a Client whose store can refuse a write of an old leader.
type Fencer interface {
	// Fence leads an election. fenced writes a key under leadership, and plain without.
	Fence(ctx context.Context, election, id string) (fenced, plain func(context.Context) error, err error)
}
