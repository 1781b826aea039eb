package notify

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
)

// A service manager hears each change once. It gets three pings in each of its periods, and none
// while the process is stuck or a look at it waits.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu    sync.Mutex
			state State
			sent  []string
			log   bytes.Buffer
			held  chan struct{} // the next look waits for it
		)
		m := &Manager{clock: clitest.Virtual{}, watchdog: 6 * time.Second, send: func(message string) error {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, strings.Split(message, "\n")...)
			return nil
		}}
		// after changes the state, and returns what is sent during a time.
		after := func(d time.Duration, now State) []string {
			mu.Lock()
			state, sent = now, nil
			mu.Unlock()
			time.Sleep(d)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return sent
		}
		stop := m.Follow(slog.New(slog.NewTextHandler(&log, nil)), func() State {
			mu.Lock()
			now, wait := state, held
			mu.Unlock()
			if wait != nil {
				<-wait
			}
			return now
		})
		const ping = "WATCHDOG=1"
		require.Equal(t, []string{"STATUS=starts"}, after(time.Second, State{Does: "starts"}))
		require.Equal(t, []string{"READY=1", "STATUS=leads", ping, ping, ping}, after(6*time.Second, State{Ready: true, Does: "leads"}))
		require.Equal(t, []string{"STATUS=one; two", ping}, after(2*time.Second, State{Ready: true, Does: "one\ntwo"}))

		require.Equal(t, []string{"STATUS=stuck: it hangs"}, after(time.Minute, State{Stuck: errors.New("it hangs")}))
		require.Contains(t, log.String(), `level=ERROR msg="the loop is stuck, the service manager gets no ping" error="it hangs"`)
		require.Equal(t, []string{"STATUS=leads", ping}, after(time.Second, State{Ready: true, Does: "leads"}))
		require.Equal(t, 1, strings.Count(log.String(), "the loop goes on"))

		mu.Lock()
		held = make(chan struct{})
		mu.Unlock()
		require.Empty(t, after(time.Minute, State{Ready: true, Does: "leads"}), "a look that waits")
		mu.Lock()
		close(held)
		held = nil
		mu.Unlock()
		require.Equal(t, []string{ping}, after(time.Second, State{Ready: true, Does: "leads"}))

		mu.Lock()
		sent = nil
		mu.Unlock()
		m.Stopping(15 * time.Second)
		mu.Lock()
		require.Equal(t, []string{"STOPPING=1", "STATUS=stopping", "EXTEND_TIMEOUT_USEC=15000000"}, sent)
		mu.Unlock()
		require.Equal(t, []string{ping}, after(2*time.Second, State{Ready: true, Does: "follows"}), "it still says that it stops")
		stop()
		require.Empty(t, after(time.Minute, State{Ready: true, Does: "again"}))
	})
}

// Without pings, a service manager hears of changes only. If it cannot be told, the log says so once.
func TestFollowWithoutWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var tries []string
		m := &Manager{clock: clitest.Virtual{}, send: func(message string) error {
			tries = append(tries, message)
			return errors.New("no such file")
		}}
		stop := m.Follow(slog.New(slog.NewTextHandler(&log, nil)), func() State { return State{Ready: true, Does: "leads"} })
		time.Sleep(time.Minute)
		synctest.Wait()
		m.Stopping(time.Second)
		stop()
		require.Equal(t, []string{"READY=1\nSTATUS=leads", "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=1000000"}, tries)
		require.Equal(t, 1, strings.Count(log.String(), `msg="the service manager cannot be told" error="NOTIFY_SOCKET: no such file"`))
	})
}

// Without a service manager, its methods do nothing.
func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m := FromEnvironment(clitest.Virtual{})
	require.Nil(t, m)
	m.Follow(nil, nil)()
	m.Stopping(time.Second)
}

// Pings are for the process that the service manager names.
func TestPingsOfAnotherProcess(t *testing.T) {
	for pid, want := range map[string]time.Duration{"": time.Second, "1": 0} {
		t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
		t.Setenv("WATCHDOG_USEC", "1000000")
		t.Setenv("WATCHDOG_PID", pid)
		require.Equal(t, want, FromEnvironment(clitest.Virtual{}).watchdog, "pid %q", pid)
	}
}
