package system

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"
)

// Redis is a lock in one server: SET with NX and PX, a fresh token for each campaign, and scripts
// that compare the token before they renew or delete. The documentation of Redis advises it
// (redis.io, "Distributed Locks with Redis", "Correct Implementation with a Single Instance").
//
// The lease of 10 seconds, and renewals at a third of it, are usual: the example of that page is 30
// seconds, Redisson (redisson.org, "Locks and synchronizers") has 30 seconds and renews at a third,
// and rueidislock 5 seconds. Candidates that do not lead wait the way Redisson does: a refused
// attempt returns the rest of the lease, and the candidate tries again after that, or as soon as a
// message on a channel says that the leader has released the lock. They do not poll.
func Redis() System {
	return System{
		Name: "Redis", Lease: 10 * time.Second, Heartbeat: 10 * time.Second / 3,
		Absent:  func() string { return absent("redis-server", "redis-server") },
		Start:   startRedis,
		Connect: connectRedis,
		Cannot:  map[string]string{"preempt": "its lock has no priorities"},
		Unfair: "One server in memory, without replicas. With the recommended settings it acknowledges a write before it is on " +
			"the disk, so a crash of the server can forget a leader. Its documentation recommends no lease, and has examples " +
			"of 10 and of 30 seconds. Its client also pings each second when it is idle: the pings are in the bytes, and not " +
			"in the requests.",
	}
}

func startRedis(ctx context.Context, s Settings) (Server, error) {
	dir := filepath.Join(s.Dir, "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	address, port, err := freeAddress()
	if err != nil {
		return nil, err
	}
	printed, err := exec.CommandContext(ctx, "redis-server", "--version").Output()
	if err != nil {
		return nil, err
	}
	// These are the snapshots of Debian's configuration.
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--daemonize", "no", "--save", "3600 1 300 100 60 10000"}
	if s.Durable {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	p := &serverProcess{cmd: exec.Command("redis-server", args...), stop: syscall.SIGKILL, address: address}
	if found := regexp.MustCompile(`v=(\S+)`).FindSubmatch(printed); found != nil {
		p.version = string(found[1])
	}
	return startProcess(ctx, s, p, func(ctx context.Context) error {
		client, err := rueidis.NewClient(redisOptions(address, new(Traffic)))
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Do(ctx, client.B().Ping().Build()).Error()
	})
}

func redisOptions(address string, traffic *Traffic) rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress: []string{address}, ForceSingleClient: true, DisableCache: true,
		DialCtxFn: func(ctx context.Context, to string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return traffic.Dial(ctx, "tcp", to)
		},
	}
}

// redisClient is a process with one connection.
type redisClient struct {
	client   rueidis.Client
	settings Settings
	traffic  Traffic
	ctx      context.Context // of the process
	cancel   context.CancelFunc
}

func connectRedis(ctx context.Context, address string, s Settings) (Client, error) {
	c := &redisClient{settings: s}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	c.client, err = rueidis.NewClient(redisOptions(address, &c.traffic))
	if err != nil {
		c.cancel()
		return nil, err
	}
	return c, nil
}

func (c *redisClient) Traffic() *Traffic { return &c.traffic }
func (c *redisClient) Close()            { c.cancel(); c.client.Close() }

// kill is what happens to a process that is killed.
func (c *redisClient) kill() {
	c.traffic.kill()
	c.Close()
}

