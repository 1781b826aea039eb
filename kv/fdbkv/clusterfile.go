package fdbkv

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
)

// connectionString matches the content of a cluster file: description:id@address,...
var connectionString = regexp.MustCompile(`^[A-Za-z0-9_]+:[A-Za-z0-9]+@[^\s,]+(,[^\s,]+)*$`)

// installed holds the paths of the cluster files of FoundationDB's packages, by
// operating system.
var installed = map[string]string{
	"linux":   "/etc/foundationdb/fdb.cluster",
	"freebsd": "/usr/local/etc/foundationdb/fdb.cluster",
	"darwin":  "/usr/local/etc/foundationdb/fdb.cluster",
	"windows": `C:\ProgramData\foundationdb\fdb.cluster`,
}

// resolveClusterFile returns the absolute path of a cluster file. For an empty
// name it looks where FoundationDB's client does.
func resolveClusterFile(name string) (string, error) {
	if name == "" {
		name = os.Getenv("FDB_CLUSTER_FILE")
	}
	if name == "" {
		name = "fdb.cluster"
		if _, err := os.Stat(name); err != nil {
			name = installed[runtime.GOOS]
		}
	}
	if name == "" {
		return "", fmt.Errorf("fdbkv: there is no default cluster file on %s: give its path, or set FDB_CLUSTER_FILE", runtime.GOOS)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("fdbkv: cannot make the path of the cluster file %s absolute: %w", name, err)
	}
	return path, nil
}

// checkClusterFile returns an error if a cluster file is missing or malformed, or if it
// needs TLS and the files for TLS are wrong. FoundationDB's client checks well-formed
// files further.
func checkClusterFile(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("fdbkv: cannot read the cluster file: %w; FoundationDB's package installs it as %s", err, installed[runtime.GOOS])
	}
	var found [][]byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			found = append(found, line)
		}
	}
	if len(found) != 1 || !connectionString.Match(found[0]) {
		return fmt.Errorf("fdbkv: %s is not a cluster file: it must have one line of the form description:id@address:port,address:port", name)
	}
	return checkTLS(found[0])
}
