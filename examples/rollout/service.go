package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

var (
	billing   = election.New(subspace.New("billing", "election"))
	heartbeat = subspace.New("billing", "heartbeat").Bytes()
)

// id names a process: the versions of one host run side by side for a moment.
func id(version string) string { return host + "/" + version }

const host = "host-1"

// service is one process of the service, in one version.
type service struct {
	warm atomic.Bool
	out  io.Writer
}

// serve runs until SIGTERM. Then it hands over to the newest process of this host, if there is one.
func serve(path, version string, out io.Writer) (err error) {
	db, err := filekv.Open(path, filekv.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := &service{out: out}
	time.AfterFunc(300*time.Millisecond, func() { s.warm.Store(true) }) // for the time that loading a cache takes
	el, err := elector.New(db, billing, elector.Options{
		NodeID: id(version), Ready: s.ready, ReadyInterval: 50 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(told, func() {
		stop()                                                // a second signal ends the process at once
		_ = el.StopAndHandOver(context.Background(), id("*")) // Run returns the same error
	})
	err = el.Run(context.Background(), s.work) // the end of told would resign instead
	if _, resigned := errors.AsType[*elector.HandOverError](err); !resigned {
		return err
	}
	if !errors.Is(err, fdbelection.ErrProcessNotFound) { // without a newer process it is an ordinary stop
		slog.Warn("resigned instead of handing over", "version", version, "error", err)
	}
	return nil
}

// ready keeps a process with a cold cache from leading.
func (s *service) ready(context.Context) error {
	if !s.warm.Load() {
		return errors.New("the cache is cold")
	}
	return nil
}

// work writes something every ten milliseconds, and prints when it begins and when it ends.
func (s *service) work(ctx context.Context, lead *elector.Leadership) error {
	fmt.Fprintln(s.out, "begin", lead.Term(), time.Now().UnixNano())
	defer func() { fmt.Fprintln(s.out, "end", lead.Term(), time.Now().UnixNano()) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := lead.Transact(lead.LeaseContext(), func(tr kv.Transaction) error {
			tr.Set(heartbeat, subspace.AppendUint(nil, lead.Term()))
			return nil
		})
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil // the successor leads now, and not before
		}
	}
}
