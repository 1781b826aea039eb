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
		require.Error(t, err, "%q is no order", line)
		_, err = parseReport(line)
		require.Error(t, err, "%q is no report", line)
	}
}

// The guard has the deadlines of the tenure on the clock of the machine, with
// something to spare: no more of it where a long drain moves the end alone.
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
		"all of the time to stop in, and no kill before the command was asked")
}

// wardStep is what a guard does at a time, and after it has been told something.
type wardStep struct {
	at   time.Duration
	told func(w *ward)
	want string
}

func until(stop, kill time.Duration) func(*ward) {
	return func(w *ward) { w.take(order{verb: orderUntil, deadlines: deadlines{stop, kill}}) }
}

func told(v verb) func(*ward) { return func(w *ward) { w.take(order{verb: v}) } }

// Whatever a guard is told, it kills when the last deadline that it was told has
// come, and asks before: each once.
func TestWard(t *testing.T) {
	for name, acts := range map[string][]wardStep{
		"hears nothing": {
			{at: 0, told: until(10, 14)},
			{at: 9},
			{at: 10, want: "cut ask"},
			{at: 13},
			{at: 14, want: "kill"},
			{at: 99},
		},
		"hears of renewals": {
			{at: 0, told: until(10, 14)},
			{at: 9, told: until(20, 24)},
			{at: 19},
			{at: 20, want: "cut ask"},
			{at: 24, want: "kill"},
		},
		"hears of a shorter lease": {
			{at: 0, told: until(10, 14)},
			{at: 1, told: until(5, 6)},
			{at: 5, want: "cut ask"},
			{at: 6, want: "kill"},
		},
		"hears of it too late": {
			{at: 0, told: until(10, 14)},
			{at: 7, told: until(5, 6), want: "cut ask kill"},
		},
		"is told to stop": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: told(orderStop), want: "ask"},
			{at: 10},
			{at: 14, want: "kill"},
		},
		"is told to stop, and that there is time": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: told(orderStop), want: "ask"},
			{at: 9, told: until(20, 24)},
			{at: 20},
			{at: 24, want: "kill"},
		},
		"is told to kill": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: told(orderStop), want: "ask"},
			{at: 4, told: told(orderKill), want: "kill"},
			{at: 14},
		},
		"loses its supervisor": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: (*ward).orphaned, want: "cut ask"},
			{at: 4, told: (*ward).orphaned},
			{at: 14, want: "kill"},
		},
		"loses its supervisor while the command stops": {
			{at: 0, told: until(10, 14)},
			{at: 3, told: told(orderStop), want: "ask"},
			{at: 4, told: (*ward).orphaned},
			{at: 14, want: "kill"},
		},
		"was asleep past both": {
			{at: 0, told: until(10, 14)},
			{at: 1000, want: "cut ask kill"},
		},
		"is sent a signal": {
			{at: 0, told: until(10, 14)},
			{at: 1, told: told(orderSignal)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var w ward
			for _, a := range acts {
				if a.told != nil {
					a.told(&w)
				}
				ask, kill := w.due(a.at)
				got := ""
				for _, did := range []struct {
					it   bool
					name string
				}{{ask && w.cut, "cut"}, {ask, "ask"}, {kill, "kill"}} {
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

// A guard sleeps until something is due, and never for long: a timer stands still
// while the machine sleeps.
func TestWardWaits(t *testing.T) {
	var w ward
	until(10*time.Second, 14*time.Second)(&w)
	require.Equal(t, guardTick, w.wait(0))
	require.Equal(t, time.Millisecond, w.wait(10*time.Second-time.Millisecond))
	require.Zero(t, w.wait(11*time.Second), "it is due")
	w.due(11 * time.Second)
	require.Equal(t, guardTick, w.wait(11*time.Second))
	require.Equal(t, time.Millisecond, w.wait(14*time.Second-time.Millisecond))
	w.due(14 * time.Second)
	require.Equal(t, guardTick, w.wait(15*time.Second), "the command takes its time to die")
}
