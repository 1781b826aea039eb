package check

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// systemctl stands in for systemd: it runs the unit's command with the file of the instance, and without
// the sandbox. It knows only the calls of the page.
const systemctl = `#!/bin/bash
set -euo pipefail
instance=billing
unit=$ROOT/etc/systemd/system/fdbelect@.service
start() {
	export FDBELECT_ELECTION=$instance FDBELECT_ID=$(hostname)
	while IFS== read -r name value; do export "$name=$value"; done <"$ROOT/etc/fdbelect/$instance.env"
	grep -qx 'ExecStart=fdbelect run -- $COMMAND' "$unit"
	eval "set -- $COMMAND"
	fdbelect run -- "$@" </dev/null >>"$ROOT/journal" 2>&1 &
	echo $! >"$ROOT/pid"
	echo >>"$ROOT/starts"
}
stop() {
	# The page goes on when there is a leader. The command may not have begun by then.
	until [[ $(grep -c "^works in term" "$ROOT/journal") == $(wc -l <"$ROOT/starts") ]]; do sleep 0.05; done
	kill -TERM "$(cat "$ROOT/pid")"
	while kill -0 "$(cat "$ROOT/pid")" 2>/dev/null; do sleep 0.05; done
}
case "$*" in
daemon-reload) ;;
"enable --now fdbelect@billing" | "start fdbelect@billing") start ;;
"disable --now fdbelect@billing" | "stop fdbelect@billing") stop ;;
"restart fdbelect@billing") stop; start ;;
"status fdbelect@billing") kill -0 "$(cat "$ROOT/pid")" ;;
*) echo "systemctl $*: this test does not know it" >&2; exit 1 ;;
esac
`

// The commands of docs/deploy.md work, one after the other. They run below a directory of their own.
func TestDeployPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/deploy.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)<!-- ci: deploy -->\n```sh\n(.*?)```\n").FindAllStringSubmatch(string(page), -1)
	require.Len(t, blocks, strings.Count(string(page), "<!-- ci:"), "a mark is not followed by commands")
	require.Greater(t, len(blocks), 6)
	var commands strings.Builder
	for _, block := range blocks {
		commands.WriteString(block[1])
	}

	root, work := t.TempDir(), t.TempDir() // of the machine, and of the archive
	for _, folder := range []string{"bin", "usr/local/bin", "etc/systemd/system", "var/lib", "var/backups"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, folder), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin", "systemctl"), []byte(systemctl), 0o755))
	require.NoError(t, os.Symlink(fdbelect(t), filepath.Join(work, "fdbelect")))
	deploy, err := filepath.Abs("..")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(deploy, filepath.Join(work, "deploy")))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(free.Addr().String())
	require.NoError(t, err)
	require.NoError(t, free.Close())
	script := regexp.MustCompile(`/(usr/local/bin|etc/|var/)`).ReplaceAllString(commands.String(), root+"/$1")
	script = strings.ReplaceAll(script, "9100", port)
	// After the restore, the process waits for one candidate timeout, which follows from the lease.
	shorter := strings.Replace(script, "\nfdbelect init\n", "\nfdbelect init --lease 4s\n", 1)
	require.NotEqual(t, script, shorter)

	cmd := exec.Command("bash", "-euxo", "pipefail", "-c", shorter)
	cmd.Dir, cmd.WaitDelay = work, time.Second
	cmd.Env = append(os.Environ(), "ROOT="+root, "PATH="+filepath.Join(root, "bin")+":"+filepath.Join(root, "usr/local/bin")+":"+os.Getenv("PATH"))
	timeout := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	output, err := cmd.CombinedOutput()
	journal, _ := os.ReadFile(filepath.Join(root, "journal")) // empty if nothing was started
	require.NoError(t, err, "%s\n%s", output, journal)
	require.Regexp(t, `fdbelection_elector_is_leader\{election="billing",node="[^"]+"\} 1\n`, string(output))
	for _, line := range []string{"works in term 1\n", "works in term 2\n", "works in term 1001\n"} {
		require.Contains(t, string(journal), line)
	}
	left, err := filepath.Glob(root + "/*/fdbelect*")
	require.NoError(t, err)
	require.Empty(t, left)
}
