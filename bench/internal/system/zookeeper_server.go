package system

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

const zooKeeperJar = "/usr/share/java/zookeeper.jar"

func absentZooKeeper() string {
	if _, err := os.Stat(zooKeeperJar); err != nil {
		return zooKeeperJar + " is not installed (Debian package zookeeper)"
	}
	return absent("java", "default-jre-headless")
}

const zooKeeperConfig = `tickTime=500
maxSessionTimeout=120000
maxClientCnxns=0
dataDir=%s
clientPortAddress=127.0.0.1
clientPort=%s
admin.enableServer=false
`

func startZooKeeper(ctx context.Context, s Settings) (Server, error) {
	dir := filepath.Join(s.Dir, "zookeeper")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	address, port, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, zooKeeperConfig, filepath.Join(dir, "data"), port), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("java", "-cp", zooKeeperJar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
	p := &serverProcess{cmd: cmd, stop: syscall.SIGKILL, address: address}
	return startProcess(ctx, s, p, func(ctx context.Context) error {
		answer, err := zooKeeperStatus(ctx, address)
		if err != nil {
			return err
		}
		found := regexp.MustCompile(`Zookeeper version: ([0-9.]+)`).FindSubmatch(answer)
		if found == nil {
			return fmt.Errorf("it does not serve: %s", answer)
		}
		p.version = string(found[1])
		return nil
	})
}

// zooKeeperStatus sends the command srvr. Only a server that is ready tells its version.
func zooKeeperStatus(ctx context.Context, address string) ([]byte, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	// A server that accepts connections before it is ready may never answer.
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return nil, err
	}
	return io.ReadAll(conn)
}
