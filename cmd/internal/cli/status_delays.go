package cli

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// statusCandidates is how many voters status reads, the first by rank, and the leader.
const statusCandidates = 16

// readFirst returns the candidates that the shortlist names and the leader, as far as their
// records can be read.
func readFirst(e *election.LeaderElection, tr kv.ReadTransaction, leader string) ([]election.Candidate, error) {
	_, candidates, err := e.ListShortlist(tr, statusCandidates, leader)
	if err != nil && kv.CodeOf(err) != 0 {
		return nil, err
	}
	return candidates, nil
}

// delayRows has one row for each delay.
func (s *status) delayRows(now time.Time) (rows [][]string) {
	for i := range s.Delays {
		d := &s.Delays[i]
		text := fmt.Sprintf("%s: %s, ends in %s (local clock)", election.SafeText(d.Candidate.ID), election.SafeText(d.Rule), output.Age(d.Until.Sub(now)))
		title := "delayed"
		if i > 0 {
			title = ""
		}
		rows = append(rows, []string{title, text})
	}
	return rows
}
