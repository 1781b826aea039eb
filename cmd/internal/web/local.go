package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// OnThisHost reports whether only this host can reach an address.
func OnThisHost(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// NamesThisHost reports whether the host of a request is this host, by a name that no other
// host can take. A web page of another host can make a browser send requests to this one, if
// its own name leads here. Such requests have that name.
func NamesThisHost(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.IsLoopback()
}

// URL returns an address to open in a browser. asked is the address that the user named, and
// listening the one with the port in use.
func URL(scheme, asked string, listening net.Addr) string {
	host, _, _ := net.SplitHostPort(asked)              // Address has checked it
	_, port, _ := net.SplitHostPort(listening.String()) // it has a port
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}
