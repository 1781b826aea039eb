package system

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresLock is an advisory lock of the session (PostgreSQL manual, chapter 13.3.5, "Advisory
// Locks"): a process that leads has it on one connection, and the server releases it when that
// connection ends. The process takes all of its locks with pg_try_advisory_lock on that connection.
//
// A candidate that does not get the lock waits in pg_advisory_lock, on a connection of its own, and
// leads there. The alternative, which libraries with a few elections also use, is to poll
// pg_try_advisory_lock every 5 or 10 seconds. Waiting is better for the system in each figure but
// the number of connections.
//
// A query on the connection each second finds out that it has ended. The leader election of
// forge-runtime (docs.rs, "LeaderConfig") checks its lock with that interval.
//
// Locks are in memory, and end with the server. So Settings.Durable changes nothing for them.
func PostgresLock() System {
	return System{
		Name: "PostgreSQL lock", Heartbeat: time.Second,
		Absent:  absentPostgres,
		Start:   func(ctx context.Context, s Settings) (Server, error) { return startPostgres(ctx, s, "SELECT 1") },
		Connect: connectPostgresLock,
		Cannot: map[string]string{
			"renew":   "it has no lease: the lock goes with the connection",
			"preempt": "its lock has no priorities",
		},
		Unfair: "It has no lease, and its locks are in the memory of the server and never on the disk. If the process dies, the " +
			"kernel closes the connection and the lock is free at once. If its host dies or the network breaks, the lock stays " +
			"until TCP gives up: after two hours of keepalive by default. Each candidate that waits needs a connection of its " +
			"own, which is a process of the server.",
	}
}

// lockClient is a process.
type lockClient struct {
	address  string
	interval time.Duration
	traffic  Traffic
	ctx      context.Context // of the process
	cancel   context.CancelFunc

	mu      sync.Mutex
	shared  *lockSession        // or nil
	entered map[string]struct{} // elections, since a session may take its own lock again
}

func connectPostgresLock(ctx context.Context, address string, s Settings) (Client, error) {
	c := &lockClient{address: address, interval: s.Heartbeat, entered: map[string]struct{}{}}
	if c.interval <= 0 {
		c.interval = time.Second
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if _, err := c.session(ctx); err != nil {
		c.cancel()
		return nil, err
	}
	return c, nil
}

func (c *lockClient) Traffic() *Traffic { return &c.traffic }

func (c *lockClient) Close() {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shared.close()
	c.traffic.kill() // those of candidates that did not resign
}

// kill is what happens to a process that is killed.
func (c *lockClient) kill() {
	c.traffic.kill()
	c.cancel()
}

// lockSession is a connection that has locks.
type lockSession struct {
	mu   sync.Mutex // one query at a time
	conn *pgx.Conn
	lost chan struct{} // closed when the connection has ended
	once sync.Once
}

func (c *lockClient) open(ctx context.Context) (*lockSession, error) {
	conn, err := connectPostgres(ctx, c.address, &c.traffic)
	return &lockSession{conn: conn, lost: make(chan struct{})}, err
}

// session returns the connection of the process, which takes what is free.
func (c *lockClient) session(ctx context.Context) (*lockSession, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shared != nil && !c.shared.isLost() {
		return c.shared, nil
	}
	s, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	c.shared = s
	go s.check(c.ctx, c.interval)
	return s, nil
}

func (s *lockSession) isLost() bool {
	select {
	case <-s.lost:
		return true
	default:
		return false
	}
}

func (s *lockSession) lose() { s.once.Do(func() { close(s.lost) }) }

// query returns one value. pgx closes a connection whose query is canceled, and all locks go with it.
// So only a query that waits for a lock may be canceled.
func (s *lockSession) query(ctx context.Context, sql string, args ...any) (held bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.conn.QueryRow(ctx, sql, args...).Scan(&held)
	if s.conn.IsClosed() {
		s.lose()
	}
	return held, err
}

// queryPatience is how long the server may take for a query that does not wait.
const queryPatience = 5 * time.Second

func (s *lockSession) quick(ctx context.Context, sql string, args ...any) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryPatience)
	defer cancel()
	return s.query(ctx, sql, args...)
}

