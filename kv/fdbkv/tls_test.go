package fdbkv_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// TestOpenBadTLSFiles: if a file for TLS is wrong, Open returns an error with its
// environment variable. The client would crash. Without TLS, the files are not checked.
func TestOpenBadTLSFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	block := func(kind string) string {
		return "-----BEGIN " + kind + "-----\nAAAA\n-----END " + kind + "-----\n"
	}
	cluster := write("tls.cluster", "nowhere:nowhere@127.0.0.1:1:tls\n")
	certificate, key := write("cert.pem", block("CERTIFICATE")), write("key.pem", "Bag Attributes\n"+block("RSA PRIVATE KEY"))
	good := map[string]string{
		"FDB_TLS_CERTIFICATE_FILE": certificate, "FDB_TLS_KEY_FILE": key, "FDB_TLS_CA_FILE": certificate,
	}
	set := func(t *testing.T, variable, file string) {
		for name, value := range good {
			t.Setenv(name, value)
		}
		t.Setenv(variable, file)
	}
	for variable, wrong := range map[string]string{
		"FDB_TLS_CERTIFICATE_FILE": key, "FDB_TLS_KEY_FILE": certificate, "FDB_TLS_CA_FILE": key,
	} {
		t.Run(variable, func(t *testing.T) {
			set(t, variable, filepath.Join(dir, "none"))
			_, err := fdbkv.Open(cluster, fdbkv.Options{})
			require.ErrorContains(t, err, variable)
			require.ErrorIs(t, err, os.ErrNotExist)
			db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
			require.NoError(t, err, "without TLS")
			require.NoError(t, db.Close())
			for _, file := range []string{wrong, write("empty", ""), write("garbage", "\x00garbage")} {
				t.Setenv(variable, file)
				_, err = fdbkv.Open(cluster, fdbkv.Options{})
				require.ErrorContains(t, err, variable+"="+file)
				require.ErrorContains(t, err, "PEM")
			}
			for _, file := range []string{"", good[variable]} {
				t.Setenv(variable, file)
				db, err = fdbkv.Open(cluster, fdbkv.Options{})
				require.NoError(t, err)
				require.NoError(t, db.Close())
			}
		})
	}
}
