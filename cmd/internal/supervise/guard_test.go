package supervise

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

func TestGuardMessages(t *testing.T) {
	for _, o := range []order{
		{verb: orderUntil, session: "s", deadlines: deadlines{stop: 1, kill: 1<<63 - 1}},
		{verb: orderStart, child: 1, session: "s"},
		{verb: orderStart, child: 1, session: "s", start: startOrder{Fill: "a b{\n}", Env: []string{"X=1\n"}}},
		{verb: orderStop, child: 2},
		{verb: orderLimit, child: 2, limit: 7},
		{verb: orderLimit, child: 2},
		{verb: orderKill, child: 2},
		{verb: orderSignal, child: 3, signal: 10},
	} {
		parsed, err := parseOrder(o.String())
		require.NoError(t, err)
		require.Equal(t, o, parsed)
	}
	for _, r := range []report{
		{verb: reportStarted, child: 1, number: 4711},
		{verb: reportCut, child: 1},
		{verb: reportKilled, child: 1},
		{verb: reportExited, child: 1, number: 3},
		{verb: reportSignaled, child: 1, number: 9},
		{verb: reportFailed, child: 1, text: "no such \"file\"\nor directory"},
	} {
		parsed, err := parseReport(r.String())
		require.NoError(t, err)
		require.Equal(t, r, parsed)
	}
	for _, line := range []string{
		"", "until", "until s 5", "until s x 5", "until s 9 8", "until s 1 99999999999999999999", "signal", "signal 1", "signal 1 x", "signal 1 0",
		"signal 1 -9", "start", "start 1 s", "start 1 s {", "start x s {}", "stop", "kill x", "limit 1", "limit 1 -5",
		"stopp 1", "STOP 1", "exited", "exited 1", "exited 1 x", "exited x 1", "failed 1 why", "started 1 \x1b[2J", "cut", "killed x",
	} {
		_, err := parseOrder(line)
		require.Error(t, err, "%q is not an order", line)
		_, err = parseReport(line)
		require.Error(t, err, "%q is not a report", line)
	}
}

// The guard has the deadlines of the tenure on the boot clock, less a reserve. The reserve
// does not grow if a long drain moves only the end deadline.
func TestGuardDeadlines(t *testing.T) {
	const boot = time.Hour
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := start.Add
	var n guardDeadlines
	require.Equal(t, deadlines{stop: boot + 7*time.Second, kill: boot + 8500*time.Millisecond},
		n.of(elector.Deadlines{Stop: after(7 * time.Second), End: after(9 * time.Second)}, start, boot))
	require.Equal(t, deadlines{stop: boot + 6*time.Second, kill: boot + 7500*time.Millisecond},
		n.of(elector.Deadlines{Stop: after(10 * time.Second), End: after(12 * time.Second)}, after(4*time.Second), boot))
	require.Equal(t, deadlines{stop: boot - 90*time.Second, kill: boot + 8500*time.Millisecond},
		n.of(elector.Deadlines{Stop: after(10 * time.Second), End: after(109 * time.Second)}, after(100*time.Second), boot))
	require.Equal(t, deadlines{stop: boot + 2*time.Second, kill: boot + 2*time.Second},
		n.of(elector.Deadlines{Stop: after(10 * time.Second), End: after(9 * time.Second)}, after(7*time.Second), boot),
		"no reserve, and no SIGKILL before SIGTERM")
}

// guardStep is an event at a time, and what the guard must do then.
type guardStep struct {
	at    time.Duration
	event func(s *guardState)
	want  string
}

func until(stop, kill time.Duration) func(*guardState) {
	return func(s *guardState) { s.take(order{verb: orderUntil, deadlines: deadlines{stop, kill}}) }
}

func limited(kill time.Duration) func(*guardState) {
	return func(s *guardState) { s.take(order{verb: orderLimit, limit: kill}) }
}

func received(v verb) func(*guardState) { return func(s *guardState) { s.take(order{verb: v}) } }

