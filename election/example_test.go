package election_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// A write that commits only under leadership, in a transaction of the caller.
// docs/transactions.md shows the same code.
func Example_fencedWrite() {
	// begin README
	ctx := context.Background()
	db := memkv.New(memkv.Options{})
	e := election.New(subspace.New("payments", "election"))
	me := election.Registration{Identity: election.Identity{ID: "host-1", Incarnation: uuid.New()}}

	// Register, then claim leadership. Both are part of transactions that you run.
	err := db.Transact(ctx, func(tr kv.Transaction) error {
		if _, err := e.Initialize(tr); err != nil {
			return err
		}
		return e.RegisterCandidate(tr, me, time.Now())
	})
	if err != nil {
		log.Fatal(err)
	}
	result, err := kv.Transact(ctx, db, func(tr kv.Transaction) (election.CycleResult, error) {
		return e.RunElectionCycle(tr, me, time.Now()) // once per heartbeat; later calls renew
	})
	if err != nil || !result.Leads() {
		log.Fatal("not the leader: ", err)
	}

	// Your own write. It commits only while this tenure is the newest.
	token := result.Leader.Token()
	pay := func(amount string) error {
		return db.Transact(ctx, func(tr kv.Transaction) error {
			if err := e.RequireLeadership(tr, token); err != nil {
				return err
			}
			tr.Set([]byte("balance"), []byte(amount))
			return nil
		})
	}
	// end README

	fmt.Printf("in term %d: %v\n", token.Term, pay("100"))
	err = db.Transact(ctx, func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, time.Now()) })
	fmt.Println("resign:", err)
	fmt.Println("afterwards:", errors.Is(pay("200"), fdbelection.ErrFenced))
	// Output:
	// in term 1: <nil>
	// resign: <nil>
	// afterwards: true
}
