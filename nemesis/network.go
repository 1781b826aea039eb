package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// network is a bridge with some network namespaces on it. Each of them is a host of its own.
type network struct {
	prefix string // of all names
	hosts  []host
}

// host is a network namespace.
type host struct {
	space   string // the name of the namespace
	link    string // the end of its cable at the bridge
	address string
}

// gateway is the address of the nemesis in the network.
const gateway = "10.77.0.1"

// newNetwork makes hosts with the addresses 10.77.0.10 and up.
func newNetwork(hosts int) (*network, error) {
	n := &network{prefix: fmt.Sprintf("nm%d", os.Getpid())}
	bridge := n.prefix + "br"
	err := errors.Join(
		ip("link", "add", bridge, "type", "bridge"),
		ip("addr", "add", gateway+"/24", "dev", bridge),
		ip("link", "set", bridge, "up"),
	)
	for i := 0; i < hosts && err == nil; i++ {
		h := host{fmt.Sprintf("%sn%d", n.prefix, i), fmt.Sprintf("%sv%d", n.prefix, i), fmt.Sprintf("10.77.0.%d", 10+i)}
		n.hosts = append(n.hosts, h)
		err = h.add(bridge)
	}
	if err != nil {
		return nil, errors.Join(err, n.remove())
	}
	return n, nil
}

func (h host) add(bridge string) error {
	inside := "eth0"
	return inOrder(
		[]string{"netns", "add", h.space},
		[]string{"link", "add", h.link, "type", "veth", "peer", "name", inside, "netns", h.space},
		[]string{"link", "set", h.link, "master", bridge, "up"},
		[]string{"-n", h.space, "addr", "add", h.address + "/24", "dev", inside},
		[]string{"-n", h.space, "link", "set", inside, "up"},
		[]string{"-n", h.space, "link", "set", "lo", "up"},
	)
}

// run returns the command that runs argv on the host. It keeps the process id.
func (h host) run(argv []string) []string {
	return append([]string{"ip", "netns", "exec", h.space}, argv...)
}

// cut unplugs the host, until it is plugged in again.
func (h host) cut() error  { return ip("link", "set", h.link, "down") }
func (h host) plug() error { return ip("link", "set", h.link, "up") }

// delay delays what the host receives, until hurry. It needs the queueing discipline netem.
func (h host) delay() error {
	return runCommand("tc", "qdisc", "replace", "dev", h.link, "root", "netem", "delay", "60ms", "20ms")
}

func (h host) hurry() error { return runCommand("tc", "qdisc", "del", "dev", h.link, "root") }

// remove removes all that newNetwork has made. Its processes must have ended.
func (n *network) remove() error {
	var err error
	for _, h := range n.hosts {
		err = errors.Join(err, ip("netns", "del", h.space))
	}
	return errors.Join(err, ip("link", "del", n.prefix+"br"))
}

func inOrder(commands ...[]string) error {
	for _, args := range commands {
		if err := ip(args...); err != nil {
			return err
		}
	}
	return nil
}

func ip(args ...string) error { return runCommand("ip", args...) }

// runCommand runs a command. Its error has the output.
func runCommand(name string, args ...string) error {
	output, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
