package system

import (
	"context"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/version"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// Etcd is package concurrency of etcd's client, with one session for each process and an embedded
// server.
func Etcd() System {
	return System{
		Name: "etcd", Lease: 60 * time.Second, Heartbeat: 20 * time.Second,
		Absent:  func() string { return "" },
		Start:   startEtcd,
		Connect: connectEtcd,
		Cannot:  map[string]string{"preempt": "its elections have no priorities"},
		Unfair: "The server runs in the process of the benchmark, alone, without the replicas of a real cluster. So the memory of " +
			"the server counts as that of the elections.",
	}
}

type etcdServer struct{ *embed.Etcd }

func startEtcd(_ context.Context, s Settings) (Server, error) {
	config := embed.NewConfig()
	config.Dir, config.LogLevel = filepath.Join(s.Dir, "etcd"), "fatal"
	local := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls, config.ListenPeerUrls = []url.URL{local}, []url.URL{local}
	config.AdvertiseClientUrls, config.AdvertisePeerUrls = config.ListenClientUrls, config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	<-server.Server.ReadyNotify()
	return &etcdServer{server}, nil
}

func (s *etcdServer) Version() string { return version.Version }
func (s *etcdServer) Address() string { return s.Clients[0].Addr().String() }
func (s *etcdServer) PIDs() []int     { return nil }
func (s *etcdServer) Close() error    { s.Etcd.Close(); return nil }

// etcdClient is a process with one session.
type etcdClient struct {
	client   *clientv3.Client
	settings Settings
	traffic  Traffic

	mu      sync.Mutex
	session *concurrency.Session // nil before the first campaign, and after it has ended
	renewed []func(time.Time)
}

func connectEtcd(ctx context.Context, address string, s Settings) (Client, error) {
	c := &etcdClient{settings: s}
	var err error
	c.client, err = clientv3.New(clientv3.Config{
		Endpoints: []string{address}, Logger: zap.NewNop(), Context: context.WithoutCancel(ctx),
		DialOptions: []grpc.DialOption{
			grpc.WithStatsHandler(etcdStats{c}),
			grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) { return c.traffic.Dial(ctx, "tcp", to) }),
		},
	})
	return c, err
}

func (c *etcdClient) Traffic() *Traffic { return &c.traffic }
func (c *etcdClient) Close()            { _ = c.client.Close() }

func (c *etcdClient) ttl() int { return int((c.settings.Lease + time.Second - 1) / time.Second) }

// sessionOf returns the session of the process.
func (c *etcdClient) sessionOf() (*concurrency.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		select {
		case <-c.session.Done():
		default:
			return c.session, nil
		}
	}
	var err error
	c.session, err = concurrency.NewSession(c.client, concurrency.WithTTL(c.ttl()))
	return c.session, err
}

type etcdCandidate struct {
	client   *etcdClient
	election *concurrency.Election
	cancel   context.CancelFunc
	done     chan struct{}
}

func (c *etcdClient) Campaign(ctx context.Context, election, id string, o Candidacy) (Candidate, error) {
	session, err := c.sessionOf()
	if err != nil {
		return nil, err
	}
	if o.Renewed != nil {
		c.mu.Lock()
		c.renewed = append(c.renewed, o.Renewed)
		c.mu.Unlock()
	}
	one := &etcdCandidate{client: c, election: concurrency.NewElection(session, "/bench/"+election), done: make(chan struct{})}
	ctx, one.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(one.done)
		if one.election.Campaign(ctx, id) != nil {
			return
		}
		if o.Lead != nil {
			o.Lead()
		}
		select {
		case <-session.Done():
		case <-ctx.Done():
		}
		if o.Lose != nil {
			o.Lose()
		}
	}()
	return one, nil
}

func (c *etcdCandidate) Resign(ctx context.Context) error {
	c.cancel()
	<-c.done
	return c.election.Resign(ctx) // does nothing unless it has campaigned successfully
}

// Crash closes the connection of the process. All of its candidates go silent.
func (c *etcdCandidate) Crash() {
	c.client.mu.Lock()
	c.client.session.Orphan()
	c.client.mu.Unlock()
	c.client.Close()
}

// Hold grants a lease, and renews it with one request.
func (c *etcdClient) Hold(ctx context.Context, election, id string) (func(context.Context) error, error) {
	lease, err := c.client.Grant(ctx, int64(time.Hour/time.Second))
	if err != nil {
		return nil, err
	}
	if _, err := c.client.Put(ctx, "/bench/"+election, id, clientv3.WithLease(lease.ID)); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := c.client.KeepAliveOnce(ctx, lease.ID)
		return err
	}, nil
}

// Fence writes in a transaction that compares the key of the leader, and without.
func (c *etcdClient) Fence(ctx context.Context, election, id string) (fenced, plain func(context.Context) error, err error) {
	session, err := c.sessionOf()
	if err != nil {
		return nil, nil, err
	}
	e := concurrency.NewElection(session, "/bench/"+election)
	if err := e.Campaign(ctx, id); err != nil {
		return nil, nil, err
	}
	put := clientv3.OpPut("/bench/row/"+election, "12345678")
	plain = func(ctx context.Context) error {
		_, err := c.client.Txn(ctx).Then(put).Commit()
		return err
	}
	fenced = func(ctx context.Context) error {
		result, err := c.client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(e.Key()), "=", e.Rev())).Then(put).Commit()
		if err == nil && !result.Succeeded {
			err = replaced(election)
		}
		return err
	}
	return fenced, plain, nil
}

// etcdStats counts the messages of a client, and tells when a lease is renewed.
type etcdStats struct{ client *etcdClient }

func (etcdStats) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (etcdStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (etcdStats) HandleConn(context.Context, stats.ConnStats)                       {}

func (s etcdStats) HandleRPC(_ context.Context, event stats.RPCStats) {
	out, ok := event.(*stats.OutPayload)
	if !ok {
		return
	}
	s.client.traffic.Request()
	if _, renewal := out.Payload.(*etcdserverpb.LeaseKeepAliveRequest); !renewal {
		return
	}
	s.client.mu.Lock()
	told := s.client.renewed
	s.client.mu.Unlock()
	for _, tell := range told {
		tell(out.SentTime)
	}
}
