package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// ZooKeeper is the recipe for leader election (zookeeper.apache.org, "ZooKeeper Recipes and
// Solutions", "Leader Election"): each candidate makes an ephemeral sequential node, the lowest
// leads, and each other watches the one before it. A process has one session, whose timeout is the
// lease, and the library pings at a third of it.
//
// The lease of 40 seconds is what Curator gets from a server with default settings: it asks for 60,
// and the server grants 20 ticks of 2 seconds. As Curator's LeaderLatch does, a leader stops when it
// is disconnected, and campaigns with a new node when it is connected again.
//
// With the default settings, each write is on the disk before it is acknowledged. So
// Settings.Durable changes nothing.
func ZooKeeper() System {
	return System{
		Name: "ZooKeeper", Lease: 40 * time.Second, Heartbeat: 40 * time.Second / 3,
		Absent:  absentZooKeeper,
		Start:   startZooKeeper,
		Connect: connectZooKeeper,
		Cannot:  map[string]string{"preempt": "its queue has no priorities"},
		Unfair: "One server, alone, without the replicas of a real ensemble. A tick is 500 milliseconds instead of 2 seconds, so " +
			"that short sessions are possible. A session ends at the end of a tick, so the successor of a crashed leader waits " +
			"less than with the default. A renewal is a ping, which the server does not write to the disk: the figure of " +
			"a renewal is that of a read, which has the same effect.",
	}
}

// zooClient is a process with one session.
type zooClient struct {
	conn    *zk.Conn
	traffic Traffic
	ctx     context.Context // of the process
	cancel  context.CancelFunc

	mu        sync.Mutex
	connected chan struct{} // closed while there is a session with a connection
	lost      chan struct{} // closed when that connection ends
	renewed   map[*zooCandidate]func(time.Time)
}

