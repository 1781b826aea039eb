package election

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

// TestFreshness: a ballot was written after the last read began that saw a lower one. A first
// read, a lower ballot and a lost record say nothing. Neither does another tenure in a read that
// began before the last one: it may be of an election that was deleted since.
func TestFreshness(t *testing.T) {
	at := func(ballot, term uint64) LeaderRecord {
		return LeaderRecord{
			Ballot: ballot, Term: term, Identity: meA, Nonce: uuid.UUID{byte(term)}, Accepted: true,
			LeaseDuration: 10 * time.Second, AcquiredAt: second(0),
		}
	}
	lost := at(1<<40, 1)
	lost.AcquiredAt = time.Time{}
	type read struct {
		leader LeaderRecord
		start  float64
	}
	for name, c := range map[string]struct {
		reads []read
		after float64 // the last ballot was written after it; negative: unknown
	}{
		"a first read":             {[]read{{at(7, 1), 5}}, -1},
		"an unchanged ballot":      {[]read{{at(7, 1), 5}, {at(7, 1), 6}}, -1},
		"a renewal":                {[]read{{at(7, 1), 5}, {at(8, 1), 6}}, 5},
		"a renewal after two":      {[]read{{at(7, 1), 5}, {at(7, 1), 8}, {at(8, 1), 9}}, 8},
		"a late answer":            {[]read{{at(7, 1), 5}, {at(7, 1), 4}, {at(8, 1), 6}}, 5},
		"an unchanged renewal":     {[]read{{at(7, 1), 5}, {at(8, 1), 6}, {at(8, 1), 9}}, 5},
		"two renewals":             {[]read{{at(7, 1), 5}, {at(8, 1), 6}, {at(9, 1), 7}}, 6},
		"a new tenure":             {[]read{{at(7, 1), 5}, {at(8, 2), 6}}, 5},
		"a vacancy before":         {[]read{{LeaderRecord{}, 5}, {at(1, 1), 6}}, 5},
		"a restored database":      {[]read{{at(7, 1), 5}, {at(8, 1), 6}, {at(3, 1), 7}}, -1},
		"another tenure, restored": {[]read{{at(7, 1), 5}, {at(8, 1), 6}, {at(8, 2), 7}}, -1},
		"a new tenure, late":       {[]read{{at(7, 1), 5}, {at(8, 2), 4}}, -1},
		"a renewal, late":          {[]read{{at(7, 1), 5}, {at(8, 1), 4}}, 5},
		"a lost record":            {[]read{{at(7, 1), 5}, {at(8, 1), 6}, {lost, 7}}, -1},
		"after a lost record":      {[]read{{at(7, 1), 5}, {lost, 6}, {at(1<<41, 1), 7}}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			var f Freshness
			for _, r := range c.reads {
				f = f.Next(r.leader, second(r.start))
			}
			last := c.reads[len(c.reads)-1].leader
			settled := func(now float64) bool {
				return f.Settled(fdbelection.ExpiryByObservation, last, time.Time{}, second(now)) == nil
			}
			if c.after < 0 {
				require.False(t, settled(7))
				return
			}
			require.True(t, settled(c.after+9.999))
			require.False(t, settled(c.after+10), "the renewal may be older than the lease")
		})
	}
}

// TestSettled: a leader that is not accepted, or not there, is not an answer, however fresh
// the record is.
func TestSettled(t *testing.T) {
	live := LeaderRecord{
		Ballot: 2, Term: 1, Identity: meA, Accepted: true, LeaseDuration: 10 * time.Second, LeaseExpiry: second(20), AcquiredAt: second(0),
	}
	fresh := Freshness{}.Next(LeaderRecord{}, second(1)).Next(live, second(2))
	for problem, edit := range map[string]func(*LeaderRecord){
		"":                               func(*LeaderRecord) {},
		"leadership is vacant":           func(l *LeaderRecord) { l.ID = "" },
		"the leader record is missing":   func(l *LeaderRecord) { l.AcquiredAt = time.Time{} },
		"in term 1 and has not accepted": func(l *LeaderRecord) { l.Accepted = false },
	} {
		for _, mode := range []fdbelection.ExpiryMode{fdbelection.ExpiryByClock, fdbelection.ExpiryByObservation} {
			leader := live
			edit(&leader)
			err := fresh.Settled(mode, leader, second(19), second(3))
			if problem == "" {
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, problem)
			var unsettled *UnsettledError
			require.ErrorAs(t, err, &unsettled)
			require.Equal(t, leader, unsettled.Leader)
		}
	}
	require.NoError(t, Freshness{}.Settled(fdbelection.ExpiryByClock, live, second(19.999), second(99)), "by clock, one read is enough")
	require.ErrorContains(t, fresh.Settled(fdbelection.ExpiryByClock, live, second(20), second(3)), "has expired by the local clock")
	require.ErrorContains(t, Freshness{}.Settled(fdbelection.ExpiryByObservation, live, second(3), second(3)), "no renewal was seen yet")
	require.ErrorContains(t, fresh.Settled(fdbelection.ExpiryByObservation, live, second(3), second(11)), "may be older than its lease")
}
