package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// servers is the number of server processes. Each is on a host of its own, and so is each worker.
const servers = 3

// cluster is a FoundationDB cluster with double redundancy. It implements backing.
type cluster struct {
	dir     string
	server  string // the program
	diary   *diary
	network *network
	all     [servers]*server
}

// server is a server process.
type server struct {
	cluster *cluster
	i       int
	process *process
	busy    bool   // a fault has taken it
	steady  func() // ends what makes it slow
}

// startCluster makes the network, starts the servers, and waits until the database is available.
// Without a directory of binaries, they are looked up in PATH.
func startCluster(ctx context.Context, dir, binaries string, d *diary) (backing, error) {
	c := &cluster{dir: filepath.Join(dir, "cluster"), server: filepath.Join(binaries, "fdbserver"), diary: d}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if c.network, err = newNetwork(servers + workers); err != nil {
		return nil, err
	}
	if err := c.start(ctx, filepath.Join(binaries, "fdbcli")); err != nil {
		return nil, errors.Join(err, c.stop(true))
	}
	return c, nil
}

func (c *cluster) clusterFile() string { return filepath.Join(c.dir, "fdb.cluster") }

func (c *cluster) start(ctx context.Context, cli string) error {
	var addresses []string
	for i := range servers {
		addresses = append(addresses, c.network.hosts[i].address+":4500")
	}
	if err := os.WriteFile(c.clusterFile(), []byte("nemesis:nemesis@"+strings.Join(addresses, ",")+"\n"), 0o600); err != nil {
		return err
	}
	for i := range servers {
		c.all[i] = &server{cluster: c, i: i}
		if err := c.all[i].start(); err != nil {
			return err
		}
	}
	output, err := exec.CommandContext(ctx, cli, "-C", c.clusterFile(), "--timeout", "60", "--exec", "configure new double ssd").CombinedOutput()
	if err != nil {
		return fmt.Errorf("configure the cluster: %w: %s", err, output)
	}
	for until := time.Now().Add(time.Minute); time.Now().Before(until) && ctx.Err() == nil; {
		output, err = exec.CommandContext(ctx, cli, "-C", c.clusterFile(), "--timeout", "5", "--exec", "status minimal").CombinedOutput()
		if err == nil && strings.Contains(string(output), "is available") {
			return nil
		}
		_ = wait(ctx, 500*time.Millisecond)
	}
	return fmt.Errorf("the cluster is not available: %s", output)
}

func (s *server) host() host { return s.cluster.network.hosts[s.i] }

// start starts the process on the data that it has.
func (s *server) start() error {
	name := fmt.Sprintf("s%d", s.i)
	data := filepath.Join(s.cluster.dir, name)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	argv := s.host().run([]string{
		s.cluster.server, "--cluster-file", s.cluster.clusterFile(), "--public-address", s.host().address + ":4500",
		"--datadir", data, "--logdir", data, "--locality-machineid", name, "--locality-zoneid", name, "--knob_disable_posix_kernel_aio=1",
	})
	var err error
	s.process, err = startProcess(s.cluster.diary, nothing, filepath.Join(s.cluster.dir, name+".log"), argv)
	return err
}

func (c *cluster) name() string { return "fdb:" + c.clusterFile() }

func (c *cluster) inside(i int, argv []string) []string { return c.network.hosts[servers+i].run(argv) }

// tend starts the servers that have ended without a fault, as fdbmonitor does.
func (c *cluster) tend() error {
	var err error
	for _, s := range c.all {
		if !s.busy && s.process.gone() {
			err = errors.Join(err, s.start())
		}
	}
	return err
}

func (c *cluster) stop(bool) error {
	for _, s := range c.all {
		if s != nil && s.process != nil {
			s.process.end(5 * time.Second)
		}
	}
	return c.network.remove()
}
