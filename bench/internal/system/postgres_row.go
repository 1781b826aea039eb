package system

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PostgresRow is a row for each leader, with a time at which it expires, in the manner of River
// (github.com/riverqueue/river, internal/leadership and the queries of river_leader): a candidate
// deletes an expired row and inserts its own in one transaction, the leader moves the expiry on, and
// a leader that resigns deletes its row and notifies the others. A term is the identity of the leader
// with the time of its election, by the clock of the server.
//
// The intervals are River's: an attempt every 5 seconds and up to 1 second more, a lease of 10
// seconds beyond that, up to 50 milliseconds of delay after a notification, and a margin of 1 second
// for the leader. At another lease, all but the delay are in the same proportion. The table is
// unlogged, as River's is. With Settings.Durable, it is an ordinary table.
func PostgresRow() System {
	return System{
		Name: "PostgreSQL row", Lease: 15 * time.Second, Heartbeat: 5 * time.Second,
		Absent: absentPostgres,
		Start: func(ctx context.Context, s Settings) (Server, error) {
			kind := "UNLOGGED TABLE"
			if s.Durable {
				kind = "TABLE"
			}
			return startPostgres(ctx, s, "CREATE "+kind+` bench_leader (
				name text PRIMARY KEY, leader_id text NOT NULL, elected_at timestamptz NOT NULL, expires_at timestamptz NOT NULL)`)
		},
		Connect: connectPostgresRow,
		Cannot:  map[string]string{"preempt": "its elections have no priorities"},
		Unfair: "One server without a standby. With the recommended settings its table is unlogged, so a crash of the server " +
			"forgets the leader, and no commit of an election waits for the disk. After a crash of the leader, the others find " +
			"out at their next attempt: up to 6 seconds after the lease, or 1.2 seconds at the equal one. After a resignation " +
			"each waits for up to 50 milliseconds by chance, so that they do not all try at once.",
	}
}

// rowClient is a process with a pool, and one connection that listens.
type rowClient struct {
	pool     *pgxpool.Pool
	settings Settings
	traffic  Traffic
	ctx      context.Context // of the process
	cancel   context.CancelFunc
	heard    chan struct{} // closed when the listener has ended

	mu      sync.Mutex
	waiting map[string]map[chan struct{}]struct{} // candidates to wake, by election
}

func connectPostgresRow(ctx context.Context, address string, s Settings) (Client, error) {
	c := &rowClient{settings: s, heard: make(chan struct{}), waiting: map[string]map[chan struct{}]struct{}{}}
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, err
	}
	if config.ConnConfig, err = postgresConfig(address, &c.traffic); err != nil {
		return nil, err
	}
	config.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool {
		ping := p.IdleDuration > time.Second // the default of the pool, here with a count
		if ping {
			c.traffic.Request()
		}
		return ping
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if c.pool, err = pgxpool.NewWithConfig(c.ctx, config); err != nil {
		c.cancel()
		return nil, err
	}
	listener, err := c.listener(ctx)
	if err != nil {
		c.cancel()
		c.pool.Close()
		return nil, err
	}
	go c.listen(listener)
	return c, nil
}

func (c *rowClient) Traffic() *Traffic { return &c.traffic }

func (c *rowClient) Close() {
	c.cancel()
	<-c.heard
	c.pool.Close()
}

// kill is what happens to a process that is killed.
func (c *rowClient) kill() {
	c.traffic.kill()
	c.cancel()
}

const rowChannel = "bench_leadership"

func (c *rowClient) listener(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, c.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+rowChannel); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// listen wakes the candidates of each election whose leader resigns, until the process ends.
func (c *rowClient) listen(conn *pgx.Conn) {
	defer close(c.heard)
	for c.ctx.Err() == nil {
		if conn == nil {
			pause(c.ctx, acquireDelay)
			conn, _ = c.listener(c.ctx) // tries again at an error
			continue
		}
		n, err := conn.WaitForNotification(c.ctx)
		if err != nil {
			_ = conn.Close(c.ctx)
			conn = nil
			continue
		}
		c.mu.Lock()
		for wake := range c.waiting[n.Payload] {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
		c.mu.Unlock()
	}
}

// await adds a candidate to those that are woken. remove removes it.
func (c *rowClient) await(election string) (wake <-chan struct{}, remove func()) {
	one := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting[election] == nil {
		c.waiting[election] = map[chan struct{}]struct{}{}
	}
	c.waiting[election][one] = struct{}{}
	return one, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting[election], one)
		if len(c.waiting[election]) == 0 {
			delete(c.waiting, election)
		}
	}
}

