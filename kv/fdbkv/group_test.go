package fdbkv_test

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/fdbelection/fdbelection/internal/grouptest"
	"github.com/fdbelection/fdbelection/internal/membertest"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestGroup runs the suite of groups on the real database.
func TestGroup(t *testing.T) { grouptest.Run(t, suiteEngine) }

// idOfMember is the environment variable with the id of a member.
const idOfMember = "FDBKV_TEST_MEMBER"

// beMember is a member of the group below a prefix, until SIGTERM.
func beMember(prefix string) error {
	db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return membertest.Work(ctx, db, subspace.FromBytes([]byte(prefix)), os.Getenv(idOfMember))
}

// TestMembers: processes that lead 10,000 shards are killed, started and stopped.
func TestMembers(t *testing.T) {
	space := prefix(t)
	membertest.Run(t, open(t, fdbkv.Options{}), subspace.FromBytes(space), 10_000, func(id string) *exec.Cmd {
		return childCommand(t, "member", string(space), idOfMember+"="+id)
	})
}