func connectZooKeeper(ctx context.Context, address string, s Settings) (Client, error) {
	c := &zooClient{connected: make(chan struct{}), renewed: map[*zooCandidate]func(time.Time){}}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	dial := func(network, to string, timeout time.Duration) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(c.ctx, timeout)
		defer cancel()
		conn, err := c.traffic.Dial(ctx, network, to)
		if err != nil {
			return nil, err
		}
		return &zooConn{Conn: conn, client: c}, nil
	}
	var err error
	c.conn, _, err = zk.Connect([]string{address}, s.Lease, zk.WithDialer(dial), zk.WithLogInfo(false),
		zk.WithLogger(quiet{}), zk.WithEventCallback(c.observe))
	if err != nil {
		c.cancel()
		return nil, err
	}
	if err := c.await(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// quiet is a logger that drops what the library logs: errors reach the caller anyway.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

func (c *zooClient) Traffic() *Traffic { return &c.traffic }
func (c *zooClient) Close()            { c.cancel(); c.conn.Close() }

// kill is what happens to a process that is killed. Without a connection, the library cannot end the
// session.
func (c *zooClient) kill() {
	c.traffic.kill()
	c.cancel()
	go c.conn.Close() // it waits a second for an answer
}

// observe is called by the library at each change of its connection.
func (c *zooClient) observe(e zk.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.State {
	case zk.StateHasSession:
		if c.lost == nil {
			c.lost = make(chan struct{})
			close(c.connected)
		}
	case zk.StateDisconnected, zk.StateExpired:
		if c.lost != nil {
			close(c.lost)
			c.lost, c.connected = nil, make(chan struct{})
		}
	}
}

// await waits for a session with a connection.
func (c *zooClient) await(ctx context.Context) error {
	c.mu.Lock()
	connected := c.connected
	c.mu.Unlock()
	select {
	case <-connected:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// zooConn counts requests and pings: the library writes each at once. It tells when the session is
// renewed: an answer acknowledges what was written before it. The event of a watch may be taken for
// an answer, which makes the time too late by the way of one request to the server.
type zooConn struct {
	net.Conn
	client *zooClient

	mu    sync.Mutex
	wrote time.Time // of the first write without an answer, or zero
}

func (c *zooConn) Write(b []byte) (int, error) {
	c.client.traffic.Request()
	c.mu.Lock()
	if c.wrote.IsZero() {
		c.wrote = time.Now()
	}
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *zooConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	wrote := c.wrote
	if n > 0 {
		c.wrote = time.Time{}
	}
	c.mu.Unlock()
	if n > 0 && !wrote.IsZero() {
		c.client.mu.Lock()
		defer c.client.mu.Unlock()
		for _, tell := range c.client.renewed {
			tell(wrote)
		}
	}
	return n, err
}

// zooCandidate is one campaign.
type zooCandidate struct {
	client  *zooClient
	dir, id string
	node    string // its own, or ""
	lost    <-chan struct{}
	renewed func(time.Time)
}

func (c *zooClient) candidate(election, id string) *zooCandidate {
	return &zooCandidate{client: c, dir: "/bench/" + url.PathEscape(election), id: id}
}

func (c *zooClient) Campaign(_ context.Context, election, id string, o Candidacy) (Candidate, error) {
	z := c.candidate(election, id)
	z.renewed = o.Renewed
	return enter(c.ctx, z, o, c.kill), nil
}

// join makes a node with a higher number than all of the others.
func (z *zooCandidate) join() error {
	prefix, acl := z.dir+"/n-", zk.WorldACL(zk.PermAll)
	var err error
	if z.node, err = z.client.conn.CreateProtectedEphemeralSequential(prefix, []byte(z.id), acl); !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	for _, parent := range []string{path.Dir(z.dir), z.dir} {
		if _, err := z.client.conn.Create(parent, nil, 0, acl); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
	z.node, err = z.client.conn.CreateProtectedEphemeralSequential(prefix, []byte(z.id), acl)
	return err
}

// number is the part of a name that the server has added.
func number(name string) string { return name[max(0, len(name)-10):] }

// before returns the node before the candidate's own, or "" if the candidate leads.
func (z *zooCandidate) before() (string, error) {
	names, _, err := z.client.conn.Children(z.dir)
	if err != nil {
		return "", err
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(number(a), number(b)) })
	at := slices.Index(names, path.Base(z.node))
	switch {
	case at < 0:
		return "", fmt.Errorf("%s is gone", z.node)
	case at == 0:
		return "", nil
	default:
		return path.Join(z.dir, names[at-1]), nil
	}
}

func (z *zooCandidate) acquire(ctx context.Context) error {
	if err := z.client.await(ctx); err != nil {
		return err
	}
	if err := z.leave(); err != nil { // the node from before a disconnection
		return err
	}
	z.client.mu.Lock()
	z.lost = z.client.lost
	z.client.mu.Unlock()
	if z.lost == nil {
		return zk.ErrConnectionClosed
	}
	if err := z.join(); err != nil {
		return err
	}
	for {
		previous, err := z.before()
		if err != nil || previous == "" {
			return err
		}
		_, _, gone, err := z.client.conn.GetW(previous)
		if errors.Is(err, zk.ErrNoNode) {
			continue
		}
		if err != nil {
			return err
		}
		select {
		case <-gone: // or changed: looks again
		case <-z.lost:
			return zk.ErrConnectionClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (z *zooCandidate) hold(ctx context.Context) {
	if z.renewed != nil {
		z.client.mu.Lock()
		z.client.renewed[z] = z.renewed
		z.client.mu.Unlock()
		defer func() {
			z.client.mu.Lock()
			delete(z.client.renewed, z)
			z.client.mu.Unlock()
		}()
	}
	select {
	case <-ctx.Done():
	case <-z.lost:
	}
}

// leave deletes the node of the candidate, if it has one.
func (z *zooCandidate) leave() error {
	if z.node == "" {
		return nil
	}
	if err := z.client.conn.Delete(z.node, -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	z.node = ""
	return nil
}

func (z *zooCandidate) release(context.Context) error { return z.leave() }

// lead leads without a loop.
func (c *zooClient) lead(election, id string) (*zooCandidate, error) {
	z := c.candidate(election, id)
	if err := z.join(); err != nil {
		return nil, err
	}
	previous, err := z.before()
	if err == nil && previous != "" {
		err = errors.Join(taken(election), z.leave())
	}
	return z, err
}

// Hold renews the session by a read. The library offers no ping, and the server renews a session at
// each request.
func (c *zooClient) Hold(_ context.Context, election, id string) (func(context.Context) error, error) {
	z, err := c.lead(election, id)
	return byHand(election, func(context.Context) (bool, error) {
		there, _, err := c.conn.Exists(z.node)
		return there, err
	}), err
}

// Fence writes in a multi that checks the node of the leader, and without. The check fails when that
// node is gone, and no other node ever gets its name.
func (c *zooClient) Fence(_ context.Context, election, id string) (fenced, plain func(context.Context) error, err error) {
	z, err := c.lead(election, id)
	if err != nil {
		return nil, nil, err
	}
	row, value := "/row-"+url.PathEscape(election), []byte("12345678")
	if _, err := c.conn.Create(row, nil, 0, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return nil, nil, err
	}
	plain = func(context.Context) error {
		_, err := c.conn.Set(row, value, -1)
		return err
	}
	fenced = func(context.Context) error {
		_, err := c.conn.Multi(&zk.CheckVersionRequest{Path: z.node, Version: 0}, &zk.SetDataRequest{Path: row, Data: value, Version: -1})
		return err
	}
	return fenced, plain, nil
}
