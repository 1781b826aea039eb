package demo

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// A failed chapter reports what it expected and what it found, and the demo fails.
func TestFailedChapter(t *testing.T) {
	for name, chapter := range map[string]struct {
		run  func(d *demo) error
		want string
	}{
		"no renewals":            {(*demo).runRenewals, "expected ballot 1 within 12s; found: vacant in term 0, ballot 0"},
		"no leader to challenge": {(*demo).runPreemption, "expected a preemption request by oak; found: oak"},
		"a forged payment":       {(*demo).checkForgedLedger, "expected payments without a gap"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				c := clitest.Virtual{}
				d := newDemo(t.Context(), c, &printer{out: &out, clock: c, start: c.Now()})
				defer d.close()
				err := chapter.run(d)
				require.ErrorContains(t, err, chapter.want)
				require.Equal(t, exit.CodeFailure, exit.Code(err))
				require.NotContains(t, out.String(), "ok")
			})
		})
	}
}

// checkForgedLedger checks the ledger after a payment in a term that never began.
func (d *demo) checkForgedLedger() error {
	err := d.db.Transact(d.ctx, func(tr kv.Transaction) error {
		return d.ledger.add(tr, election.Token{Term: 7, Identity: election.Identity{ID: "elm"}})
	})
	if err != nil {
		return err
	}
	return d.checkLedger()
}
