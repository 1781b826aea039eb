package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNetwork: the hosts reach the nemesis, except while one is cut off.
func TestNetwork(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, for network namespaces")
	}
	n, err := newNetwork(2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.remove()) })
	listener, err := net.Listen("tcp", gateway+":0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	reaches := func(h host) bool {
		argv := h.run([]string{"timeout", "1", "bash", "-c", "exec 3<>/dev/tcp/" + gateway + "/" + port})
		return exec.Command(argv[0], argv[1:]...).Run() == nil
	}
	p := startTestProcess(t, n.hosts[0].run([]string{"sleep", "100"})...)
	require.Eventually(t, func() bool {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.cmd.Process.Pid))
		return err == nil && string(name) == "sleep\n"
	}, 10*time.Second, 10*time.Millisecond, "signals reach the process on the host")
	require.True(t, reaches(n.hosts[0]))
	require.True(t, reaches(n.hosts[1]))
	require.NoError(t, n.hosts[0].cut())
	require.False(t, reaches(n.hosts[0]))
	require.True(t, reaches(n.hosts[1]))
	require.NoError(t, n.hosts[0].plug())
	require.Eventually(t, func() bool { return reaches(n.hosts[0]) }, 10*time.Second, 100*time.Millisecond)
}
