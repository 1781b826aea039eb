package engines

import (
	"context"
	"testing"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// Mem describes memkv, with an injected clock and with hooks for the suite. Each
// change may alter the options of the databases that it opens.
func Mem(changes ...func(opts *memkv.Options)) kvtest.Engine {
	return kvtest.Engine{
		Name: "memkv",
		Open: func(testing.TB) kvtest.Store { return openMem(changes) },
		Lacks: map[kvtest.Capability]string{
			kvtest.Reopening: "nothing survives the process",
		},
	}
}

func openMem(changes []func(opts *memkv.Options)) kvtest.Store {
	clock, injector := kvtest.NewVirtualClock(), &injector{}
	opts := memkv.Options{
		Now:    clock.Now,
		Sleep:  clock.Sleep,
		Jitter: clock.Jitter,
		Hooks: &memkv.Hooks{
			Before: func(ctx context.Context, c *memkv.Call) error { return injector.before(ctx, memCall{c}) },
			After:  func(_ context.Context, c *memkv.Call) error { return injector.after(memCall{c}) },
		},
	}
	for _, change := range changes {
		change(&opts)
	}
	db := memkv.New(opts)
	return kvtest.Store{
		Database: db,
		Advance:  clock.Advance,
		Backoffs: clock.Waited,
		Recover:  db.Recover,
		Inject:   injector.inject,
		Hold:     injector.hold,
		Share: func(testing.TB) kv.Database {
			return db.NewClient("another", memkv.ClientOptions{})
		},
	}
}

// memCall is a call of memkv as the injector sees it.
type memCall struct{ *memkv.Call }

func (c memCall) op() (kvtest.Op, bool) {
	switch c.Kind {
	case memkv.CallReadVersion, memkv.CallRead:
		return kvtest.OpRead, true
	case memkv.CallCommit:
		return kvtest.OpCommit, true
	default:
		return 0, false
	}
}

// detach separates a commit from its call. The commit is applied when land is
// called.
func (c memCall) detach() (land func()) {
	late := c.Detach()
	return func() { _, _ = late.Land() }
}
