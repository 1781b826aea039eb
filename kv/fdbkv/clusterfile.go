package fdbkv

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
)

// connectionString is what a cluster file holds: description:id@address,...
var connectionString = regexp.MustCompile(`^[A-Za-z0-9_]+:[A-Za-z0-9]+@[^\s,]+(,[^\s,]+)*$`)

// checkClusterFile reports a cluster file that is missing or malformed.
// FoundationDB's client has the last word on a well-formed one.
func checkClusterFile(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("fdbkv: cannot read the cluster file: %w; FoundationDB's is usually /etc/foundationdb/fdb.cluster", err)
	}
	var found [][]byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			found = append(found, line)
		}
	}
	if len(found) != 1 || !connectionString.Match(found[0]) {
		return fmt.Errorf("fdbkv: %s is no cluster file: it should hold one line of the form description:id@address:port,address:port", name)
	}
	return nil
}
