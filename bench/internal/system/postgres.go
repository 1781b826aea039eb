package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// postgresProgram returns the path of a program of the newest PostgreSQL, or "". Debian keeps them
// out of PATH.
func postgresProgram(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return slices.Max(found)
	}
	path, _ := exec.LookPath(name)
	return path
}

func absentPostgres() string {
	for _, name := range []string{"initdb", "postgres"} {
		if postgresProgram(name) == "" {
			return name + " is not installed (Debian package postgresql)"
		}
	}
	if os.Geteuid() == 0 {
		if _, err := user.Lookup("postgres"); err != nil {
			return "PostgreSQL does not run as root, and this machine has no user postgres (Debian package postgresql)"
		}
	}
	return ""
}

// postgresConnections is more than the 100 of PostgreSQL, so that 100 processes with a few
// connections each can take part.
const postgresConnections = 1000

// startPostgres starts a server with the default settings, which sync each commit, and runs schema.
func startPostgres(ctx context.Context, s Settings, schema string) (Server, error) {
	dir, err := filepath.Abs(filepath.Join(s.Dir, "postgres"))
	if err != nil {
		return nil, err
	}
	address, port, err := freeAddress()
	if err != nil {
		return nil, err
	}
	attr, err := postgresUser(dir)
	if err != nil {
		return nil, err
	}
	// -N leaves out the syncs of initdb only.
	command := exec.CommandContext(ctx, postgresProgram("initdb"), "-D", dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	command.Dir, command.SysProcAttr = "/", attr
	if printed, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, printed)
	}
	server := exec.Command(postgresProgram("postgres"), "-D", dir, "-c", "listen_addresses=127.0.0.1", "-c", "port="+port,
		"-c", "unix_socket_directories=", "-c", "max_connections="+strconv.Itoa(postgresConnections))
	server.Dir, server.SysProcAttr = "/", attr
	// At SIGQUIT, PostgreSQL ends all of its processes at once, as in a crash.
	p := &serverProcess{cmd: server, stop: syscall.SIGQUIT, address: address}
	return startProcess(ctx, s, p, func(ctx context.Context) error {
		conn, err := connectPostgres(ctx, address, new(Traffic))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		if err := conn.QueryRow(ctx, "SHOW server_version").Scan(&p.version); err != nil {
			return err
		}
		_, err = conn.Exec(ctx, schema+"; CREATE TABLE bench_row (name text PRIMARY KEY, n bigint NOT NULL)")
		return err
	})
}

// postgresUser makes the directory of the data. PostgreSQL refuses to run as root. If this process is
// root, the server runs as user postgres. It keeps the right to pass the directories above its own,
// which may be closed to that user, as those of the testing package are.
func postgresUser(dir string) (*syscall.SysProcAttr, error) {
	attr := new(syscall.SysProcAttr)
	if err := os.MkdirAll(dir, 0o700); err != nil || os.Geteuid() != 0 {
		return attr, err
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	attr.AmbientCaps = []uintptr{unix.CAP_DAC_OVERRIDE}
	return attr, os.Chown(dir, int(uid), int(gid))
}

// postgresConfig is that of a connection whose traffic is counted.
func postgresConfig(address string, traffic *Traffic) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("postgres://postgres@" + address + "/postgres?sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.DialFunc, config.Tracer = traffic.Dial, postgresTracer{traffic}
	return config, nil
}

func connectPostgres(ctx context.Context, address string, traffic *Traffic) (*pgx.Conn, error) {
	config, err := postgresConfig(address, traffic)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

// postgresTracer counts statements, and the first preparation of each on a connection.
type postgresTracer struct{ traffic *Traffic }

func (t postgresTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	t.traffic.Request()
	return ctx
}

func (t postgresTracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	t.traffic.Request()
	return ctx
}

func (postgresTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (postgresTracer) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}

// postgresWrite is the write of Fencer.
const postgresWrite = "INSERT INTO bench_row VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET n = bench_row.n + 1"
