package watch

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
)

// TestTrackerReportsDuplicates: a process that was refused as a duplicate is reported once.
func TestTrackerReportsDuplicates(t *testing.T) {
	existing := election.Identity{ID: "ash", Incarnation: uuid.UUID{1}}
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	event := election.Event{
		Term: 1, Kind: election.EventDuplicate, From: existing, To: election.Identity{ID: "ash", Incarnation: uuid.UUID{2}},
		Ballot: 3, At: now.Add(-time.Hour), Reason: "duplicate id",
	}
	before := records.Snapshot{Status: election.Status{Leader: election.LeaderRecord{Term: 1, Ballot: 5, Identity: existing, LeaseDuration: time.Second}}}
	before.History = []election.Event{{Term: 1, Ballot: 1, Kind: election.EventBegan, To: existing}}
	var track tracker
	track.Next(&before, now, now)
	after := before
	after.History = append([]election.Event{event}, before.History...)
	news := track.Next(&after, now, now)
	require.Len(t, news, 1)
	require.Equal(t, eventDuplicate, news[0].Event)
	require.Equal(t, "ash", news[0].Candidate.ID)
	require.Contains(t, news[0].Reason, "ash#02000000 was refused")
	require.Empty(t, track.Next(&after, now, now))
}
