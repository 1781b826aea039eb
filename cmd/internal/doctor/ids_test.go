package doctor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestDoctorOfADuplicateID: doctor finds two processes that register under one id again and
// again. It does not take one restart for a second process.
func TestDoctorOfADuplicateID(t *testing.T) {
	for name, test := range map[string]struct {
		incarnations []byte // which registers, one every heartbeat
		want         string
		code         int
	}{
		"one process":                           {[]byte{1, 1, 1, 1, 1}, "ok no two processes were seen with one id", exit.CodeDone},
		"a restart":                             {[]byte{1, 2, 2, 2, 2}, "ok no two processes were seen with one id", exit.CodeDone},
		"two processes":                         {[]byte{1, 2, 1, 2, 1}, "fail ash was registered by 2 processes in turn, ", exit.CodeFailure},
		"a supervisor that keeps restarting it": {[]byte{1, 2, 3, 4, 5}, "fail ash was registered by ", exit.CodeFailure},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := memkv.New(memkv.Options{})
				e := election.New(subspace.New("fdbelection", "default"))
				register := func(incarnation byte) {
					me := election.Registration{Identity: election.Identity{ID: "ash", Incarnation: uuid.UUID{incarnation}}}
					_ = db.Transact(t.Context(), func(tr kv.Transaction) error {
						if _, err := e.Initialize(tr); err != nil {
							return err
						}
						return e.RegisterCandidate(tr, me, time.Now())
					})
				}
				register(test.incarnations[0])
				require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
					_, err := e.TryClaimLeadership(tr, election.Identity{ID: "ash", Incarnation: uuid.UUID{test.incarnations[0]}}, time.Now())
					return err
				}))
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for _, incarnation := range test.incarnations[1:] {
						if clock.Sleep(t.Context(), clitest.Virtual{}, 3*time.Second) != nil {
							return
						}
						register(incarnation)
					}
				}()
				d, code := examined(t, db)
				require.Equal(t, test.code, code)
				require.Len(t, d.of("ids"), 1)
				require.Contains(t, d.of("ids")[0], test.want)
				<-ended
			})
		})
	}
}

// TestDoctorReportsDuplicates: doctor reports a process that was refused within the last
// day.
func TestDoctorReportsDuplicates(t *testing.T) {
	existing := election.Identity{ID: "ash", Incarnation: uuid.UUID{1}}
	newcomer := election.Identity{ID: "ash", Incarnation: uuid.UUID{2}}
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	event := election.Event{
		Term: 1, Kind: election.EventDuplicate, From: existing, To: newcomer, Ballot: 3, At: now.Add(-time.Hour), Reason: "duplicate id",
	}
	diagnose := func(event election.Event) *diagnosis {
		e := &examination{basis: &basis{diagnosis: &diagnosis{}}, readAt: now, history: []election.Event{{Term: 1, Kind: election.EventBegan, To: existing}, event}}
		e.checkIDs()
		return e.diagnosis
	}
	d := diagnose(event)
	require.Equal(t, 1, d.Warnings)
	require.Equal(t, []string{"warn ash#02000000 was refused because ash#01000000 was alive with the same id: 1h0m0s ago, in term 1"}, d.of("ids"))
	event.At = now.Add(-25 * time.Hour)
	require.Zero(t, diagnose(event).Warnings)
	event.Term = 0 // before the first tenure
	status := &election.Status{Config: fdbelection.DefaultConfig(), Leader: election.LeaderRecord{Term: 1, Identity: existing}}
	e := &examination{basis: &basis{diagnosis: &diagnosis{}}, status: status, history: []election.Event{event, {Term: 1, Kind: election.EventBegan, To: existing}}}
	e.checkHistory()
	require.Equal(t, []string{"ok terms 1 to 1 without a gap"}, e.of("history"), "a refused process is not a tenure")
}
