package browsertest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// plain is the text of an element without the characters that isolate names.
func (p *tab) plain(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q).innerText.replace(/[\u2068\u2069]/g, '')`, selector))
}

// A change of leader is on the page within a second of its commit, without a reload. It is said to
// a screen reader once.
func TestChangeOfLeaderWithinASecond(t *testing.T) {
	w := newWorld(t)
	config := fdbelection.ConfigWithLease(2 * time.Second)
	electors := map[string]*elector.Elector{}
	for _, id := range []string{"ash", "birch"} {
		el, err := elector.New(w, election.New(root.Sub("orders")), elector.Options{NodeID: id, Config: config})
		require.NoError(t, err)
		require.NoError(t, el.Start(t.Context()))
		electors[id] = el
		if id == "ash" {
			require.Eventually(t, el.Leading, patience, 10*time.Millisecond)
		}
	}
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.title === 'ash leads orders - fdbelect'`)
	p.waits(`document.querySelector('.leader .state').innerText === 'leads'`)
	p.waits(`document.querySelectorAll('.candidates tbody tr').length === 2`)
	eval[any](p, `(() => {
		globalThis.said = [];
		new MutationObserver(() => said.push(document.querySelector('#announce').innerText)).observe(document.querySelector('#announce'), { childList: true, characterData: true, subtree: true });
		globalThis.seenAt = new Promise((resolve) => {
			const look = () => document.querySelector('#leader').innerText === 'birch' && resolve(Date.now());
			new MutationObserver(look).observe(document.querySelector('#leader'), { childList: true, characterData: true, subtree: true });
		});
		return null;
	})()`)
	require.NoError(t, electors["ash"].Stop(t.Context()))
	require.Eventually(t, electors["birch"].Leading, patience, 10*time.Millisecond)
	seen := time.UnixMilli(eval[int64](p, `seenAt`))
	o := office{election.New(root.Sub("orders")), w}
	began := o.leader().AcquiredAt
	t.Logf("seen %v after the claim", seen.Sub(began))
	require.Less(t, seen.Sub(began), time.Second)
	require.Contains(t, p.plain("#why"), "after ash had left")
	require.Equal(t, []string{"There is no leader now", "birch leads now, in term 2"}[1], eval[string](p, `said.at(-1).replace(/[\u2068\u2069]/g, '')`))
	require.LessOrEqual(t, eval[int](p, `said.length`), 2, "a tick must not be said")
	require.Equal(t, "navigate", eval[string](p, `performance.getEntriesByType('navigation')[0].type`))
	require.NoError(t, electors["birch"].Stop(t.Context()))
}

