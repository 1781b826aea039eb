package serve

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/fdbelection/fdbelection/cmd/internal/web"
)

//go:embed page openapi.json
var files embed.FS

// policy lets the page load its own files and talk to this server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// guard sets the headers of every answer, and refuses bodies and methods that are not for reading. With
// localOnly it refuses requests for other hosts.
func guard(localOnly bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			head.Set("Allow", "GET, HEAD")
			fail(w, http.StatusMethodNotAllowed, "this server only reads; steer with the command fdbelect")
		case r.ContentLength != 0: // it is not read, so the connection cannot be used again
			head.Set("Connection", "close")
			fail(w, http.StatusBadRequest, "this server takes no body")
		case localOnly && !web.NamesThisHost(r):
			fail(w, http.StatusMisdirectedRequest, "this server answers on this host only; call it localhost or 127.0.0.1, or give it a token file")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// authorize refuses requests without a token that is authorized. Nil authorizes all.
func authorize(authorized func(token string) bool, next http.Handler) http.Handler {
	if authorized == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || !authorized(strings.TrimSpace(token)) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, http.StatusUnauthorized, "a token is needed: send the header Authorization: Bearer TOKEN")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// asset serves a file that is part of the program.
func asset(name string) http.HandlerFunc {
	text, err := files.ReadFile(name)
	if err != nil {
		return http.NotFound
	}
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	kind := mime.TypeByExtension(path.Ext(name))
	return func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Type", kind)
		head.Set("Cache-Control", "no-cache")
		head.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(text) // if it fails, the client is gone
	}
}

// pageFiles serves the files of the page by their names.
func pageFiles() http.HandlerFunc {
	entries, _ := files.ReadDir("page") // it is part of the program
	all := make(map[string]http.HandlerFunc, len(entries))
	for _, e := range entries {
		all[e.Name()] = asset("page/" + e.Name())
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if one := all[r.PathValue("file")]; one != nil {
			one(w, r)
			return
		}
		http.NotFound(w, r)
	}
}
