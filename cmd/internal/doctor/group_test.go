package doctor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// sickGroup is a group with a fault, and what doctor finds.
type sickGroup struct {
	does  func(p *clitest.Pool)
	check string
	want  string // a part of the finding
	args  []string
}

// live makes two members that lead all shards.
func live(p *clitest.Pool) {
	p.Joins("a")
	p.Joins("b")
	p.Claims("a", "s0", "s1")
	p.Claims("b", "s2", "s3")
	p.Lives("a", "b")
}

// configured makes such a group with another config.
func configured(change func(c *group.Config)) func(p *clitest.Pool) {
	return func(p *clitest.Pool) {
		live(p)
		configure(p, change)
	}
}

func spoiled(record ...string) func(p *clitest.Pool) {
	return func(p *clitest.Pool) {
		live(p)
		p.Spoils(record...)
	}
}

func also(change func(p *clitest.Pool, tr kv.Transaction) error) func(p *clitest.Pool) {
	return func(p *clitest.Pool) {
		live(p)
		p.Does(func(tr kv.Transaction) error { return change(p, tr) })
	}
}

// TestDoctorOfAGroup: doctor finds each fault, and says what to do.
func TestDoctorOfAGroup(t *testing.T) {
	for name, c := range map[string]sickGroup{
		"healthy":     {live, "members", "ok 2 members ready, of 2 members, each with a heartbeat within 1.", nil},
		"healthy log": {live, "log", "ok the log goes back", nil},
		"all led":     {live, "shards", "ok 4 shards, 0 of them free", nil},
		"mirrors":     {live, "mirrors", "ok no mirror lags by more than", nil},
		"no members":  {func(*clitest.Pool) {}, "members", "warn the group has no members", nil},
		"all free":    {func(*clitest.Pool) {}, "shards", "fail 4 of 4 shards free: s0, s1, s2, s3", nil},
		"one member":  {func(p *clitest.Pool) { p.Joins("a"); p.Lives("a") }, "members", "warn 1 member ready, of 1 member", nil},
		"silent":      {func(p *clitest.Pool) { live(p); p.Joins("c") }, "members", "warn 1 member sent no heartbeat for 12", nil},
		"quick":       {func(p *clitest.Pool) { live(p); p.Joins("c") }, "members", "ok 3 members ready, of 3 members", []string{"--quick"}},
		"not ready": {func(p *clitest.Pool) {
			live(p)
			p.Joins("c", func(m *group.Member) { m.NotReady = "cold" })
			p.Lives("c")
		}, "members", "warn 1 member not ready: c#", nil},
		"stays free": {also(func(p *clitest.Pool, tr kv.Transaction) error {
			_, err := p.CreateShards(tr, []string{"new"}, time.Now())
			return err
		}), "shards", "fail for 12.0s, 1 of 5 shards free: new", nil},
		"free, quick": {also(func(p *clitest.Pool, tr kv.Transaction) error {
			_, err := p.CreateShards(tr, []string{"new"}, time.Now())
			return err
		}), "shards", "warn 1 of 5 shards free: new", []string{"--quick"}},
		"freed late":   {freedLate, "shards", "fail for 12.0s, 1 of 6 shards free: other", nil},
		"claimed":      {claimedSoon, "shards", "ok 5 shards, 0 of them free", nil},
		"lost pin":     {also(func(p *clitest.Pool, tr kv.Transaction) error { return p.Pin(tr, "s0", "gone") }), "pins", "warn 1 pin to absent members: s0 to gone", nil},
		"pin":          {also(func(p *clitest.Pool, tr kv.Transaction) error { return p.Pin(tr, "s0", "a") }), "pins", "ok 1 pin, none of them to an absent member", nil},
		"drain":        {also(func(p *clitest.Pool, tr kv.Transaction) error { return p.Drain(tr, "a") }), "drains", "warn an operator drains 1 member: a still leads 2 shards", nil},
		"old drain":    {also(func(p *clitest.Pool, tr kv.Transaction) error { return p.Drain(tr, "gone") }), "drains", "warn an operator drains 1 member: gone is absent", nil},
		"request":      {also(func(p *clitest.Pool, tr kv.Transaction) error { return p.RequestResign(tr, "s0", 1, p.ID()) }), "requests", "warn 1 request pending for 12.0s: resign s0", nil},
		"disabled":     {configured(func(c *group.Config) { c.Enabled = false }), "config", "warn the group is disabled", nil},
		"settle delay": {configured(func(c *group.Config) { c.SettleDelay = 0 }), "config", "warn settle delay 0s", nil},
		"heartbeat":    {configured(func(c *group.Config) { c.HeartbeatInterval = 5 * time.Second }), "config", "warn heartbeat 5s, with a lease of 10s", nil},
		"margin":       {configured(func(c *group.Config) { c.Margin = time.Millisecond }), "config", "warn margin 1ms, with a lease of 10s", nil},
		"retention":    {configured(func(c *group.Config) { c.Retention = 20 * time.Second }), "config", "warn the log is kept for 20s", nil},
		"config":       {spoiled("group"), "records", "fail invalid stored record: group at key", nil},
		"member":       {spoiled("members", "a"), "records", "fail invalid stored record: member at key", nil},
		"beat":         {spoiled("beats", "a"), "records", "fail invalid stored record: beat at key", nil},
		"shard":        {spoiled("shards", "s0"), "records", "fail invalid stored record: shard at key", nil},
		"floor":        {spoiled("floor"), "records", "fail invalid stored record: floor at key", nil},
		"trimmed":      {spoiled("trimmed"), "log", "warn the mark up to which the log was trimmed cannot be read", nil},
		"mirror lags":  {lagging, "mirrors", "warn the mirrors of 1 member lag: a#", nil},
		"log too long": {longLog, "log", "warn the log goes back 1m", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := clitest.NewPool(t, 4)
				c.does(p)
				d, code := examined(t, p.Database, append(c.args, "--group", "default")...)
				require.Equal(t, "default", d.Group)
				require.Empty(t, d.Election)
				found := d.of(c.check)
				require.NotEmpty(t, found, "%+v", d.Findings)
				text := ""
				for _, one := range found {
					text += one + "\n"
				}
				require.Contains(t, text, c.want)
				require.Equal(t, d.Failures > 0, code == exit.CodeFailure)
				for _, f := range d.Findings {
					require.Equal(t, f.Level == levelOK, f.Do == "", "%+v", f)
				}
			})
		})
	}
}

