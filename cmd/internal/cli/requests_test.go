package cli_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// answers runs act once, when a command has sent its request and reads the status.
func (d *desk) answers(act func()) {
	var sent atomic.Int32
	d.before = func() {
		if sent.Add(1) == 2 {
			act()
		}
	}
}

// TestInterruptedRequestIsWithdrawn: if a command is interrupted, it withdraws its
// request.
func TestInterruptedRequestIsWithdrawn(t *testing.T) {
	for _, args := range [][]string{{"resign"}, {"transfer", "--to", "other"}} {
		d := newDesk(t)
		d.made()
		ctx, interrupt := context.WithCancel(t.Context())
		d.answers(interrupt)
		o := d.runsUntil(ctx, args...)
		require.Equal(t, 1, o.Code, o.Stdout)
		require.Contains(t, o.Stderr, "interrupted before")
		require.Contains(t, o.Stderr, "the request is withdrawn")
		require.Equal(t, election.NoRequest, d.state().Request.Kind)
	}
}

// TestResignThatIsDoneBeforeItIsWithdrawn: a leader that steps down before the request is
// withdrawn has done what it asks for.
func TestResignThatIsDoneBeforeItIsWithdrawn(t *testing.T) {
	d := newDesk(t)
	d.made()
	seat := d.state().Leader
	ctx, interrupt := context.WithCancel(t.Context())
	var begun atomic.Int32
	d.before = func() {
		switch begun.Add(1) {
		case 2: // the command looks what became of its request
			interrupt()
		case 3: // it withdraws it
			d.does(func(tr kv.Transaction) error { return d.ResignLeadership(tr, seat.Token(), time.Now()) })
		}
	}
	o := d.runsUntil(ctx, "resign")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, "ended after")
}

// TestRequestThatIsCancelled: a command does not wait for a request that another operator
// has cancelled.
func TestRequestThatIsCancelled(t *testing.T) {
	d := newDesk(t)
	d.made()
	d.answers(func() {
		nonce := d.state().Request.Nonce
		d.does(func(tr kv.Transaction) error { return d.CancelRequest(tr, nonce) })
	})
	o := d.runs("resign")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, "another operator has cancelled or replaced it, or the leader found it void")
}

// TestTransferThatFails: a transfer fails if another candidate leads in the end.
func TestTransferThatFails(t *testing.T) {
	d := newDesk(t)
	leader, _ := d.made()
	seat := d.state().Leader
	d.answers(func() {
		d.does(func(tr kv.Transaction) error { return d.ResignLeadership(tr, seat.Token(), time.Now()) })
		d.does(func(tr kv.Transaction) error {
			_, err := d.TryClaimLeadership(tr, leader.Identity, time.Now())
			return err
		})
	})
	o := d.runs("transfer", "--to", "other")
	require.Equal(t, 3, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, " does not lead by this request, term 1 ended in another way; leader#")

	// The target is handed leadership and does not accept it.
	d = newDesk(t)
	_, other := d.made()
	seat = d.state().Leader
	d.answers(func() {
		intent := d.state().Request
		d.does(func(tr kv.Transaction) error {
			_, _, err := d.HandOver(tr, seat.Token(), intent, time.Now())
			return err
		})
	})
	o = d.runs("transfer", "--to", "other", "--timeout", "300ms")
	require.Equal(t, 5, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, "was handed leadership in term 2, and has not accepted within 300ms")

	// The same command again waits for it as well, and asks nothing.
	for _, args := range [][]string{{"--term", "1"}, nil} {
		d.before = nil
		o = d.runs(append([]string{"transfer", "--to", "other", "--timeout", "300ms"}, args...)...)
		require.Equal(t, 5, o.Code, o.Stdout)
		require.Contains(t, o.Stderr, "was handed leadership in term 2, and has not accepted within 300ms")
	}
	d.before = func() {
		d.before = nil
		d.does(func(tr kv.Transaction) error { _, err := d.RunElectionCycle(tr, other, time.Now()); return err })
	}
	o = d.runs("transfer", "--to", "other", "--term", "1")
	require.Zero(t, o.Code, o.Stderr)
	require.Regexp(t, "^other#[0-9a-f]+ leads in term 2, after ", o.Stdout)
}