// A guard terminates and kills the command at the newest deadlines, once each.
func TestGuardState(t *testing.T) {
	for name, steps := range map[string][]guardStep{
		"receives nothing": {
			{at: 0, event: until(10, 14)},
			{at: 9},
			{at: 10, want: "cut terminate"},
			{at: 13},
			{at: 14, want: "kill"},
			{at: 99},
		},
		"receives renewals": {
			{at: 0, event: until(10, 14)},
			{at: 9, event: until(20, 24)},
			{at: 19},
			{at: 20, want: "cut terminate"},
			{at: 24, want: "kill"},
		},
		"receives a shorter lease": {
			{at: 0, event: until(10, 14)},
			{at: 1, event: until(5, 6)},
			{at: 5, want: "cut terminate"},
			{at: 6, want: "kill"},
		},
		"receives a shorter lease too late": {
			{at: 0, event: until(10, 14)},
			{at: 7, event: until(5, 6), want: "cut terminate kill"},
		},
		"is ordered to stop": {
			{at: 0, event: until(10, 14)},
			{at: 3, event: received(orderStop), want: "terminate"},
			{at: 10},
			{at: 14, want: "kill"},
		},
		"is ordered to stop, with later deadlines": {
			{at: 0, event: until(10, 14)},
			{at: 3, event: received(orderStop), want: "terminate"},
			{at: 9, event: until(20, 24)},
			{at: 20},
			{at: 24, want: "kill"},
		},
		"is ordered to kill": {
			{at: 0, event: until(10, 14)},
			{at: 3, event: received(orderStop), want: "terminate"},
			{at: 4, event: received(orderKill), want: "kill"},
			{at: 14},
		},
		"loses its supervisor": {
			{at: 0, event: until(10, 14)},
			{at: 3, event: (*guardState).orphaned, want: "cut terminate"},
			{at: 4, event: (*guardState).orphaned},
			{at: 14, want: "kill"},
		},
		"loses its supervisor while the command stops": {
			{at: 0, event: until(10, 14)},
			{at: 3, event: received(orderStop), want: "terminate"},
			{at: 4, event: (*guardState).orphaned},
			{at: 14, want: "kill"},
		},
		"did not run until after both deadlines": {
			{at: 0, event: until(10, 14)},
			{at: 1000, want: "cut terminate kill"},
		},
		"has a limit for the end of its drain": {
			{at: 0, event: until(10, 14)},
			{at: 1, event: received(orderStop), want: "terminate"},
			{at: 1, event: limited(5)},
			{at: 4, event: until(20, 24)},
			{at: 5, want: "kill"},
		},
		"has a limit that is taken back": {
			{at: 0, event: until(10, 14)},
			{at: 1, event: limited(5)},
			{at: 4, event: limited(0)},
			{at: 9},
			{at: 10, want: "cut terminate"},
		},
		"has a limit after its deadlines": {
			{at: 0, event: until(10, 14)},
			{at: 1, event: limited(50)},
			{at: 14, want: "cut terminate kill"},
		},
		"receives a renewal after the tenure was over": {
			{at: 0, event: until(10, 14)},
			{at: 10, want: "cut terminate"},
			{at: 11, event: until(20, 24)},
			{at: 14, want: "kill"},
		},
		"is sent a signal": {
			{at: 0, event: until(10, 14)},
			{at: 1, event: received(orderSignal)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s guardState
			for _, step := range steps {
				if step.event != nil {
					step.event(&s)
				}
				terminate, kill := s.due(step.at)
				got := ""
				for _, did := range []struct {
					it   bool
					name string
				}{{terminate && s.cut, "cut"}, {terminate, "terminate"}, {kill, "kill"}} {
					if did.it {
						got += " " + did.name
					}
				}
				if step.want != "" {
					step.want = " " + step.want
				}
				require.Equal(t, step.want, got, "at %d", step.at)
			}
		})
	}
}

// A guard sleeps until a deadline, but never longer than guardTick, because timers do not
// run while the machine is suspended.
func TestGuardStateWaits(t *testing.T) {
	var s guardState
	until(10*time.Second, 14*time.Second)(&s)
	require.Equal(t, guardTick, s.wait(0))
	require.Equal(t, time.Millisecond, s.wait(10*time.Second-time.Millisecond))
	require.Zero(t, s.wait(11*time.Second), "SIGTERM is due")
	s.due(11 * time.Second)
	require.Equal(t, guardTick, s.wait(11*time.Second))
	require.Equal(t, time.Millisecond, s.wait(14*time.Second-time.Millisecond))
	s.due(14 * time.Second)
	require.Equal(t, guardTick, s.wait(15*time.Second), "nothing is left to do but to wait")
}
