package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

func (a *app) evictCommand() *cobra.Command {
	var r session.Report
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "evict --store STORE [flags] [ID...]",
		Short: "Remove candidates that have timed out",
		Long: `evict removes candidates that died without leaving, all of them or only those that you
name. A leader does the same by itself. evict is for an election without one.

It does not rely on other hosts' clocks. It watches for one candidate timeout, and removes
every candidate whose record did not change, up to the moment of the removal. It does not
remove the leader: see "resign --force". If the store is slow, it removes none. A candidate
that was only stopped or unreachable registers again when it continues.`,
		Example: `  fdbelect evict --store file:/tmp/demo.db
  fdbelect evict --store file:/tmp/demo.db --dry-run a b`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			for _, id := range ids {
				if err := (election.Identity{ID: id}).Validate(); err != nil {
					return exit.Usage(err)
				}
			}
			return a.evict(cmd.Context(), &r, ids, dryRun)
		},
	}
	r.AddFlags(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "watch, show which candidates would be removed, and remove none")
	return cmd
}

// evicted is the output of "evict".
type evicted struct {
	DryRun     bool               `json:"dry_run"`
	Evicted    []*output.Identity `json:"evicted"`
	Unreadable []records.Damaged  `json:"unreadable"` // they were not changed
}

func (a *app) evict(ctx context.Context, r *session.Report, ids []string, dryRun bool) error {
	s, err := a.OpenElection(ctx, &r.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	suspected, unreadable, err := suspects(ctx, s, ids)
	if err != nil {
		return err
	}
	dead, err := withoutHeartbeat(ctx, s, suspected)
	if err != nil {
		return err
	}
	gone := dead
	if !dryRun {
		if gone, err = remove(ctx, s, dead); err != nil {
			return err
		}
	}
	done := evicted{DryRun: dryRun, Evicted: []*output.Identity{}, Unreadable: records.DamagedIn(unreadable)}
	var text []string
	for i := range gone {
		done.Evicted = append(done.Evicted, output.IdentityOf(gone[i].Identity))
		text = append(text, output.Either(dryRun, "would evict ", "evicted ")+gone[i].Identity.String())
	}
	if len(gone) == 0 {
		text = []string{"no candidate was evicted: " + output.Either(len(suspected) == 0, "only the leader is registered", "all others are alive")}
	}
	err = a.ShowLines(r.Output, done, text...)
	if unreadable != nil {
		err = errors.Join(err, records.WithRemedies(unreadable, "it was not changed"))
	}
	return err
}

// suspects returns the candidates that may be dead: those that are named, or all except
// the leader. The second error names records that cannot be read. They are not changed.
func suspects(ctx context.Context, s *session.Session, ids []string) (suspects []election.Candidate, unreadable, err error) {
	seen, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (records.Listing, error) { return records.ReadListing(s.Election, tr) })
	switch {
	case err != nil:
		return nil, nil, err
	case seen.LeaderUnreadable != nil: // any candidate may be the leader
		return nil, nil, s.Access.Explain(seen.LeaderUnreadable)
	}
	var faults []error
	for _, id := range ids {
		known := slices.ContainsFunc(seen.Candidates, func(c election.Candidate) bool { return c.ID == id })
		switch {
		case !known:
			faults = append(faults, fmt.Errorf("%w: %s; \"fdbelect candidates\" lists those that are", fdbelection.ErrProcessNotFound, election.SafeText(id)))
		case seen.Leader.ID == id:
			faults = append(faults, fmt.Errorf("%s holds leadership, so it is not evicted; if it is dead, use \"fdbelect resign --force\"", seen.Leader.Identity))
		}
	}
	if faults != nil {
		return nil, nil, errors.Join(faults...)
	}
	for _, c := range seen.Candidates {
		if !seen.Leader.HeldBy(c.Identity) && (len(ids) == 0 || slices.Contains(ids, c.ID)) {
			suspects = append(suspects, c)
		}
	}
	return suspects, seen.Unreadable, nil
}

// withoutHeartbeat returns the candidates that send no heartbeat for one candidate
// timeout, on the local clock.
func withoutHeartbeat(ctx context.Context, s *session.Session, watched []election.Candidate) ([]election.Candidate, error) {
	p := s.Program.NewProgress()
	defer p.Done()
	begin := s.Program.Clock.Now() // after the read that saw them
	for len(watched) > 0 {
		before := s.Program.Clock.Now()
		now, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (records.Listing, error) { return records.ReadListing(s.Election, tr) })
		if err != nil {
			return nil, err
		}
		passed, took := s.Program.Clock.Now().Sub(begin), s.Program.Clock.Now().Sub(before)
		if records.TooSlow(&now.Config, took) {
			return nil, fmt.Errorf("store %s is slow: a read took %s, so a candidate that is alive may be late; nothing was changed, try again when the store is fast", s.Access.SafeSpec(), output.Age(took))
		}
		watched = slices.DeleteFunc(watched, func(c election.Candidate) bool {
			return !slices.ContainsFunc(now.Candidates, func(d election.Candidate) bool { return records.SameHeartbeat(&c, &d) })
		})
		if passed >= now.Config.CandidateTimeout {
			break
		}
		p.Show(fmt.Sprintf("watching %s, without a heartbeat for %s of %s", output.Count(len(watched), "candidate"), output.Age(passed), now.Config.CandidateTimeout), int64(passed), int64(now.Config.CandidateTimeout))
		// A tenth of the timeout, so that a live candidate is found soon.
		pause := min(max(now.Config.CandidateTimeout/10, 10*time.Millisecond), now.Config.CandidateTimeout-passed, waitInterval)
		if err := clock.Sleep(ctx, s.Program.Clock, pause); err != nil {
			return nil, errors.New("interrupted while candidates were watched; nothing was changed")
		}
	}
	return watched, nil
}

// remove evicts candidates, a few per transaction, and returns those that are gone.
func remove(ctx context.Context, s *session.Session, dead []election.Candidate) ([]election.Candidate, error) {
	var gone []election.Candidate
	for chunk := range slices.Chunk(dead, election.MaxEvictions) {
		var ids []string // of all attempts: a retry after a lost answer finds them gone
		_, err := session.Transact(ctx, s, func(tr kv.Transaction) (none struct{}, err error) {
			evicted, err := s.Election.EvictUnchanged(tr, chunk)
			ids = append(ids, evicted...)
			return none, err
		})
		if err != nil {
			return gone, err
		}
		now, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (records.Listing, error) { return records.ReadListing(s.Election, tr) })
		if err != nil {
			return gone, err
		}
		for _, c := range chunk {
			still := func(d election.Candidate) bool { return d.Versionstamp == c.Versionstamp && d.ID == c.ID }
			if slices.Contains(ids, c.ID) && !slices.ContainsFunc(now.Candidates, still) {
				gone = append(gone, c)
			}
		}
	}
	return gone, nil
}