// TestTransferThatIsNotAccepted: a candidate was handed leadership and did not accept,
// and another one leads in the end. The command says so, even if it has seen only the end.
func TestTransferThatIsNotAccepted(t *testing.T) {
	for _, looks := range []bool{true, false} {
		d := newDesk(t)
		leader, _ := d.made()
		seat := d.state().Leader
		yields := func(tr kv.Transaction) error {
			_, _, err := d.HandOver(tr, seat.Token(), d.state().Request, time.Now())
			return err
		}
		var sent atomic.Int32
		d.before = func() {
			switch sent.Add(1) {
			case 2:
				d.does(yields)
				if looks {
					return
				}
				fallthrough
			case 3:
				later := time.Now().Add(time.Hour)
				d.does(func(tr kv.Transaction) error {
					_, err := d.TryClaimLeadership(tr, leader.Identity, later, election.WithObservation(election.Observation{}.Next(d.state().Leader, time.Now()), later))
					return err
				})
			}
		}
		o := d.runs("transfer", "--to", "other")
		require.Equal(t, 3, o.Code, "%s %s", o.Stdout, o.Stderr)
		require.Regexp(t, "other#[0-9a-f]+ was handed leadership in term 2,? and (did not accept|that term has ended); leader#[0-9a-f]+ leads in term 3", o.Stderr)
		require.Equal(t, looks, strings.Contains(o.Stderr, "did not accept"))
		o = d.runs("transfer", "--to", "other", "--term", "1")
		require.Zero(t, o.Code, o.Stderr)
		require.Regexp(t, "^term 1 was already handed to other#[0-9a-f]+; leader#[0-9a-f]+ leads in term 3", o.Stdout)
	}
}

// TestResignNamesTheSuccessor: resign names a candidate that takes over during its last
// read.
func TestResignNamesTheSuccessor(t *testing.T) {
	d := newDesk(t)
	_, other := d.made()
	seat := d.state().Leader
	var sent, reads atomic.Int32
	d.before = func() {
		if sent.Add(1) == 2 {
			d.does(func(tr kv.Transaction) error { return d.ResignLeadership(tr, seat.Token(), time.Now()) })
		}
	}
	d.beforeRead = func() {
		if reads.Add(1) == 2 {
			d.does(func(tr kv.Transaction) error {
				_, err := d.TryClaimLeadership(tr, other.Identity, time.Now())
				return err
			})
		}
	}
	o := d.runs("resign")
	require.Zero(t, o.Code, o.Stderr)
	require.Regexp(t, `^term 1 of leader#[0-9a-f]+ ended after \S+ \(resigned\); other#[0-9a-f]+ leads in term 2\n$`, o.Stdout)
}

// TestResignSaysHowATermEnded: resign does not report a term that expired as resigned.
func TestResignSaysHowATermEnded(t *testing.T) {
	d := newDesk(t)
	_, other := d.made()
	d.answers(func() {
		later := time.Now().Add(time.Hour)
		d.does(func(tr kv.Transaction) error {
			_, err := d.TryClaimLeadership(tr, other.Identity, later, election.WithObservation(election.Observation{}.Next(d.state().Leader, time.Now()), later))
			return err
		})
	})
	o := d.runs("resign")
	require.Zero(t, o.Code, o.Stderr)
	require.Regexp(t, `^term 1 of leader#[0-9a-f]+ ended after \S+ \(expiry\); other#[0-9a-f]+ leads in term 2\n$`, o.Stdout)
}

// TestTransferToACandidateThatCannotLead: a transfer to an observer, or in a disabled election, is
// refused.
func TestTransferToACandidateThatCannotLead(t *testing.T) {
	d := newDesk(t)
	_, other := d.made()
	other.Role = election.Observer
	d.does(func(tr kv.Transaction) error { return d.HeartbeatCandidate(tr, other, time.Now()) })
	o := d.runs("transfer", "--to", "other")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, "other cannot be handed leadership: candidate is an observer and never leads")
	require.Equal(t, election.NoRequest, d.state().Request.Kind)
	other.Role = election.Voter
	d.does(func(tr kv.Transaction) error { return d.HeartbeatCandidate(tr, other, time.Now()) })
	require.Zero(t, d.runs("config", "disable").Code)
	o = d.runs("transfer", "--to", "other")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, `enable it first with "fdbelect config enable"`)
}
