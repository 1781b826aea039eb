package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/web"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

const (
	defaultAddress = "127.0.0.1:8300"
	maxConnections = 1024
)

type flags struct {
	session.Access
	listen            string
	certFile, keyFile string
	tokenFile         string
}

// Command returns the subcommand.
func Command(p *session.Program) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "serve --store STORE [flags]",
		Short: "Serve a live page, a JSON API and metrics of all elections and groups",
		Long: `serve shows all elections and groups below the root in a browser, live. Of an election it shows who
leads and since when, how much of the lease is left, the candidates, requests, and the history as a
timeline. Of a group it shows the members with their load, free shards, and how the shards have
moved over time. serve only reads the store, and nothing can be steered over HTTP.

  /                      the page
  /api/v1/list, /api/v1/status, /api/v1/candidates, /api/v1/history
                         what the subcommands of these names print with --output json. All
                         but the list need ?election=NAME
  /api/v1/group/status, /api/v1/group/members, /api/v1/group/shards, /api/v1/group/history
                         the same of a group, with ?group=NAME
  /api/v1/stream         server-sent events: the list, or one election or group with
                         ?election=NAME or ?group=NAME
  /api/v1/openapi.json   a description of the API
  /metrics               metrics for Prometheus, as seen from outside
  /livez, /readyz        probes of serve itself; /readyz asks the store

All pages share one read of the store, every half second while a page is open. Whether leaders,
candidates and members are alive is decided by what changes from one read to the next, and not
by the clocks of other hosts.

Without --listen, serve answers on this host only. Other hosts can read everything in the
elections and groups, such as ids and tags, so give --token-file, --tls-cert and --tls-key with
any other address. Each line of the token file is a token. The page asks for one; other clients
send the header "Authorization: Bearer TOKEN". The probes, openapi.json and the files of the
page need no token. All three files are read again when they change. If one cannot be used
then, its former contents stay valid, and the log says why.`,
		Example: `  fdbelect serve --store file:/tmp/demo.db
  fdbelect serve --store file:/tmp/demo.db --listen 0.0.0.0:8300 --tls-cert cert.pem --tls-key key.pem --token-file token`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.serve(cmd.Context(), p) },
	}
	f.Place.AddSpaceFlags(cmd)
	f.Access.AddTimeoutFlag(cmd)
	cmd.Flags().Lookup("timeout").Usage = "how long opening the store may take; a read may take 5s for the page and /readyz, and 8s for /metrics"
	cmd.Flags().StringVar(&f.listen, "listen", defaultAddress, "PORT or HOST:PORT to listen on; a port alone is on this host only, and 0 picks a free one")
	cmd.Flags().StringVar(&f.certFile, "tls-cert", "", "file with the TLS certificate, in PEM")
	cmd.Flags().StringVar(&f.keyFile, "tls-key", "", "file with the key of the certificate, in PEM")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with the tokens that may read, one in a line, each of at least 16 characters")
	session.FromEnvironment(cmd.Flags(), "listen", "tls-cert", "tls-key", "token-file")
	return cmd
}

// settings are the flags after a check.
type settings struct {
	address    string
	tls        *tls.Config
	authorized func(string) bool
}

func (f *flags) check(c elector.Clock, log *slog.Logger) (s settings, err error) {
	if s.address, err = web.Address(f.listen); err != nil {
		return s, exit.Usage(fmt.Errorf("%s: %w", f.Named("listen"), err))
	}
	if (f.certFile == "") != (f.keyFile == "") {
		return s, exit.Usage(errors.New("give both --tls-cert and --tls-key, or neither"))
	}
	if f.certFile != "" {
		if s.tls, err = web.TLS(f.certFile, f.keyFile, c, log); err != nil {
			return s, exit.Usage(fmt.Errorf("%s and %s: %w", f.Named("tls-cert"), f.Named("tls-key"), err))
		}
	}
	if f.tokenFile != "" {
		if s.authorized, err = web.Tokens(f.tokenFile, c, log); err != nil {
			return s, exit.Usage(fmt.Errorf("%s: %w", f.Named("token-file"), err))
		}
	}
	return s, nil
}

func (f *flags) serve(ctx context.Context, p *session.Program) error {
	log := slog.New(slog.NewTextHandler(p.Stderr, nil))
	set, err := f.check(p.Clock, log)
	if err != nil {
		return err
	}
	space, err := f.Space()
	if err != nil {
		return err
	}
	store, err := newReopened(ctx, func(ctx context.Context) (kv.Database, io.Closer, error) {
		s, err := p.OpenStore(ctx, &f.Access, true)
		if err != nil {
			return nil, nil, err
		}
		return s.Database, s, nil
	}, p.Permanent)
	if err != nil {
		return err
	}
	defer store.end()
	listener, err := web.Listen(ctx, set.address, maxConnections)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Named("listen"), err)
	}
	if f.Spec == "mem:" {
		log.Warn("mem: is the memory of this process, so there is nothing to see")
	}
	local := web.OnThisHost(listener.Addr())
	if !local && (set.tls == nil || set.authorized == nil) {
		log.Warn("other hosts can read the elections: give --tls-cert, --tls-key and --token-file", "address", listener.Addr().String())
	}
	scheme := "http"
	if set.tls != nil {
		scheme, listener = "https", tls.NewListener(listener, set.tls)
	}
	handler := NewHandler(Options{
		Database: store, Space: space, Store: f.Spec, Root: f.Root, Clock: p.Clock, Logger: log,
		Authorized: set.authorized, LocalOnly: local && set.authorized == nil,
	})
	stop := web.Serve(listener, handler, log)
	defer stop()
	log.Info("serving", "url", web.URL(scheme, set.address, listener.Addr()), "store", election.SafeText(f.Spec), "root", election.SafeText(f.Root))
	<-ctx.Done()
	return nil
}
