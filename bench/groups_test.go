package bench

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"

	"github.com/fdbelection/fdbelection/bench/internal/system"
	"github.com/fdbelection/fdbelection/internal/membertest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The scenario: so many shards, led by so many processes, and a lease.
var (
	shardCount = flag.Int("shards", 10_000, "number of shards")
	lease      = flag.Duration("lease", 6*time.Second, "lease; etcd takes whole seconds")
)

const processes = 5

func shardNames() []string {
	names := make([]string, *shardCount)
	for i := range names {
		names[i] = fmt.Sprintf("shard-%06d", i)
	}
	return names
}

// fleet is a pool of processes that lead shards.
type fleet interface {
	// start starts the processes, and returns when every shard is led.
	start(b *testing.B, s *membertest.Shares)
	// kill kills a process without a farewell, and returns when its last heartbeat began.
	kill(process int) time.Time
	// stop stops a process in order.
	stop(process int)
	close()
}

func fleets() map[string]func(b *testing.B) fleet {
	return map[string]func(b *testing.B) fleet{
		"memkv": func(*testing.B) fleet { return newPool(memkv.New(memkv.Options{})) },
		"filekv": func(b *testing.B) fleet {
			db, err := filekv.Open(filepath.Join(b.TempDir(), "store"), filekv.Options{})
			require.NoError(b, err)
			b.Cleanup(func() { _ = db.Close() })
			return newPool(db)
		},
		"etcd-2":   func(*testing.B) fleet { return &etcdPool{candidates: 2} },
		"etcd-all": func(*testing.B) fleet { return &etcdPool{candidates: processes} },
	}
}

func scenario(b *testing.B, name string, measure func(s *membertest.Shares, y fleet) time.Duration) {
	b.Helper()
	var took []time.Duration
	for range b.N {
		s, y := membertest.NewShares(), fleets()[name](b)
		y.start(b, s)
		took = append(took, measure(s, y))
		y.close()
	}
	slices.Sort(took)
	b.ReportMetric(ms(took[len(took)/2]), "ms-p50")
	b.ReportMetric(ms(took[len(took)-1]), "ms-max")
	b.ReportMetric(0, "ns/op")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

var names = []string{"memkv", "filekv", "etcd-2", "etcd-all"}

// BenchmarkDeath measures how long after the lease of a dead process, counted from its last
// heartbeat, other processes lead all of its shards. It dies in calm: two leases after the start.
func BenchmarkDeath(b *testing.B) {
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			scenario(b, name, func(s *membertest.Shares, y fleet) time.Duration {
				time.Sleep(2 * *lease)
				last := y.kill(2)
				require.NoError(b, s.Await(5*time.Minute, membertest.LedBy(*shardCount, 2)))
				return time.Since(last) - *lease
			})
		})
	}
}

// BenchmarkStop measures how long after the call that stops a process in order other processes
// lead all of its shards.
func BenchmarkStop(b *testing.B) {
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			scenario(b, name, func(s *membertest.Shares, y fleet) time.Duration {
				begin := time.Now()
				y.stop(2)
				require.NoError(b, s.Await(5*time.Minute, membertest.LedBy(*shardCount, 2)))
				return time.Since(begin)
			})
		})
	}
}

// pool is a group of this project.
type pool struct{ *membertest.Pool }

func newPool(db kv.Database) *pool {
	return &pool{&membertest.Pool{
		Databases: slices.Repeat([]kv.Database{db}, processes), Space: subspace.New("g"), Lease: *lease, Shards: shardNames(),
	}}
}

func (p *pool) start(b *testing.B, s *membertest.Shares) { p.Start(b, s) }
func (p *pool) kill(process int) time.Time               { return p.Kill(process) }
func (p *pool) stop(process int)                         { p.Stop(process) }
func (p *pool) close()                                   { p.Close() }

// etcdPool is an embedded etcd server, and processes that campaign for every shard with one
// session each, as package concurrency of its client offers. So many processes campaign for each
// shard. If it is all of them, shards stay led as long as one process lives, as in a group. Two is
// the least that survives a death, and costs etcd the least.
type etcdPool struct {
	candidates int

	server    system.Server
	processes []*etcdProcess
}

type etcdProcess struct {
	client  *clientv3.Client
	session *concurrency.Session
	cancel  context.CancelFunc
	mu      sync.Mutex
	beat    time.Time
	led     map[string]*concurrency.Election
}

func (p *etcdPool) start(b *testing.B, s *membertest.Shares) {
	var err error
	p.server, err = system.Etcd().Start(b.Context(), system.Settings{Dir: b.TempDir()})
	require.NoError(b, err)
	endpoint := p.server.Address()
	for i := range processes {
		p.processes = append(p.processes, startEtcd(b, endpoint, i, s))
	}
	// Each process campaigns for its own share first. Then others wait for each shard.
	campaigns := 0
	for shift := range p.candidates {
		for i, process := range p.processes {
			var own []string
			for k, name := range shardNames() {
				if (k+shift)%processes == i {
					own = append(own, name)
				}
			}
			for chunk := range slices.Chunk(own, 500) {
				for _, name := range chunk {
					process.campaign(name, i, s)
				}
				campaigns += len(chunk)
				p.await(b, campaigns)
			}
		}
		require.NoError(b, s.Await(5*time.Minute, membertest.LedBy(*shardCount, membertest.NoLeader)))
	}
}

// await waits until so many campaigns are stored.
func (p *etcdPool) await(b *testing.B, campaigns int) {
	require.Eventually(b, func() bool {
		got, err := p.processes[0].client.Get(context.Background(), "e/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		return err == nil && got.Count == int64(campaigns)
	}, time.Minute, 5*time.Millisecond)
}

func startEtcd(b *testing.B, endpoint string, i int, s *membertest.Shares) *etcdProcess {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	require.NoError(b, err)
	seconds := int((*lease + time.Second - 1) / time.Second)
	session, err := concurrency.NewSession(client, concurrency.WithTTL(seconds))
	require.NoError(b, err)
	session.Orphan() // its heartbeats are sent below, so that the time of the last one is known
	ctx, cancel := context.WithCancel(context.Background())
	p := &etcdProcess{client: client, session: session, cancel: cancel, beat: time.Now(), led: make(map[string]*concurrency.Election)}
	go func() {
		ticker := time.NewTicker(*lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			begin := time.Now()
			if _, err := client.KeepAliveOnce(ctx, session.Lease()); err == nil {
				p.mu.Lock()
				p.beat = begin
				p.mu.Unlock()
			}
		}
	}()
	return p
}

// campaign campaigns for a shard in the background.
func (p *etcdProcess) campaign(name string, i int, s *membertest.Shares) {
	e := concurrency.NewElection(p.session, "e/"+name)
	go func() {
		if e.Campaign(p.client.Ctx(), fmt.Sprint(i)) == nil {
			p.mu.Lock()
			p.led[name] = e
			p.mu.Unlock()
			s.Lead(name, i)
		}
	}()
}

func (p *etcdPool) kill(i int) time.Time {
	process := p.processes[i]
	process.cancel()
	process.mu.Lock()
	defer process.mu.Unlock()
	_ = process.client.Close()
	return process.beat
}

// stop revokes the lease of the session, which frees all of its shards at once.
func (p *etcdPool) stop(i int) {
	process := p.processes[i]
	process.cancel()
	_, _ = process.client.Revoke(context.Background(), process.session.Lease())
	_ = process.client.Close()
}

func (p *etcdPool) close() {
	for _, process := range p.processes {
		process.cancel()
		_ = process.client.Close()
	}
	_ = p.server.Close()
}
