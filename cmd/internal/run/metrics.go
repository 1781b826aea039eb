package run

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/web"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/monitor"
)

// maxConnections is how many connections are open.
const maxConnections = 64

// addMetrics adds --metrics. paths are what it serves.
func (f *common) addMetrics(flags *pflag.FlagSet, paths string) {
	flags.StringVar(&f.metrics, "metrics", "", "address that serves "+paths+": PORT for this host only, or HOST:PORT")
}

// checkMetrics checks --metrics and completes the address.
func (f *common) checkMetrics() (err error) {
	if f.metrics == "" {
		return nil
	}
	if f.metrics, err = web.Address(f.metrics); err != nil {
		return exit.Usage(fmt.Errorf("%s: %w", f.Named("metrics"), err))
	}
	return nil
}

// serveMetrics serves metrics and the health of an elector or a member until stop is called. It
// does nothing without --metrics.
func (f *common) serveMetrics(ctx context.Context, collectors []prometheus.Collector, one monitor.Participant, log *slog.Logger) (stop func(), err error) {
	if f.metrics == "" {
		return func() {}, nil
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", web.Metrics(log, collectors...))
	mux.Handle("/livez", monitor.Livez(one))
	mux.Handle("/readyz", monitor.Readyz(one))
	if el, ok := one.(*elector.Elector); ok {
		mux.Handle("/leaderz", monitor.Leaderz(el))
	}
	listener, err := web.Listen(ctx, f.metrics, maxConnections)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Named("metrics"), err)
	}
	log.Info("serving metrics", "address", listener.Addr().String())
	return web.Serve(listener, guarded(mux, web.OnThisHost(listener.Addr())), log), nil
}

// guarded refuses requests for other hosts, if only this host can reach the server: a web page
// of another host must not read the metrics through a browser.
func guarded(h http.Handler, onThisHost bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if onThisHost && !web.NamesThisHost(r) {
			http.Error(w, "this server answers on this host only; call it localhost or 127.0.0.1", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ownMetrics returns the collector of a candidate.
func (f *runFlags) ownMetrics(el *elector.Elector) []prometheus.Collector {
	c := monitor.NewElectors(monitor.ElectorsOptions{})
	c.Add(f.Name, el)
	return []prometheus.Collector{c}
}

// ownMetrics returns the collector of a member.
func (f *groupFlags) ownMetrics(m *member.Member) []prometheus.Collector {
	c := monitor.NewMembers(monitor.MembersOptions{})
	c.Add(f.Name, m)
	return []prometheus.Collector{c}
}

// allMetrics returns the collectors of the elections and groups below the root.
func (f *runFlags) allMetrics(p *session.Program, db kv.Database, log *slog.Logger) ([]prometheus.Collector, error) {
	space, err := f.Space()
	if err != nil {
		return nil, err
	}
	return []prometheus.Collector{
		monitor.NewElections(db, space, monitor.ElectionsOptions{Clock: p.Clock, Logger: log}),
		monitor.NewGroups(db, space, monitor.GroupsOptions{Clock: p.Clock, Logger: log}),
	}, nil
}
