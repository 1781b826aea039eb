package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

func (a *app) candidatesCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "candidates --store STORE [flags]",
		Short: "List the candidates by rank, with their heartbeats and tags",
		Long: `candidates lists everybody who is registered, the leader marked: voters before
observers, higher priorities first, then the earlier registration. The age of a
heartbeat compares the clock of the candidate's host with the one here. Who died
without leaving stays listed until a leader has seen it silent for the candidate
timeout. If a record cannot be read, candidates lists the others, names it and ends
with 1.`,
		Example: `  fdbelect candidates --store file:/tmp/demo.db
  fdbelect candidates --store file:/tmp/demo.db --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.candidates(cmd.Context(), &r)
		},
	}
	r.addFlags(cmd)
	return cmd
}

// roll is what one transaction saw of the candidates.
type roll struct {
	leader     election.Leader
	timeout    time.Duration
	candidates []election.Candidate
	unseated   error // the leader record cannot be read, so none is marked as the leader
	unreadable error // of single records; the others are listed all the same
}

func readRoll(e *election.LeaderElection, tr kv.ReadTransaction) (roll, error) {
	config, err := e.ReadConfig(tr)
	if err != nil {
		return roll{}, err
	}
	r := roll{timeout: config.CandidateTimeout}
	state, err := e.ReadState(tr)
	switch {
	case errors.Is(err, fdbelection.ErrInvalidState):
		r.unseated = err
	case err != nil:
		return roll{}, err
	case leaderLost(&state):
		r.unseated, r.leader = state.Unreadable, state.Leader
	default:
		r.leader = state.Leader
	}
	r.candidates, r.unreadable = e.ListCandidates(tr)
	if r.unreadable != nil && !errors.Is(r.unreadable, fdbelection.ErrInvalidState) {
		return roll{}, r.unreadable
	}
	return r, nil
}

func (a *app) candidates(ctx context.Context, r *reading) error {
	seen, err := read(ctx, a, &r.access, readRoll)
	if err != nil {
		return err
	}
	now := a.clock.Wall()
	list := seen.list(now)
	err = a.show(r.output, list, func() table { return seen.table(list, now) })
	return errors.Join(err, r.explain(errors.Join(seen.unseated, seen.unreadable)))
}

// candidateStatus is one candidate for scripts: names stay.
type candidateStatus struct {
	Rank          int       `json:"rank"`
	ID            string    `json:"id"`
	Incarnation   string    `json:"incarnation"`
	Role          string    `json:"role"`
	Priority      int32     `json:"priority"`
	Leader        bool      `json:"leader"`
	Heartbeats    uint64    `json:"heartbeats"`
	LastHeartbeat time.Time `json:"last_heartbeat"`
	// Age of the last heartbeat compares the candidate's clock with the one here.
	Age duration `json:"age"`
	// Silent: it is older than the candidate timeout, so the candidate looks dead.
	Silent bool              `json:"silent"`
	Tags   map[string]string `json:"tags"`
}

func (s *roll) list(now time.Time) []candidateStatus {
	list := make([]candidateStatus, len(s.candidates))
	for i, c := range s.candidates {
		tags := c.Metadata
		if tags == nil {
			tags = map[string]string{}
		}
		list[i] = candidateStatus{
			Rank: i + 1, ID: c.ID, Incarnation: c.Incarnation.String(), Role: c.Role.String(), Priority: c.Priority,
			Leader: s.leader.HeldBy(c.Identity), Heartbeats: c.Heartbeats, LastHeartbeat: c.LastHeartbeat.UTC(),
			Age:    duration(now.Sub(c.LastHeartbeat)),
			Silent: now.Sub(c.LastHeartbeat) > s.timeout, Tags: tags,
		}
	}
	return list
}

func (s *roll) table(list []candidateStatus, now time.Time) table {
	t := table{header: []string{"RANK", "CANDIDATE", "ROLE", "PRIORITY", "HEARTBEATS", "LAST", "TAGS"}}
	t.style = func(p palette, i int) func(string) string {
		switch {
		case list[i].Leader:
			return p.good
		case list[i].Silent:
			return p.dim
		}
		return nil
	}
	for i, c := range list {
		role := c.Role
		if c.Leader {
			role = "leader"
		}
		last := ago(now.Sub(c.LastHeartbeat)) + " ago"
		if c.Silent {
			last += ", silent"
		}
		t.rows = append(t.rows, []string{
			fmt.Sprint(c.Rank), s.candidates[i].Identity.String(), role, fmt.Sprint(c.Priority),
			fmt.Sprint(c.Heartbeats), last, tagsText(c.Tags),
		})
	}
	return t
}

// tagsText lists tags by key, each safe to print.
func tagsText(tags map[string]string) string {
	parts := make([]string, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		parts = append(parts, field(key)+"="+field(tags[key]))
	}
	return strings.Join(parts, " ")
}
