// Command rollout replaces the leader by a new version of its program, twice, without a vacancy. Each
// version is a process of its own. The new one is started and becomes ready. Then the old one gets
// a SIGTERM and hands leadership over to it.
//
// service.go has the service, and main.go the deployment. The processes share a file below the
// directory for temporary files.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

func main() {
	var err error
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		err = serve(os.Args[2], os.Args[3], os.Stdout)
	} else {
		err = run(context.Background(), os.Stdout)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "rollout")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "election.db")
	db, err := filekv.Open(path, filekv.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	d := &deployment{db: db, path: path, out: out}
	defer d.kill() // after an error
	return d.run(ctx)
}

// deployment starts and stops processes of the service.
type deployment struct {
	db        kv.Database
	path      string
	out       io.Writer
	processes []*process
}

// run starts the service, replaces it twice, and stops it.
func (d *deployment) run(ctx context.Context) error {
	p, err := d.start(ctx, "v41")
	if err != nil {
		return err
	}
	if _, err := p.next("begin"); err != nil {
		return err
	}
	for _, version := range []string{"v42", "v43"} {
		if p, err = d.replace(ctx, p, version); err != nil {
			return err
		}
	}
	if err := errors.Join(p.terminate(), p.wait()); err != nil {
		return err
	}
	events, err := kv.ReadTransact(ctx, d.db, func(tr kv.ReadTransaction) ([]election.Event, error) {
		return billing.History(tr, 0)
	})
	for _, e := range events {
		fmt.Fprintf(d.out, "term %d: from %q to %q, %s\n", e.Term, e.From.ID, e.To.ID, e.Reason)
	}
	return err
}

// replace starts a version of the service, and stops the old one when the new one can lead.
func (d *deployment) replace(ctx context.Context, old *process, version string) (*process, error) {
	p, err := d.start(ctx, version)
	if err != nil {
		return nil, err
	}
	if err := d.untilReady(ctx, version); err != nil {
		return nil, err
	}
	fmt.Fprintf(d.out, "%s is ready. %s is told to stop.\n", version, old.version)
	if err := old.terminate(); err != nil {
		return nil, err
	}
	end, err := old.next("end")
	if err != nil {
		return nil, err
	}
	begin, err := p.next("begin")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(d.out, "%s began to work %s after %s had ended.\n", version, begin.Sub(end).Round(10*time.Microsecond), old.version)
	return p, old.wait()
}

// untilReady waits until a process is registered and ready.
func (d *deployment) untilReady(ctx context.Context, version string) error {
	for {
		candidate, err := kv.ReadTransact(ctx, d.db, func(tr kv.ReadTransaction) (election.Candidate, error) {
			return billing.GetCandidate(tr, id(version))
		})
		switch {
		case err == nil && candidate.Ready():
			return nil
		case err != nil && !errors.Is(err, fdbelection.ErrProcessNotFound):
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", version, ctx.Err())
		}
	}
}
