package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/kv"
)

// binding is the module of the Go binding.
const binding = "github.com/apple/foundationdb/bindings/go"

// Versions returns the versions of the client API, of the Go binding, and of the servers
// if the cluster reports them. A tenant cannot ask for them. db is the result of Open.
func Versions(ctx context.Context, db kv.Database) ([]session.Version, error) {
	var all []session.Version
	if api, err := fdb.GetAPIVersion(); err == nil {
		all = append(all, session.Version{Part: "FoundationDB client API", Version: strconv.Itoa(api)})
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, m := range build.Deps {
			if m.Path == binding {
				all = append(all, session.Version{Part: "FoundationDB Go binding", Version: m.Version})
			}
		}
	}
	text, err := kv.ReadTransact(ctx, db, func(tr kv.ReadTransaction) ([]byte, error) {
		return tr.Get([]byte("\xff\xff/status/json")).Get()
	})
	if err != nil {
		return all, fmt.Errorf("the cluster's status cannot be read: %w", err)
	}
	servers, err := serverVersions(text)
	if err != nil {
		return all, err
	}
	return append(all, session.Version{Part: "FoundationDB servers", Version: servers}), nil
}

// serverVersions reads the versions of the processes out of a status.
func serverVersions(text []byte) (string, error) {
	var status struct {
		Cluster struct {
			Processes map[string]struct {
				Version string `json:"version"`
			} `json:"processes"`
		} `json:"cluster"`
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return "", fmt.Errorf("the cluster's status is not the expected JSON: %w", err)
	}
	versions := make(map[string]int)
	for _, p := range status.Cluster.Processes {
		if p.Version != "" {
			versions[p.Version]++
		}
	}
	if len(versions) == 0 {
		return "", fmt.Errorf("the cluster's status names no version of %d processes", len(status.Cluster.Processes))
	}
	parts := make([]string, 0, len(versions))
	for _, v := range slices.Sorted(maps.Keys(versions)) {
		parts = append(parts, fmt.Sprintf("%s (%d)", v, versions[v]))
	}
	return strings.Join(parts, ", "), nil
}
