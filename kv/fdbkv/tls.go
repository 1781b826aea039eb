package fdbkv

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
)

// tlsFiles are the variables that name files for FoundationDB's client, and the
// kind of PEM block that each file has to hold.
var tlsFiles = []struct{ variable, block string }{
	{"FDB_TLS_CERTIFICATE_FILE", "CERTIFICATE"},
	{"FDB_TLS_KEY_FILE", "PRIVATE KEY"},
	{"FDB_TLS_CA_FILE", "CERTIFICATE"},
}

// checkTLS reports a file for TLS that cannot be right. The client would crash
// the process, or wait for a cluster that refuses it.
func checkTLS(connectionString []byte) error {
	if !bytes.Contains(connectionString, []byte(":tls")) {
		return nil
	}
	for _, f := range tlsFiles {
		name := os.Getenv(f.variable)
		if name == "" {
			continue // there are defaults, and options
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("fdbkv: cannot read the file of %s: %w", f.variable, err)
		}
		if !holdsBlock(text, f.block) {
			return fmt.Errorf("fdbkv: %s=%s: the file holds no PEM block %q", f.variable, name, f.block)
		}
	}
	return nil
}

// holdsBlock reports whether there is a PEM block of a kind: "PRIVATE KEY" is also
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
