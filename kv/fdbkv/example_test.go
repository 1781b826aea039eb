package fdbkv_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The election uses the transactions of a program. The leader's work commits only while
// it leads.
func ExampleWrap() {
	fdb.MustAPIVersion(fdbkv.APIVersion)
	db := fdb.MustOpenDatabase(os.Getenv("FDB_CLUSTER_FILE"))
	root := subspace.FromBytes([]byte("fdbkvtest/")).Sub(uuid.NewString()) // only for this example
	e := election.New(root.Sub("billing"))
	me := election.Registration{Identity: election.Identity{ID: "host-1", Incarnation: uuid.New()}}

	_, err := db.Transact(func(tr fdb.Transaction) (any, error) {
		if _, err := e.Initialize(fdbkv.Wrap(tr)); err != nil {
			return nil, err
		}
		return nil, e.RegisterCandidate(fdbkv.Wrap(tr), me, time.Now())
	})
	if err != nil {
		log.Fatal(err)
	}
	balance := fdb.Key(root.Sub("balance").Bytes())
	// begin README
	// Once per heartbeat interval: claims leadership if it is vacant or expired, or renews it.
	result, err := db.Transact(func(tr fdb.Transaction) (any, error) {
		return e.RunElectionCycle(fdbkv.Wrap(tr), me, time.Now())
	})
	if err != nil {
		log.Fatal(err)
	}
	leader := result.(election.CycleResult).Leader

	// Your own write, in your own transaction. It commits only under leadership.
	_, err = db.Transact(func(tr fdb.Transaction) (any, error) {
		if err := e.RequireLeadership(fdbkv.Wrap(tr), leader.Token()); err != nil {
			return nil, err
		}
		tr.Set(balance, []byte("100"))
		return nil, nil
	})
	// end README
	fmt.Printf("%s leads in term %d\n", leader.ID, leader.Term)
	fmt.Println("fenced:", err)

	_, err = db.Transact(func(tr fdb.Transaction) (any, error) {
		tr.ClearRange(fdb.KeyRange{Begin: fdb.Key(root.Bytes()), End: fdb.Key(append(root.Bytes(), 0xff))})
		return nil, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// host-1 leads in term 1
	// fenced: <nil>
}
