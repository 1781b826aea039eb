package elector

import (
	"crypto/rand"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
)

// GenerateNodeID returns a unique id: the host name, for people, and a UUID. Each call
// returns a different one.
func GenerateNodeID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	id := uuid.Must(uuid.NewRandomFromReader(rand.Reader)).String()
	return hostPart(host, election.MaxIDBytes-len(id)-1) + "-" + id
}

// hostPart returns a host name as a part of an id, at most limit bytes long.
func hostPart(host string, limit int) string {
	host = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, host)
	if host == "" {
		host = "unknown-host"
	}
	return host[:min(len(host), limit)]
}
