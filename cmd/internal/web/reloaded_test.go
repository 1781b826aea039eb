package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// Each line of a token file is a token. A change of the file counts within a second. A file
// that cannot be used any more changes nothing, and the log says so once.
func TestTokens(t *testing.T) {
	const one, two, three, four = "one-0123456789ab", "two-0123456789ab", "three-0123456789ab", "four-0123456789ab"
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		name := write(t, filepath.Join(t.TempDir(), "token"), one+"\n\n  "+two+" \r\n")
		authorized, err := Tokens(name, clitest.Virtual{}, slog.New(slog.NewTextHandler(&out, nil)))
		require.NoError(t, err)
		require.True(t, authorized(one) && authorized(two))
		for _, wrong := range []string{"", one[:15], one + " ", strings.ToUpper(one), one + "\n", "  " + two + " "} {
			require.False(t, authorized(wrong), "%q", wrong)
		}
		write(t, name, three)
		require.True(t, authorized(one), "it is not checked more often than once in a second")
		time.Sleep(recheck)
		require.True(t, authorized(three) && !authorized(one))

		out.Reset()
		for _, broken := range []string{"\n \n", strings.Repeat("x", maxFileBytes+1)} {
			write(t, name, broken)
			time.Sleep(recheck)
			require.True(t, authorized(three), "the last good tokens stay")
		}
		require.NoError(t, os.Remove(name))
		time.Sleep(recheck)
		require.True(t, authorized(three) && !authorized(""))
		require.Equal(t, 1, strings.Count(out.String(), "WARN"), out.String())
		write(t, name, four)
		time.Sleep(recheck)
		require.True(t, authorized(four))
	})
}

// A token file that cannot be used at the start is an error that names it.
func TestTokensThatAreWrong(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		filepath.Join(dir, "none"):                                                "none",
		write(t, filepath.Join(dir, "empty"), ""):                                 "it has no token",
		write(t, filepath.Join(dir, "blank"), " \n\n"):                            "it has no token",
		write(t, filepath.Join(dir, "short"), "0123456789abcdef\nshort\n"):        "line 2 is not a token",
		write(t, filepath.Join(dir, "spaces"), "one two three four"):              "line 1 is not a token",
		write(t, filepath.Join(dir, "binary"), strings.Repeat("\x01", 99)):        "line 1 is not a token",
		write(t, filepath.Join(dir, "long"), strings.Repeat("x\n", maxFileBytes)): "bytes, more than",
		dir:        "is not a regular file",
		os.DevNull: "is not a regular file",
	} {
		_, err := Tokens(name, clitest.Virtual{}, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, want)
	}
}

// pair writes a new certificate for a name, and its key.
func pair(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert = write(t, filepath.Join(dir, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	key = write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	return cert, key
}

// A new certificate counts within a second. A pair that does not match does not.
func TestTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		cert, key := pair(t, dir, "first")
		settings, err := TLS(cert, key, clitest.Virtual{}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.EqualValues(t, tls.VersionTLS12, settings.MinVersion)
		served := func() string {
			c, err := settings.GetCertificate(nil)
			require.NoError(t, err)
			return c.Leaf.Subject.CommonName
		}
		require.Equal(t, "first", served())
		pair(t, dir, "second")
		time.Sleep(recheck)
		require.Equal(t, "second", served())
		write(t, key, "rubbish")
		time.Sleep(recheck)
		require.Equal(t, "second", served())

		_, err = TLS(cert, key, clitest.Virtual{}, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "cert.pem")
		_, err = TLS(filepath.Join(dir, "none"), key, clitest.Virtual{}, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "none")
	})
}

// A client that knows the certificate gets an answer, over HTTP/2.
func TestServeTLS(t *testing.T) {
	cert, key := pair(t, t.TempDir(), "this.host")
	settings, err := TLS(cert, key, clitest.Virtual{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l, err := Listen(t.Context(), "127.0.0.1:0", 10)
	require.NoError(t, err)
	t.Cleanup(Serve(tls.NewListener(l, settings), http.NotFoundHandler(), slog.New(slog.DiscardHandler)))
	known := x509.NewCertPool()
	text, err := os.ReadFile(cert)
	require.NoError(t, err)
	require.True(t, known.AppendCertsFromPEM(text))
	client := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: known, ServerName: "this.host"}}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+l.Addr().String(), http.NoBody)
	require.NoError(t, err)
	answer, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	require.Equal(t, 2, answer.ProtoMajor)
}
