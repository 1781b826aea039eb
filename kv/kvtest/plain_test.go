package kvtest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/kv/kvtest"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestPlainEngine runs the suite on an engine without handles: one database for all
// cases, each with its own prefix, on real time.
func TestPlainEngine(t *testing.T) {
	const none = "a plain engine"
	db := memkv.New(memkv.Options{})
	kvtest.Run(t, kvtest.Engine{
		Name: none,
		Open: func(t testing.TB) kvtest.Store {
			return kvtest.Store{Database: db, Prefix: []byte(t.Name() + "\x00\xff")}
		},
		Lacks: map[kvtest.Capability]string{
			kvtest.Clock: none, kvtest.Backoffs: none, kvtest.Recovery: none, kvtest.Faults: none,
			kvtest.Holds: none, kvtest.Reopening: none, kvtest.Sharing: none, kvtest.WatchLimit: none,
			kvtest.KeySpace: none,
		},
	})
}

// TestCasesStayInTheirPrefix checks that no case writes outside its prefix.
func TestCasesStayInTheirPrefix(t *testing.T) {
	e, prefix := engines.Mem(), []byte("prefix\x00")
	open := e.Open
	e.Lacks[kvtest.KeySpace] = "cases only own a prefix"
	e.Open = func(t testing.TB) kvtest.Store {
		s := open(t)
		db := s.Database
		s.Prefix = prefix
		t.Cleanup(func() {
			contents, err := kvtest.Contents(context.WithoutCancel(t.Context()), db)
			if err != nil {
				t.Error(err)
			}
			for key := range contents {
				if !strings.HasPrefix(key, string(prefix)) {
					t.Errorf("the case wrote %q", key)
				}
			}
		})
		return s
	}
	e.Timeout = 10 * time.Second
	for _, c := range kvtest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			failed, log := runCase(t, c, e)
			require.False(t, failed, log)
		})
	}
}
