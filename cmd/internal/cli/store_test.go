package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestStoreOfAnotherModule: a program may have a store of its own, as cmd/fdbelect-fdb
// does.
func TestStoreOfAnotherModule(t *testing.T) {
	db := memkv.New(memkv.Options{})
	e := election.New(subspace.New("fdbelection").Sub("default"))
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		_, err := e.InitializeWithConfig(tr, fdbelection.DefaultConfig())
		return err
	}))
	errGone := errors.New("the cluster is gone")
	errWrong := errors.New("there is no tennant")
	var opened []string
	closed := 0
	other := session.Store{
		Scheme: "fdb",
		Open: func(_ context.Context, rest string, timeout time.Duration) (kv.Database, io.Closer, error) {
			opened = append(opened, rest+" "+timeout.String())
			switch rest {
			case "gone":
				return nil, nil, errGone
			case "a?tennant=x":
				return nil, nil, errWrong
			}
			return db, closer(func() { closed++ }), nil
		},
		Usage:     func(err error) bool { return errors.Is(err, errWrong) },
		Permanent: func(err error) bool { return errors.Is(err, errGone) },
	}
	run := func(args ...string) (stdout string, err error) {
		var out, errs bytes.Buffer
		err = Exec(t.Context(), args, strings.NewReader(""), &out, &errs, other)
		return out.String(), err
	}

	out, err := run("status", "--store", "fdb:a:b", "--timeout", "3s")
	require.NoError(t, err)
	require.Contains(t, out, "in fdb:a:b")
	require.Equal(t, []string{"a:b 3s"}, opened)
	require.Equal(t, 1, closed)

	_, err = run("status", "--store", "fdb:gone")
	require.ErrorIs(t, err, errGone)
	require.Equal(t, exit.CodeFailure, exit.Code(err), "no retry can fix it")

	for _, command := range []string{"status", "doctor", "watch"} {
		out, err = run(command, "--store", "fdb:a?tennant=x")
		require.ErrorIs(t, err, errWrong)
		require.Equal(t, exit.CodeUsage, exit.Code(err), command)
		require.Empty(t, out)
	}

	a := app{Program: &session.Program{Stores: []session.Store{other, {Scheme: "x"}}}}
	require.True(t, a.Permanent(errGone))
	require.False(t, a.Permanent(errors.New("another")))
}

type closer func()

func (c closer) Close() error {
	c()
	return nil
}

// unreachableArguments are the arguments that each subcommand that opens a store needs
// besides --store.
var unreachableArguments = map[string][]string{
	"bench": nil, "cancel": nil, "candidates": nil, "config get": nil, "config set": {"lease=10s"},
	"config enable": nil, "config disable": nil, "doctor": nil, "evict": nil, "group run": {"--id", "a"}, "history": nil, "init": nil,
	"list": nil, "raise-term": {"--floor", "1"}, "repair": nil, "resign": nil, "run": {"--id", "a"}, "serve": {"--listen", "0"}, "status": nil,
	"transfer": {"--to", "a"}, "unregister": {"a"}, "watch": nil,
	"group create": nil, "group config get": nil, "group config set": {"lease=10s"}, "group config enable": nil, "group config disable": nil,
	"group status": nil, "group members": nil, "group shards": nil, "group history": nil, "group watch": nil,
	"group pin": {"--to", "a", "s"}, "group unpin": {"s"}, "group drain": {"a"}, "group undrain": {"a"}, "group resign": {"s"},
	"group cancel": {"s"}, "group remove": {"s"}, "group rebalance": {"--dry-run"}, "group raise-term": {"--floor", "9", "--all"},
}

// TestUnreachableStore: a store that does not answer within the timeout cannot be reached,
// for every subcommand that opens it.
func TestUnreachableStore(t *testing.T) {
	nowhere := session.Store{
		Scheme: "fdb",
		Open: func(context.Context, string, time.Duration) (kv.Database, io.Closer, error) {
			return nil, nil, fmt.Errorf("the cluster did not answer: %w",
				kv.Error{Code: kv.CodeTransactionCancelled, Err: context.DeadlineExceeded})
		},
	}
	opened := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Runnable() && c.Flags().Lookup("store") != nil && !c.Hidden {
			name := strings.TrimPrefix(c.CommandPath(), "fdbelect ")
			t.Run(name, func(t *testing.T) {
				more, known := unreachableArguments[name]
				require.True(t, known, "say in unreachableArguments what the subcommand needs")
				args := append(append(strings.Fields(name), "--store", "fdb:nowhere"), more...)
				err := Exec(t.Context(), args, strings.NewReader(""), io.Discard, io.Discard, nowhere)
				require.ErrorContains(t, err, "the cluster did not answer")
				require.Equal(t, exit.CodeUnreachable, exit.Code(err), "%v", err)
			})
			opened++
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{Program: &session.Program{}}).rootCommand())
	require.Len(t, unreachableArguments, opened)
}
