package election_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/election/electiontest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

func TestOnMemkv(t *testing.T) {
	electiontest.Run(t, electiontest.Engine{
		Name: "memkv",
		Open: func(testing.TB) kv.Database { return memkv.New(memkv.Options{}) },
	})
}
