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

// A chapter that does not come true says what was expected and what is there,
// and the demo fails with it.
func TestChapterThatDoesNotComeTrue(t *testing.T) {
	for name, chapter := range map[string]struct {
		tell func(s *stage) error
		want string
	}{
		"nobody renews":                    {(*stage).tellRenewals, "expected ballot 1 within 12s; the database has: vacant in term 0, ballot 0"},
		"nobody is there to be challenged": {(*stage).tellPreemption, "expected a challenge by oak; the database has: oak"},
		"somebody has cooked the books":    {(*stage).tellForgery, "expected payments without a gap"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				c := clitest.Virtual{}
				s := newStage(t.Context(), c, &narrator{out: &out, clock: c, start: c.Now()})
				defer s.close()
				err := chapter.tell(s)
				require.ErrorContains(t, err, chapter.want)
				require.Equal(t, exit.CodeFailure, exit.Code(err))
				require.NotContains(t, out.String(), "ok")
			})
		})
	}
}

// tellForgery tells of the books after a payment under a term that never was.
func (s *stage) tellForgery() error {
	err := s.db.Transact(s.ctx, func(tr kv.Transaction) error {
		return s.ledger.book(tr, election.Token{Term: 7, Identity: election.Identity{ID: "elm"}})
	})
	if err != nil {
		return err
	}
	return s.tellBooks()
}
