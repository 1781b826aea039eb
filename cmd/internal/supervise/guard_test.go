package supervise

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

func TestGuardMessages(t *testing.T) {
	for _, o := range []order{
		{verb: orderUntil, deadlines: deadlines{stop: 1, kill: 1<<63 - 1}},
		{verb: orderStop},
		{verb: orderKill},
		{verb: orderSignal, signal: 10},
	} {
		parsed, err := parseOrder(o.String())
		require.NoError(t, err)
		require.Equal(t, o, parsed)
	}
	for _, r := range []report{
		{verb: reportStarted, number: 4711},
		{verb: reportCut},
		{verb: reportExited, number: 3},
		{verb: reportSignaled, number: 9},
		{verb: reportFailed, text: "no such \"file\"\nor directory"},
	} {
		parsed, err := parseReport(r.String())
		require.NoError(t, err)
		require.Equal(t, r, parsed)
	}
	for _, line := range []string{
		"", "until", "until 5", "until x 5", "until 9 8", "until 1 99999999999999999999", "signal", "signal x", "signal 0", "signal -9",
		"stopp", "STOP", "exited", "exited x", "failed why", "started \x1b[2J",
	} {
		_, err := parseOrder(line)
		require.Error(t, err, "%q is not an order", line)
		_, err = parseReport(line)
		require.Error(t, err, "%q is not a report", line)
	}
}

// TestNotice: the guard has the deadlines of the tenure on the clock of the machine, less
// its own share. The share does not grow if a long drain moves the end alone.
func TestNotice(t *testing.T) {
	const machine = time.Hour
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := start.Add
	var n notice
	require.Equal(t, deadlines{stop: machine + 7*time.Second, kill: machine + 8500*time.Millisecond},
		n.of(elector.Deadlines{Stop: after(7 * time.Second), End: after(9 * time.Second)}, start, machine))
	require.Equal(t, deadlines{stop: machine + 6*time.Second, kill: machine + 7500*time.Millisecond},
		n.of(elector.Deadlines{Stop: after(10 * time.Second), End: after(12 * time.Second)}, after(4*time.Second), machine))
	require.Equal(t, deadlines{stop: machine - 90*time.Second, kill: machine + 8500*time.Millisecond},
		n.of(elector.Deadlines{Stop: after(10 * time.Second), End: after(109 * time.Second)}, after(100*time.Second), machine))
	require.Equal(t, deadlines{stop: machine + 2*time.Second, kill: machine + 2*time.Second},
		n.of(elector.Deadlines{Stop: after(10 * time.Second), End: after(9 * time.Second)}, after(7*time.Second), machine),
		"the command has all of its time to stop, and is not killed before it was terminated")
}

// planStep is what a guard does at a time, after it has received something.
type planStep struct {
	at   time.Duration
	told func(p *plan)
	want string
}

func until(stop, kill time.Duration) func(*plan) {
	return func(p *plan) { p.take(order{verb: orderUntil, deadlines: deadlines{stop, kill}}) }
}

func told(v verb) func(*plan) { return func(p *plan) { p.take(order{verb: v}) } }

// TestPlan: whatever a guard receives, it kills the command at the last deadline that it
// knows, and terminates it before. It does each once.
func TestPlan(t *testing.T) {
	for name, acts := range map[string][]planStep{
		"no order after the first": {
			{at: 0, told: until(10, 14)},
			{at: 9},
			{at: 10, want: "cut terminate"},
			{at: 13},
			{at: 14, want: "kill"},
			{at: 99},
		},
		"a renewal": {
			{at: 0, told: until(10, 14)},
			{at: 9, told: until(20, 24)},
			{at: 19},
			{at: 20, want: "cut terminate"},
			{at: 24, want: "kill"},
		},
		"a shorter lease": {
			{at: 0, told: until(10, 14)},
			{at: 1, told: until(5, 6)},
			{at: 5, want: "cut terminate"},
			{at: 6, want: "kill"},
		},
		"a shorter lease that has passed": {
			{at: 0, told: until(10, 14)},
			{at: 7, told: until(5, 6), want: "cut terminate kill"},
		},
		"a stop": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: told(orderStop), want: "terminate"},
			{at: 10},
			{at: 14, want: "kill"},
		},
		"a stop, and a later deadline": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: told(orderStop), want: "terminate"},
			{at: 9, told: until(20, 24)},
			{at: 20},
			{at: 24, want: "kill"},
		},
		"a kill": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: told(orderStop), want: "terminate"},
			{at: 4, told: told(orderKill), want: "kill"},
			{at: 14},
		},
		"the supervisor goes": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: (*plan).orphaned, want: "cut terminate"},
			{at: 4, told: (*plan).orphaned},
			{at: 14, want: "kill"},
		},
		"the supervisor goes while the command stops": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: told(orderStop), want: "terminate"},
			{at: 4, told: (*plan).orphaned},
			{at: 14, want: "kill"},
		},
		"a suspension past both": {
			{at: 0, told: until(10, 14)},
			{at: 1000, want: "cut terminate kill"},
		},
		"a signal": {
			{at: 0, told: until(10, 14)},
			{at: 1, told: told(orderSignal)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p plan
			for _, a := range acts {
				if a.told != nil {
					a.told(&p)
				}
				terminate, kill := p.due(a.at)
				got := ""
				for _, did := range []struct {
					it   bool
					name string
				}{{terminate && p.cut, "cut"}, {terminate, "terminate"}, {kill, "kill"}} {
					if did.it {
						got += " " + did.name
					}
				}
				if a.want != "" {
					a.want = " " + a.want
				}
				require.Equal(t, a.want, got, "at %d", a.at)
			}
		})
	}
}

// TestPlanWaits: a guard sleeps until something is due, and never for long: timers stop
// while the machine is suspended.
func TestPlanWaits(t *testing.T) {
	var p plan
	until(10*time.Second, 14*time.Second)(&p)
	require.Equal(t, guardTick, p.wait(0))
	require.Equal(t, time.Millisecond, p.wait(10*time.Second-time.Millisecond))
	require.Zero(t, p.wait(11*time.Second), "it is due")
	p.due(11 * time.Second)
	require.Equal(t, guardTick, p.wait(11*time.Second))
	require.Equal(t, time.Millisecond, p.wait(14*time.Second-time.Millisecond))
	p.due(14 * time.Second)
	require.Equal(t, guardTick, p.wait(15*time.Second), "the command has not ended yet")
}