var (
	// redisTake returns 0 if it takes the lock, and else the rest of the lease in milliseconds.
	redisTake = rueidis.NewLuaScript(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return math.max(redis.call('PTTL', KEYS[1]), 1)`)
	redisRenew = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)
	redisRelease = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[1], 'released')
return 1`)
	redisFenced = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1`)
)

func (c *redisClient) run(ctx context.Context, script *rueidis.Lua, keys []string, args ...string) (int64, error) {
	c.traffic.Request()
	return script.Exec(ctx, c.client, keys, args).AsInt64()
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// redisLock is one campaign. The name of its key is that of its channel.
type redisLock struct {
	client  *redisClient
	key     string
	token   string
	lease   time.Duration
	begun   time.Time // before the request that took the lock
	renewed func(time.Time)
	ended   chan struct{} // closed when the last subscription has ended, or nil
}

func (c *redisClient) lock(election, id string, lease time.Duration) *redisLock {
	return &redisLock{client: c, key: "bench:" + election, token: id + ":" + uuid.NewString(), lease: lease}
}

func (c *redisClient) Campaign(_ context.Context, election, id string, o Candidacy) (Candidate, error) {
	l := c.lock(election, id, c.settings.Lease)
	l.renewed = o.Renewed
	return enter(c.ctx, l, o, c.kill), nil
}

// take returns zero if it takes the lock, and else how long another has it unless it renews.
func (l *redisLock) take(ctx context.Context) (time.Duration, error) {
	l.begun = time.Now()
	rest, err := l.client.run(ctx, redisTake, []string{l.key}, l.token, milliseconds(l.lease))
	return time.Duration(rest) * time.Millisecond, err
}

// acquire tries once more when it has subscribed, so that it misses no release.
func (l *redisLock) acquire(ctx context.Context) error {
	rest, err := l.take(ctx)
	if err != nil || rest == 0 {
		return err
	}
	again := make(chan struct{}, 1)
	wake := func() {
		select {
		case again <- struct{}{}:
		default:
		}
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	if l.ended != nil {
		<-l.ended // of the acquire before, whose unsubscription would hit this one
	}
	ended := make(chan struct{})
	l.ended = ended
	go func() {
		defer close(ended)
		l.listen(listening, wake)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended: // the connection broke
			return fmt.Errorf("the subscription of %s ended", l.key)
		case <-again:
		case <-time.After(rest):
		}
		if rest, err = l.take(ctx); err != nil || rest == 0 {
			return err
		}
	}
}

// listen calls wake when it has subscribed, and at each release, until ctx ends.
func (l *redisLock) listen(ctx context.Context, wake func()) {
	c := l.client
	hooked := rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) { wake() })
	c.traffic.Request()
	_ = c.client.Receive(hooked, c.client.B().Subscribe().Channel(l.key).Build(), func(rueidis.PubSubMessage) { wake() })
	if c.ctx.Err() == nil {
		c.traffic.Request()
		_ = c.client.Do(c.ctx, c.client.B().Unsubscribe().Channel(l.key).Build()).Error()
	}
}

func (l *redisLock) renew(ctx context.Context) (bool, error) {
	held, err := l.client.run(ctx, redisRenew, []string{l.key}, l.token, milliseconds(l.lease))
	return held == 1, err
}

// hold allows for the drift that the documentation of Redlock has in its own implementations: one
// hundredth of the lease, and two milliseconds.
func (l *redisLock) hold(ctx context.Context) {
	trust := l.lease - l.lease/100 - 2*time.Millisecond
	one := lease{interval: l.client.settings.heartbeat(), trust: trust, renewed: l.renewed, renew: l.renew}
	one.keep(ctx, l.begun)
}

func (l *redisLock) release(ctx context.Context) error {
	_, err := l.client.run(ctx, redisRelease, []string{l.key}, l.token)
	return err
}

// lead takes the lock for an hour.
func (c *redisClient) lead(ctx context.Context, election, id string) (*redisLock, error) {
	l := c.lock(election, id, time.Hour)
	rest, err := l.take(ctx)
	if err == nil && rest > 0 {
		err = taken(election)
	}
	return l, err
}

// Hold renews with the script.
func (c *redisClient) Hold(ctx context.Context, election, id string) (func(context.Context) error, error) {
	l, err := c.lead(ctx, election, id)
	return byHand(election, l.renew), err
}

// Fence writes in a script that compares the token, and with SET. A script is atomic in one server,
// so this protects rows of the same server, and no others.
func (c *redisClient) Fence(ctx context.Context, election, id string) (fenced, plain func(context.Context) error, err error) {
	l, err := c.lead(ctx, election, id)
	if err != nil {
		return nil, nil, err
	}
	row := "bench:row:" + election
	plain = func(ctx context.Context) error {
		c.traffic.Request()
		return c.client.Do(ctx, c.client.B().Set().Key(row).Value("12345678").Build()).Error()
	}
	fenced = func(ctx context.Context) error {
		written, err := c.run(ctx, redisFenced, []string{l.key, row}, l.token, "12345678")
		if err == nil && written == 0 {
			err = replaced(election)
		}
		return err
	}
	return fenced, plain, nil
}
