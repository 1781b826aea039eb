package fdbkv

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
)

// tlsFiles holds the environment variables with files for FoundationDB's client, and the
// kind of PEM block that each file must have.
var tlsFiles = []struct{ variable, block string }{
	{"FDB_TLS_CERTIFICATE_FILE", "CERTIFICATE"},
	{"FDB_TLS_KEY_FILE", "PRIVATE KEY"},
	{"FDB_TLS_CA_FILE", "CERTIFICATE"},
}

// checkTLS returns an error if a file for TLS is wrong. The client would crash the
// process, or wait for a cluster that rejects it.
func checkTLS(connectionString []byte) error {
	if !bytes.Contains(connectionString, []byte(":tls")) {
		return nil
	}
	for _, f := range tlsFiles {
		name := os.Getenv(f.variable)
		if name == "" {
			continue // the client has defaults and options
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("fdbkv: cannot read the file in %s: %w", f.variable, err)
		}
		if !holdsBlock(text, f.block) {
			return fmt.Errorf("fdbkv: %s=%s: the file has no PEM block %q", f.variable, name, f.block)
		}
	}
	return nil
}

// holdsBlock reports whether text has a PEM block of a kind. "PRIVATE KEY" also matches
// "RSA PRIVATE KEY".
func holdsBlock(text []byte, kind string) bool {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return false
		}
		if strings.HasSuffix(block.Type, kind) {
			return true
		}
	}
}