// rowTerm is a candidate, with its last term.
type rowTerm struct {
	client   *rowClient
	election string
	id       string
	lease    time.Duration
	elected  time.Time // by the clock of the server, zero before the first term
	begun    time.Time // before the transaction that elected it
	renewed  func(time.Time)
}

func (c *rowClient) Campaign(_ context.Context, election, id string, o Candidacy) (Candidate, error) {
	r := &rowTerm{client: c, election: election, id: id, lease: c.settings.Lease, renewed: o.Renewed}
	return enter(c.ctx, r, o, c.kill), nil
}

// elect tries to lead.
func (r *rowTerm) elect(ctx context.Context) (bool, error) {
	r.begun = time.Now()
	err := pgx.BeginFunc(ctx, r.client.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM bench_leader WHERE name = $1 AND expires_at < now()", r.election); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `INSERT INTO bench_leader (name, leader_id, elected_at, expires_at)
			VALUES ($1, $2, now(), now() + $3) ON CONFLICT (name) DO NOTHING RETURNING elected_at`,
			r.election, r.id, r.lease).Scan(&r.elected)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (r *rowTerm) acquire(ctx context.Context) error {
	wake, remove := r.client.await(r.election)
	defer remove()
	interval := r.client.settings.heartbeat()
	for {
		if leads, err := r.elect(ctx); err != nil || leads {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
			pause(ctx, rand.N(50*time.Millisecond))
		case <-time.After(interval + rand.N(interval/5+1)):
		}
	}
}

func (r *rowTerm) renew(ctx context.Context) (bool, error) {
	done, err := r.client.pool.Exec(ctx, `UPDATE bench_leader SET expires_at = now() + $4
		WHERE name = $1 AND leader_id = $2 AND elected_at = $3 AND expires_at >= now()`, r.election, r.id, r.elected, r.lease)
	return done.RowsAffected() == 1, err
}

func (r *rowTerm) hold(ctx context.Context) {
	one := lease{interval: r.client.settings.heartbeat(), trust: r.lease - r.lease/15, renewed: r.renewed, renew: r.renew}
	one.keep(ctx, r.begun)
}

func (r *rowTerm) release(ctx context.Context) error {
	_, err := r.client.pool.Exec(ctx, `WITH gone AS (
			DELETE FROM bench_leader WHERE name = $1 AND leader_id = $2 AND elected_at = $3 RETURNING name)
		SELECT pg_notify($4, name) FROM gone`, r.election, r.id, r.elected, rowChannel)
	return err
}

// lead leads for an hour.
func (c *rowClient) lead(ctx context.Context, election, id string) (*rowTerm, error) {
	r := &rowTerm{client: c, election: election, id: id, lease: time.Hour}
	leads, err := r.elect(ctx)
	if err == nil && !leads {
		err = taken(election)
	}
	return r, err
}

// Hold renews with one statement.
func (c *rowClient) Hold(ctx context.Context, election, id string) (func(context.Context) error, error) {
	r, err := c.lead(ctx, election, id)
	return byHand(election, r.renew), err
}

// Fence writes in a transaction that locks the row of the term first, so that no other leader can
// be elected before it commits, and in one that does not.
func (c *rowClient) Fence(ctx context.Context, election, id string) (fenced, plain func(context.Context) error, err error) {
	r, err := c.lead(ctx, election, id)
	if err != nil {
		return nil, nil, err
	}
	write := func(tx pgx.Tx, ctx context.Context) error {
		_, err := tx.Exec(ctx, postgresWrite, "row of "+election)
		return err
	}
	plain = func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error { return write(tx, ctx) })
	}
	fenced = func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
			done, err := tx.Exec(ctx, `SELECT 1 FROM bench_leader
				WHERE name = $1 AND leader_id = $2 AND elected_at = $3 AND expires_at >= now() FOR SHARE`, r.election, r.id, r.elected)
			if err == nil && done.RowsAffected() == 0 {
				err = replaced(election)
			}
			if err != nil {
				return err
			}
			return write(tx, ctx)
		})
	}
	return fenced, plain, nil
}
