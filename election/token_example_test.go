package election_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// A command under "fdbelect run" that writes under leadership. docs/command.md shows
// the same code.
func ExampleParseToken() {
	ctx := context.Background()
	db := memkv.New(memkv.Options{})
	resign := setenvAsRunDoes(ctx, db)

	// begin README
	// A command under fdbelect run. Its write commits only while its tenure is the newest.
	token, err := election.ParseToken(os.Getenv("FDBELECT_TOKEN"))
	if err != nil {
		log.Fatal(err)
	}
	path := append(strings.Split(os.Getenv("FDBELECT_ROOT"), "/"), os.Getenv("FDBELECT_ELECTION"))
	e := election.New(subspace.New(path...))
	err = db.Transact(ctx, func(tr kv.Transaction) error {
		if err := e.RequireLeadership(tr, token); err != nil {
			return err
		}
		tr.Set([]byte("balance"), []byte("100"))
		return nil
	})
	// end README

	fmt.Println("while it leads:", err)
	resign()
	err = db.Transact(ctx, func(tr kv.Transaction) error { return e.RequireLeadership(tr, token) })
	fmt.Println("afterwards:", errors.Is(err, fdbelection.ErrFenced))
	// Output:
	// while it leads: <nil>
	// afterwards: true
}

// setenvAsRunDoes creates an election with a leader, and sets the environment variables that
// "fdbelect run" sets. The leader resigns when resign is called.
func setenvAsRunDoes(ctx context.Context, db kv.Database) (resign func()) {
	e := election.New(subspace.New("fdbelection", "default"))
	me := election.Registration{Identity: election.Identity{ID: "host-1"}}
	must := func(fn func(tr kv.Transaction) error) {
		if err := db.Transact(ctx, fn); err != nil {
			log.Fatal(err)
		}
	}
	must(func(tr kv.Transaction) error {
		if _, err := e.Initialize(tr); err != nil {
			return err
		}
		return e.RegisterCandidate(tr, me, time.Now())
	})
	var token election.Token
	must(func(tr kv.Transaction) error {
		result, err := e.TryClaimLeadership(tr, me.Identity, time.Now())
		token = result.Leader.Token()
		return err
	})
	for name, value := range map[string]string{
		"FDBELECT_TOKEN": token.Text(), "FDBELECT_ROOT": "fdbelection", "FDBELECT_ELECTION": "default",
	} {
		if err := os.Setenv(name, value); err != nil {
			log.Fatal(err)
		}
	}
	return func() {
		must(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, time.Now()) })
	}
}
