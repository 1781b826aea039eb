// Package notify tells the service manager that started this process how it is, as sd_notify(3)
// describes: that it is ready, what it does, that its loop is alive, and that it stops.
package notify

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

const (
	// interval is how often a Manager looks at the process, and startInterval until that is ready.
	interval      = 500 * time.Millisecond
	startInterval = 50 * time.Millisecond
	// pings is how many pings fit into the time after which the service manager acts.
	pings = 3
	// patience is how long a message may take if the service manager does not read.
	patience = time.Second
)

// Manager is the service manager that started this process. Methods of a nil Manager do nothing.
type Manager struct {
	send     func(message string) error
	clock    elector.Clock
	watchdog time.Duration // zero if the service manager expects no pings

	mu       sync.Mutex
	look     func() State
	log      *slog.Logger
	ready    bool
	timer    elector.Timer
	does     string // as it was sent last
	pinged   time.Time
	stuck    bool
	stopping bool
	ended    bool
	failed   bool // a message could not be sent, which is logged once
}

// FromEnvironment returns the service manager that the environment names, or nil if it names none.
// It removes the variables, so that children of this process cannot speak for it.
func FromEnvironment(c elector.Clock) *Manager {
	socket, usec, pid := take("NOTIFY_SOCKET"), take("WATCHDOG_USEC"), take("WATCHDOG_PID")
	if socket == "" {
		return nil
	}
	m := &Manager{clock: c, send: func(message string) error { return send(socket, message, c.Wall().Add(patience)) }}
	if pid == "" || pid == strconv.Itoa(os.Getpid()) {
		limit, _ := strconv.ParseInt(usec, 10, 64) // the service manager writes a number, or nothing
		m.watchdog = time.Duration(limit) * time.Microsecond
	}
	return m
}

// take removes a variable from the environment and returns its value.
func take(name string) string {
	value := os.Getenv(name)
	_ = os.Unsetenv(name) // the name is valid
	return value
}

// send sends one message. Go connects a name that begins with @ to an abstract socket, as the
// protocol wants it.
func send(socket, message string, until time.Time) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the message is sent, or it is not
	if err := conn.SetWriteDeadline(until); err != nil {
		return err
	}
	_, err = conn.Write([]byte(message))
	return err
}

// State is how the process is.
type State struct {
	Ready bool   // its start is complete, and stays so
	Does  string // what it does, in words
	Stuck error  // not nil if its loop hangs. Then the other fields are not used
}

// Follow looks at the process again and again until stop is called, and sends what has changed. The
// service manager gets no ping while the process is stuck, or while look waits.
func (m *Manager) Follow(log *slog.Logger, look func() State) (stop func()) {
	if m == nil {
		return func() {}
	}
	m.log, m.look = log, look
	m.tick()
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.ended = true
		m.timer.Stop()
	}
}

// Stopping says that the process stops, and how long that may take.
func (m *Manager) Stopping(limit time.Duration) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopping = true
	m.say("STOPPING=1", "STATUS=stopping", "EXTEND_TIMEOUT_USEC="+strconv.FormatInt(limit.Microseconds(), 10))
}

// tick looks at the process, and starts the timer for the next look.
func (m *Manager) tick() {
	now := m.look()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return
	}
	if news := m.news(now); news != nil {
		m.say(news...)
	}
	wait := interval
	if !m.ready {
		wait = startInterval
	}
	if m.watchdog > 0 {
		wait = min(wait, m.watchdog/pings)
	}
	m.timer = m.clock.AfterFunc(wait, m.tick)
	m.logStuck(now.Stuck)
}

// news returns what the service manager does not know yet, and the ping if it is due.
func (m *Manager) news(now State) (lines []string) {
	does := now.Does
	if now.Stuck != nil {
		does = "stuck: " + now.Stuck.Error()
	}
	if now.Ready && !m.ready {
		m.ready = true
		lines = append(lines, "READY=1")
	}
	if does != m.does && !m.stopping {
		m.does = does
		lines = append(lines, "STATUS="+strings.ReplaceAll(does, "\n", "; "))
	}
	if at := m.clock.Now(); m.watchdog > 0 && now.Stuck == nil && at.Sub(m.pinged) >= m.watchdog/pings {
		m.pinged = at
		lines = append(lines, "WATCHDOG=1")
	}
	return lines
}

// logStuck logs that the loop is stuck, or that it goes on.
func (m *Manager) logStuck(stuck error) {
	switch was := m.stuck; {
	case stuck != nil && !was:
		m.log.Error("the loop is stuck, the service manager gets no ping", "error", stuck)
	case stuck == nil && was:
		m.log.Info("the loop goes on")
	}
	m.stuck = stuck != nil
}

// say sends lines as one message.
func (m *Manager) say(lines ...string) {
	if err := m.send(strings.Join(lines, "\n")); err != nil && !m.failed {
		m.failed = true
		m.log.Warn("the service manager cannot be told", "error", fmt.Errorf("NOTIFY_SOCKET: %w", err))
	}
}
