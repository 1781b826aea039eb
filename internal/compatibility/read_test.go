package compatibility

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// elections are those of the scene.
var elections = []string{"billing", "challenged", "clock", "vacant"}

// text says in words what today's code reads in a store, without what is missing in the oldest form of a record.
func (s *scene) text() string {
	var out strings.Builder
	for _, name := range elections {
		fmt.Fprintf(&out, "election %s\n", name)
		s.electionText(&out, s.election(name))
	}
	fmt.Fprintf(&out, "group pool\n")
	s.groupText(&out)
	return out.String()
}

func (s *scene) electionText(out *strings.Builder, e *election.LeaderElection) {
	s.reads(func(tr kv.ReadTransaction) {
		status, err := e.ReadStatus(tr)
		require.NoError(s.t, err)
		require.NoError(s.t, status.Unreadable)
		fmt.Fprintf(out, "config %s\n", configText(status.Config))
		l := status.Leader
		fmt.Fprintf(out, "leader ballot %d, term %d, %s, priority %d, until %s, lease %s, %s, since %s, accepted %t, %s, %s\n",
			l.Ballot, l.Term, identityText(l.Identity), l.Priority, l.LeaseExpiry.UTC(), l.LeaseDuration,
			stampText(l.Versionstamp), l.AcquiredAt.UTC(), l.Accepted, l.Nonce, l.AcquireReason)
		term := status.Term
		fmt.Fprintf(out, "term %d, %s, %s, held %t\n", term.Term, identityText(term.Identity), term.Nonce, term.Held)
		r := status.Request
		fmt.Fprintf(out, "request %d, term %d, %s, %s, counter %d, priority %d\n",
			r.Kind, r.Term, identityText(r.Identity), r.Nonce, r.Counter, r.Priority)

		candidates, err := e.ListCandidates(tr)
		require.NoError(s.t, err)
		for i := range candidates {
			fmt.Fprintf(out, "candidate %s\n", candidateText(&candidates[i]))
		}
		shortlist, err := e.Shortlist(tr, 10)
		require.NoError(s.t, err)
		for _, entry := range shortlist {
			fmt.Fprintf(out, "rank %s, priority %d\n", entry.ID, entry.Priority)
		}
		events, err := e.History(tr, 0)
		require.NoError(s.t, err)
		for _, event := range events {
			fmt.Fprintf(out, "event %d %s, from %s, to %s, %s, ballot %d at %s, %s\n", event.Term, event.Kind,
				identityText(event.From), identityText(event.To), event.Reason, event.Ballot, event.At.UTC(), event.Nonce)
		}
	})
}

func (s *scene) groupText(out *strings.Builder) {
	g := s.group()
	s.reads(func(tr kv.ReadTransaction) {
		page, err := g.ScanPage(tr, group.Position{}, 1000)
		require.NoError(s.t, err)
		require.Zero(s.t, page.Next.Kind)
		for i := range page.Rows {
			fmt.Fprintf(out, "%s\n", s.rowText(&page.Rows[i]))
		}
		beats, err := g.ReadBeats(tr)
		require.NoError(s.t, err)
		for _, b := range beats {
			fmt.Fprintf(out, "beat %s, counter %d, lease %s\n", identityText(b.Identity), b.Counter, b.Lease)
		}
		log, err := g.ReadLog(tr, 0, 0)
		require.NoError(s.t, err)
		require.NoError(s.t, log.Unreadable)
		for i := range log.Changes {
			c := &log.Changes[i]
			fmt.Fprintf(out, "log %s, by %q, why %q: %s\n", stampText(c.Stamp), c.By, c.Why, s.rowText(&c.Row))
		}
	})
}

func (s *scene) rowText(row *group.Row) string {
	require.NoError(s.t, row.Unreadable)
	text := fmt.Sprintf("%s %q", row.Kind, row.Name)
	switch {
	case row.Removed:
		return text + " removed"
	case row.Config != nil:
		c := row.Config
		return text + fmt.Sprintf(" lease %s, heartbeat %s, margin %s, enabled %t, settle delay %s, moves %d, retention %s",
			c.LeaseDuration, c.HeartbeatInterval, c.Margin, c.Enabled, c.SettleDelay, c.MaxMoves, c.Retention)
	case row.Member != nil:
		m := row.Member
		return text + fmt.Sprintf(" %s, joined %s, weight %d, capacity %d, %s, not ready %q, draining %t, balance %d",
			identityText(m.Identity), m.JoinedAt.UTC(), m.Weight, m.Capacity,
			pairs(m.Tags), m.NotReady, m.Draining, m.Balance)
	case row.Shard != nil:
		h := row.Shard
		return text + fmt.Sprintf(" term %d, %s, %s, %s at %s, moves %d",
			h.Term, identityText(h.Leader), h.Nonce, h.Reason, h.At.UTC(), h.Moves)
	case row.Request != nil:
		return text + fmt.Sprintf(" kind %d, term %d, %s", row.Request.Kind, row.Request.Term, row.Request.Nonce)
	default:
		return text + fmt.Sprintf(" pin %q", row.Pin)
	}
}

func (s *scene) reads(fn func(tr kv.ReadTransaction)) {
	s.t.Helper()
	require.NoError(s.t, s.ReadTransact(s.t.Context(), func(tr kv.ReadTransaction) error { fn(tr); return nil }))
}

func configText(c fdbelection.Config) string {
	return fmt.Sprintf("lease %s, heartbeat %s, timeout %s, enabled %t, preemption %t, grace %s, tenure %s, margin %s, "+
		"history %d, expiry %s, revision %d",
		c.LeaseDuration, c.HeartbeatInterval, c.CandidateTimeout, c.ElectionEnabled, c.AllowPreemption,
		c.PreemptionGrace, c.MinimumTenure, c.Margin, c.HistoryLimit, c.Expiry, c.Revision)
}

func candidateText(c *election.Candidate) string {
	text := fmt.Sprintf("%s, %s, priority %d, %s, heartbeat %d at %s, %s", identityText(c.Identity), c.Role, c.Priority,
		pairs(c.Metadata), c.Heartbeats, c.LastHeartbeat.UTC(), stampText(c.Versionstamp))
	if c.NotReady != "" {
		return text + fmt.Sprintf(", not ready %q, %s until %s", c.NotReady, c.Delay.Rule, c.Delay.Until.UTC())
	}
	return text + ", ready " + stampText(c.ReadySince)
}

func identityText(i election.Identity) string { return i.ID + "#" + i.Incarnation.String() }

func stampText(v subspace.Versionstamp) string {
	return fmt.Sprintf("stamp %s %d", hex.EncodeToString(v.Transaction[:]), v.User)
}

func pairs(tags map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, key+"="+tags[key])
	}
	return "tags " + strings.Join(all, " ")
}