// configure changes the config.
func configure(p *clitest.Pool, change func(c *group.Config)) {
	p.Does(func(tr kv.Transaction) error {
		c, err := p.ReadConfig(tr)
		if err == nil {
			change(&c)
			_, err = p.WriteConfig(tr, c)
		}
		return err
	})
}

// claimedSoon makes a shard that a member claims while doctor watches.
func claimedSoon(p *clitest.Pool) {
	live(p)
	p.Does(func(tr kv.Transaction) error { _, err := p.CreateShards(tr, []string{"new"}, time.Now()); return err })
	time.AfterFunc(8*time.Second, func() { p.Claims("a", "new") })
}

// freedLate makes a shard that stays free, one that is claimed, and one that becomes free while
// doctor watches.
func freedLate(p *clitest.Pool) {
	claimedSoon(p)
	p.Does(func(tr kv.Transaction) error { _, err := p.CreateShards(tr, []string{"other"}, time.Now()); return err })
	time.AfterFunc(9*time.Second, func() { p.Gives("a", "s0", "", group.ReasonWork) })
}

// lagging makes a member whose mirror does not go on.
func lagging(p *clitest.Pool) {
	clock.Sleep(p.T.Context(), clitest.Virtual{}, time.Minute) //nolint:errcheck // it does not end early
	live(p)
	stale := func() {
		_ = p.Transact(p.T.Context(), func(tr kv.Transaction) error {
			version, err := tr.GetReadVersion().Get()
			if err == nil {
				_, _, err = p.Heartbeat(tr, p.Members["a"].Identity, 1, version-int64(20*time.Second/time.Microsecond))
			}
			return err
		})
	}
	p.Joins("c") // doctor waits for its heartbeat
	for n := range 5 {
		time.AfterFunc(time.Duration(n)*3*time.Second+1001*time.Millisecond, stale)
	}
}

// longLog makes a log that is older than its retention.
func longLog(p *clitest.Pool) {
	configure(p, func(c *group.Config) { c.Retention = 20 * time.Second })
	clock.Sleep(p.T.Context(), clitest.Virtual{}, time.Minute) //nolint:errcheck // it does not end early
	live(p)
}

// TestDoctorOfAGroupThatIsNone: doctor says that there is no such group, and refuses two names.
func TestDoctorOfAGroupThatIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := clitest.NewPool(t, 0)
		d, code := examined(t, p.Database, "--group", "other")
		require.Equal(t, exit.CodeFailure, code)
		require.Equal(t, []string{"fail there is no group other below fdbelection"}, d.of("records"))
		_, _, err := clitest.ExecOn(t.Context(), clitest.Virtual{}, p.Database, Command, "doctor", "--group", "default", "--election", "default")
		require.Equal(t, exit.CodeUsage, exit.Code(err))
		_, _, err = clitest.ExecOn(t.Context(), clitest.Virtual{}, p.Database, Command, "doctor", "--group", "beats")
		require.Equal(t, exit.CodeUsage, exit.Code(err))
	})
}