// check finds out that the connection has ended. It returns then, or when ctx ends.
func (s *lockSession) check(ctx context.Context, interval time.Duration) {
	for ctx.Err() == nil {
		pause(ctx, interval)
		if s.isLost() || ctx.Err() != nil {
			return
		}
		if _, err := s.quick(ctx, "SELECT true"); err != nil {
			s.lose()
			return
		}
	}
}

func (s *lockSession) close() {
	ctx, cancel := context.WithTimeout(context.Background(), queryPatience)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose()
	_ = s.conn.Close(ctx)
	select {
	case <-s.conn.PgConn().CleanupDone(): // after a query that was canceled, too
	case <-ctx.Done():
	}
}

// lockCandidate is one campaign.
type lockCandidate struct {
	client   *lockClient
	election string
	key      int64
	session  *lockSession // that has the lock, or nil
	own      bool         // the session is that of the candidate
	stop     context.CancelFunc
}

// lockKey is the number of an election. Two elections in 64 bits are not the same in practice.
func lockKey(election string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(election)) // returns no error
	return int64(h.Sum64())
}

func (c *lockClient) Campaign(_ context.Context, election, _ string, o Candidacy) (Candidate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.entered[election]; twice {
		return nil, fmt.Errorf("the process campaigns in %s already, and would share the lock", election)
	}
	c.entered[election] = struct{}{}
	return enter(c.ctx, &lockCandidate{client: c, election: election, key: lockKey(election)}, o, c.kill), nil
}

func (l *lockCandidate) acquire(ctx context.Context) error {
	if err := l.drop(); err != nil {
		return err
	}
	shared, err := l.client.session(ctx)
	if err != nil {
		return err
	}
	held, err := shared.quick(ctx, "SELECT pg_try_advisory_lock($1)", l.key)
	if err != nil {
		return err
	}
	if held {
		l.session = shared
		return nil
	}
	own, err := l.client.open(ctx)
	if err != nil {
		return err
	}
	if _, err := own.query(ctx, "SELECT true FROM pg_advisory_lock($1)", l.key); err != nil {
		own.close()
		return err
	}
	l.session, l.own = own, true
	ctx, l.stop = context.WithCancel(l.client.ctx)
	go own.check(ctx, l.client.interval)
	return nil
}

func (l *lockCandidate) hold(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-l.session.lost:
	}
}

// drop releases what the candidate has.
func (l *lockCandidate) drop() error {
	session, own := l.session, l.own
	l.session, l.own = nil, false
	if session == nil {
		return nil
	}
	if own {
		l.stop()
		defer session.close()
	}
	if session.isLost() {
		return nil
	}
	held, err := session.quick(context.Background(), "SELECT pg_advisory_unlock($1)", l.key)
	if err == nil && !held {
		err = fmt.Errorf("the lock of %s was not held", l.election)
	}
	return err
}

func (l *lockCandidate) release(context.Context) error {
	l.client.mu.Lock()
	delete(l.client.entered, l.election)
	l.client.mu.Unlock()
	return l.drop()
}

// Fence writes on the connection that has the lock, and on another. The server ends a session and
// its locks together, so a statement of that session cannot run after the lock has gone.
func (c *lockClient) Fence(ctx context.Context, election, _ string) (fenced, plain func(context.Context) error, err error) {
	shared, err := c.session(ctx)
	if err != nil {
		return nil, nil, err
	}
	held, err := shared.quick(ctx, "SELECT pg_try_advisory_lock($1)", lockKey(election))
	if err == nil && !held {
		err = taken(election)
	}
	if err != nil {
		return nil, nil, err
	}
	other, err := c.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	write := func(s *lockSession) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.quick(ctx, postgresWrite+" RETURNING true", "row of "+election)
			return err
		}
	}
	return write(shared), write(other), nil
}