// Each state of an election is said in words.
func TestStates(t *testing.T) {
	ash, birch := member("ash"), member("birch")
	damage := func(o *office, parts ...string) {
		space := o.Subspace()
		for _, part := range parts {
			space = space.Sub(part)
		}
		o.does(func(tr kv.Transaction) error { tr.Set(space.Bytes(), []byte("?")); return nil })
	}
	cases := []struct {
		name   string
		do     func(o *office)
		state  string
		level  string
		notice string
	}{
		{"led", func(*office) {}, "not confirmed yet", "idle", ""},
		{"vacant", func(o *office) { o.resigns(time.Now()) }, "no leader", "bad", ""},
		{"handed over", func(o *office) { o.transfers("birch", time.Now()) }, "handed over, not accepted", "warn", "birch holds leadership and does not lead"},
		{"disabled", func(o *office) {
			o.does(func(tr kv.Transaction) error {
				config, err := o.ReadConfig(tr)
				config.ElectionEnabled, config.Revision = false, 0
				if err == nil {
					_, err = o.WriteConfig(tr, config)
				}
				return err
			})
		}, "disabled", "warn", "This election is disabled"},
		{"resign", func(o *office) {
			o.does(func(tr kv.Transaction) error { return o.RequestResign(tr, 1, uuid.New()) })
		}, "not confirmed yet", "idle", "An operator asks ash to resign"},
		{"transfer", func(o *office) {
			o.does(func(tr kv.Transaction) error { return o.RequestTransfer(tr, 1, "birch", uuid.New()) })
		}, "not confirmed yet", "idle", "An operator asks ash to hand over to birch"},
		{"challenge", func(o *office) {
			o.does(func(tr kv.Transaction) error {
				config, err := o.ReadConfig(tr)
				config.PreemptionGrace, config.Revision = time.Hour, 0
				if err == nil {
					_, err = o.WriteConfig(tr, config)
				}
				return err
			})
			strong := birch
			strong.Priority = 30
			o.cycle(strong, time.Now())
		}, "not confirmed yet", "idle", "birch has priority 30, and asks ash to hand over"},
		{"delay", func(o *office) {
			slow := birch
			slow.Delay = election.Delay{Rule: "hold-off", Until: time.Now().Add(time.Hour)}
			o.does(func(tr kv.Transaction) error { return o.HeartbeatCandidate(tr, slow, time.Now()) })
		}, "not confirmed yet", "idle", "birch does not claim yet (hold-off)"},
		{"damaged leader", func(o *office) { damage(o, "leader") }, "damaged", "bad", "The leader record cannot be read"},
		{"damaged config", func(o *office) { damage(o, "config") }, "damaged", "bad", "The config record cannot be read"},
		{"damaged candidate", func(o *office) { damage(o, "candidates", "x") }, "not confirmed yet", "idle", "The candidate record cannot be read"},
		{"expired", func(o *office) {
			o.resigns(time.Now().Add(-time.Hour))
			o.claims(ash, time.Now().Add(-2*time.Hour))
		}, "lease expired", "bad", ""},
	}
	w := newWorld(t)
	for _, one := range cases {
		o := w.elect(one.name)
		o.enter(ash, time.Now())
		o.enter(birch, time.Now())
		o.claims(ash, time.Now())
		one.do(o)
	}
	s := w.serve()
	list := open(t, s.URL)
	list.waits(fmt.Sprintf(`%s === %d`, rows, len(cases)))
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			p := open(t, s.URL+"/election?name="+url.QueryEscape(one.name))
			p.waits(`document.querySelector('#state')?.innerText`)
			require.Equal(t, one.state, p.text("#state"))
			require.Equal(t, one.level, eval[string](p, `document.querySelector('.leader').dataset.level`))
			if one.notice != "" {
				p.waits(fmt.Sprintf(`document.querySelector('.notices').innerText.replace(/[\u2068\u2069]/g, '').includes(%q)`, one.notice))
			}
			p.close()
			state := one.state
			if strings.HasPrefix(one.name, "damaged") {
				state = "damaged"
			}
			require.Equal(t, state, eval[string](list, fmt.Sprintf(
				`[...document.querySelectorAll('.elections tbody tr')].find((r) => r.querySelector('a').innerText === %q).querySelector('.state').innerText`, one.name)), "on the list")
		})
	}
}

