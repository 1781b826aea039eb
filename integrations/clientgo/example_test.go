package clientgo_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"k8s.io/client-go/tools/leaderelection"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/integrations/clientgo"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// client-go's own loop elects the leader, and the work writes under its fencing token.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	db := memkv.New(memkv.Options{})
	worked := make(chan struct{})
	work := func(ctx context.Context, token election.Token) {
		defer close(worked)
		err := db.Transact(ctx, func(tr kv.Transaction) error {
			if err := election.New(subspace.New("billing")).RequireLeadership(tr, token); err != nil {
				return err
			}
			tr.Set([]byte("balance"), []byte("100"))
			return nil
		})
		fmt.Printf("written in term %d: %v\n", token.Term, err)
		stop()
	}
	// begin README
	lock, err := clientgo.New(db, election.New(subspace.New("billing")), "host-1", clientgo.Options{})
	if err != nil {
		log.Fatal(err)
	}
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock:            lock, // in controller-runtime: manager.Options.LeaderElectionResourceLockInterface
		LeaseDuration:   15 * time.Second,
		RenewDeadline:   10 * time.Second,
		RetryPeriod:     2 * time.Second,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { work(ctx, lock.Token()) },
			OnStoppedLeading: func() { fmt.Println("stopped leading") },
		},
	})
	// end README
	<-worked
	// Output:
	// written in term 1: <nil>
	// stopped leading
}
