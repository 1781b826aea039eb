package bridge_test

import (
	"context"
	"fmt"
	"log"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/integrations/bridge"
	"github.com/fdbelection/fdbelection/integrations/bridge/clientgo"
	"github.com/fdbelection/fdbelection/integrations/bridge/internal/leases"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// A process of the new fleet works under its leadership and under the lease of the old fleet.
func Example() {
	ctx, db, client := context.Background(), memkv.New(memkv.Options{}), leases.New()
	chargeNext := func(context.Context, *elector.Leadership) error {
		lease, err := client.Leases("billing").Get(ctx, "leader", metav1.GetOptions{})
		if err != nil {
			return err
		}
		fmt.Println("the old fleet sees", *lease.Spec.HolderIdentity)
		return elector.ErrDone
	}
	// begin README
	el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{NodeID: "host-1"})
	if err != nil {
		log.Fatal(err)
	}
	old := &resourcelock.LeaseLock{ // as the old fleet makes it
		LeaseMeta:  metav1.ObjectMeta{Namespace: "billing", Name: "leader"},
		Client:     client,                                                  // kubernetes.Clientset.CoordinationV1()
		LockConfig: resourcelock.ResourceLockConfig{Identity: "host-1-new"}, // differs from that of every old process
	}
	gate := &bridge.Gate{Lock: &clientgo.Lock{
		Lock: old, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
	}}
	err = gate.Run(ctx, el, func(ctx context.Context, lead *elector.Leadership) error { // instead of el.Run
		for ctx.Err() == nil { // ends with leadership, and with the old lock
			if err := chargeNext(ctx, lead); err != nil {
				return err
			}
		}
		return nil // the old lock is released now, and leadership after that
	})
	// end README
	fmt.Println(err, gate.Leading())
	// Output:
	// the old fleet sees host-1-new
	// <nil> false
}
