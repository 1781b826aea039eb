package election_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// cyclingEnv names a store. If it is set, the test binary runs cycles on that store until its
// standard input ends.
const cyclingEnv = "ELECTION_TEST_CYCLES_ON"

func TestMain(m *testing.M) {
	if path := os.Getenv(cyclingEnv); path != "" {
		if err := cycleUntilStdinEnds(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func cycleUntilStdinEnds(path string) error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	cycle, err := cycler(ctx, path)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for ctx.Err() == nil {
		if err := cycle(); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// cycler registers a candidate in a store, and returns a function that runs a cycle.
func cycler(ctx context.Context, path string) (func() error, error) {
	db, err := filekv.Open(path, filekv.Options{})
	if err != nil {
		return nil, err
	}
	e := election.New(subspace.New("bench"))
	me := election.Registration{Identity: election.Identity{ID: uuid.NewString()}}
	err = db.Transact(ctx, func(tr kv.Transaction) error {
		if _, err := e.Initialize(tr); err != nil {
			return err
		}
		return e.RegisterCandidate(tr, me, time.Now())
	})
	return func() error {
		return db.Transact(ctx, func(tr kv.Transaction) error {
			_, err := e.RunElectionCycle(tr, me, time.Now())
			return err
		})
	}, err
}

// BenchmarkCycleThreeProcesses runs cycles on one file while two other processes do the same
// without pauses.
func BenchmarkCycleThreeProcesses(n *testing.B) {
	path := filepath.Join(n.TempDir(), "store") // removed after the processes have ended
	cycle, err := cycler(n.Context(), path)
	require.NoError(n, err)
	for range 2 {
		other := exec.Command(os.Args[0], "-test.run=^$")
		other.Env = append(os.Environ(), cyclingEnv+"="+path)
		other.Stderr = os.Stderr
		in, err := other.StdinPipe()
		require.NoError(n, err)
		out, err := other.StdoutPipe()
		require.NoError(n, err)
		require.NoError(n, other.Start())
		_, err = fmt.Fscanln(out, new(string))
		require.NoError(n, err)
		n.Cleanup(func() {
			require.NoError(n, in.Close())
			require.NoError(n, other.Wait())
		})
	}
	var took []time.Duration
	for n.Loop() {
		begin := time.Now()
		require.NoError(n, cycle())
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	n.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	n.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
