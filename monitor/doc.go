// Package monitor shows elections and groups to Prometheus and to health probes.
//
// There are two collectors for elections, and two for groups:
//
//   - Electors is the view of a process: whether its electors lead, how long renewals take,
//     why its state changed. Each process exports it. It does no I/O.
//   - Elections is the view from outside: who leads, how many candidates are alive, what has
//     changed. One process exports it for all elections below a subspace. It also works if
//     no process takes part in an election. It only reads.
//   - Members is the view of a process that is a member of groups.
//   - Groups is the view of groups from outside: how shards are spread, which are free, which
//     members are silent. It only reads.
//
// Register what you need, and serve the registry with promhttp:
//
//	electors := monitor.NewElectors(monitor.ElectorsOptions{})
//	electors.Add("orders", el)
//	registry := prometheus.NewRegistry()
//	registry.MustRegister(electors)
//	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
//	mux.Handle("/livez", monitor.Livez(el))
//
// # Limits
//
// The number of series is bounded. Each collector has a limit of what it exports, and a
// metric of how many it left out. Ids, names and reasons from the database are labels only
// after election.SafeText, and are cut if they are long. No metadata and no names of shards
// are exported.
//
// # Latencies
//
// Each histogram is native and classic at once. A server that does not scrape native
// histograms uses the classic buckets, whose bounds are powers of two: 0.001 s is not one of
// them, but 1/1024 s is.
//
// # Alerts
//
// The directory deploy/prometheus of this repository has alert rules with their tests.
package monitor
