package cli_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/cli"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestRunStopsAtAnUnreadableRecord: the config and the leader record are necessary. If one
// of them cannot be read, run ends with an error that names it, and changes nothing.
func TestRunStopsAtAnUnreadableRecord(t *testing.T) {
	for _, record := range []string{"config", "leader"} {
		t.Run(record, func(t *testing.T) {
			file := processtest.StoreFile(t)
			db, err := filekv.Open(file, filekv.Options{})
			require.NoError(t, err)
			defer db.Close()
			e := election.New(subspace.New("fdbelection", "default"))
			key := e.Subspace().Sub(record).Bytes()
			require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
				if _, err := e.Initialize(tr); err != nil {
					return err
				}
				tr.Set(key, []byte("rubbish"))
				return nil
			}))
			var stdout, stderr bytes.Buffer
			err = cli.Exec(t.Context(), []string{"run", "--store", "file:" + file, "--id", "a"}, strings.NewReader(""), &stdout, &stderr)
			require.ErrorIs(t, err, fdbelection.ErrInvalidState)
			require.Equal(t, 1, exit.Code(err))
			require.Contains(t, stderr.String(), record+" at key")
			require.NotContains(t, stderr.String(), "role=leader")
			value, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(key).Get() })
			require.NoError(t, err)
			require.Equal(t, "rubbish", string(value))
		})
	}
}

// TestRunThatIsAskedToStopAtOnce: a run that has to stop before it has started has nothing
// to leave.
func TestRunThatIsAskedToStopAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("terminated"))
	var stdout, stderr bytes.Buffer
	err := cli.Exec(ctx, []string{"run", "--store", "file:" + processtest.StoreFile(t), "--id", "a"}, strings.NewReader(""), &stdout, &stderr)
	require.NoError(t, err)
	require.Empty(t, stdout.String())
	require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
	require.Contains(t, stderr.String(), `msg="asked to stop"`)
}

// A request that cannot be read counts as no request. run leads beside it, and the next
// change of the tenure removes it.
func TestRunBesideAnUnreadableRequest(t *testing.T) {
	d := newDesk(t)
	d.does(func(tr kv.Transaction) error { _, err := d.Initialize(tr); return err })
	d.spoil(rubbish, "intent")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan processtest.Outcome, 1)
	go func() { ended <- d.runsUntil(ctx, "run", "--id", "a") }()
	processtest.Eventually(t, "a leads", func() bool { return d.state().Leader.ID == "a" })
	stop()
	o := <-ended
	require.Zero(t, o.Code, o.Stderr)
	require.NoError(t, d.state().Unreadable)
}