// A renewal confirms the leader. The lease is told by its colour, its length and in words.
func TestLeaseRunsDown(t *testing.T) {
	w := newWorld(t)
	o := w.elect("orders", func(c *fdbelection.Config) {
		timeout := c.CandidateTimeout
		*c = fdbelection.ConfigWithLease(5 * time.Second)
		c.CandidateTimeout = timeout
	})
	ash := member("ash")
	o.enter(ash, time.Now())
	o.claims(ash, time.Now())
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.querySelector('#state').innerText === 'not confirmed yet'`)
	o.cycle(ash, time.Now())
	p.waits(`document.querySelector('#state').innerText === 'leads'`)
	for _, level := range []string{"ok", "warn", "bad"} {
		p.waits(fmt.Sprintf(`document.querySelector('.leader').dataset.lease === %q`, level))
	}
	p.waits(`document.querySelector('#state').innerText === 'lease expired'`)
	p.waits(`/^expired [0-9]+ s ago$/.test(document.querySelector('.leader [role=meter]').getAttribute('aria-valuetext'))`)
	require.Equal(t, "bad", eval[string](p, `document.querySelector('.leader').dataset.level`))
	o.cycle(ash, time.Now())
	p.waits(`document.querySelector('#state').innerText === 'leads' && document.querySelector('.leader').dataset.lease === 'ok'`)
}

// A page that is opened late counts from what has happened, and not from when it was opened.
func TestAgesOfAPageThatIsOpenedLate(t *testing.T) {
	w := newWorld(t)
	o := w.elect("orders", func(c *fdbelection.Config) { *c = fdbelection.ConfigWithLease(time.Minute) })
	ash := member("ash")
	o.enter(ash, time.Now())
	o.claims(ash, time.Now())
	s := w.serve()
	first := open(t, s.URL+"/election?name=orders") // the server begins to read
	first.waits(`document.querySelector('.candidates tbody tr')`)
	first.waits(`/^[3-9] s ago/.test(document.querySelector('.heartbeat').innerText)`)
	late := open(t, s.URL+"/election?name=orders")
	late.waits(`document.querySelector('.candidates tbody tr')`)
	require.Regexp(t, `^([3-9]|1\d) s ago`, late.text(".heartbeat"))
	require.Less(t, eval[float64](late, `parseFloat(document.querySelector('.leader .lease-text').innerText)`), 57.5)
	list := open(t, s.URL)
	list.waits(rows + ` === 1`)
	require.Less(t, eval[float64](list, `parseFloat(document.querySelector('.lease-text').innerText)`), 57.5)
}

// There is no such election, and then there is one.
func TestElectionThatDoesNotExist(t *testing.T) {
	w := newWorld(t)
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.querySelector('main').innerText.replace(/[\u2068\u2069]/g, '').includes('There is no election orders')`)
	w.elect("orders")
	p.waits(`document.querySelector('#state')?.innerText === 'no leader'`)
	require.Contains(t, p.text(".notices"), "No candidate")
}

// Terms and ballots above 2^53 are exact.
func TestLargeTerm(t *testing.T) {
	w := newWorld(t)
	o := w.elect("orders")
	ash := member("ash")
	o.enter(ash, time.Now())
	const term = 1<<60 + 1
	o.does(func(tr kv.Transaction) error { _, err := o.RaiseTerm(tr, term, time.Now()); return err })
	o.claims(ash, time.Now())
	require.EqualValues(t, term+1, o.leader().Term)
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.querySelector('#term')?.innerText === '1152921504606846978'`)
	p.waits(`document.querySelector('.events-table tbody .c-term').innerText === '1152921504606846978'`)
}

// 500 candidates are listed by rank, the first ones at once and the others on demand.
func TestFiveHundredCandidates(t *testing.T) {
	w := newWorld(t)
	o := w.elect("orders")
	var all []election.Registration
	for i := range 500 {
		all = append(all, member(fmt.Sprintf("node-%03d", i), func(r *election.Registration) {
			r.Priority, r.Metadata, r.UserVersion = int32(500-i), map[string]string{"zone": "eu"}, uint16(i)
		}))
	}
	o.does(func(tr kv.Transaction) error {
		for i := range all {
			if err := o.RegisterCandidate(tr, all[i], time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	o.claims(all[0], time.Now())
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.querySelectorAll('.candidates tbody tr').length === 25`)
	require.Equal(t, "500 registered, 500 alive, 500 ready to lead", p.text("#candidates-summary"))
	took := eval[float64](p, `(async () => {
		const begin = performance.now();
		document.querySelector('.s-candidates .more').click();
		document.body.getBoundingClientRect();
		return performance.now() - begin;
	})()`)
	t.Logf("500 rows took %.0f ms", took)
	require.Less(t, took, 5000.0)
	require.True(t, eval[bool](p, `[...document.querySelectorAll('.candidates td.c-rank')].every((td, i) => td.innerText === String(i + 1))`))

	unready := all[499]
	unready.NotReady, unready.Priority = "no disk <b>left</b>", 1000
	o.does(func(tr kv.Transaction) error { return o.HeartbeatCandidate(tr, unready, time.Now()) })
	p.waits(`document.querySelector('#candidates-summary').innerText === '500 registered, 500 alive, 499 ready to lead'`)
	p.waits(`document.querySelector('.candidates tbody').innerText.includes('no disk <b>left</b>')`)
}
