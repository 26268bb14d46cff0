package sockets

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
)

// TestDumpFindsItsBackend asks which PostgreSQL backend reads for a pg_dump, and
// compares with what PostgreSQL itself says.
func TestDumpFindsItsBackend(t *testing.T) {
	db := newPostgres(t)
	for _, tt := range []struct {
		name, host string
		want       Peer
	}{
		{"unix socket", db.dir, Peer{Unix: 1}},
		{"TCP", "127.0.0.1", Peer{TCP: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dump := db.command("pg_dump", "-h", tt.host, "-p", db.port, "postgres")
			out, err := dump.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, dump.Start())
			// It waits for its reader in the midst of the table.
			_, err = io.ReadFull(out, make([]byte, 1<<20))
			require.NoError(t, err)

			truth := db.run("psql", "-h", db.dir, "-p", db.port, "-Atc",
				"select pid from pg_stat_activity where application_name = 'pg_dump' order by backend_start desc limit 1", "postgres")
			h := newHost(t, Options{})
			var servers []*process.Process
			for _, p := range h.scan() {
				if p.Name == "postgres" {
					servers = append(servers, p)
				}
			}
			require.Greater(t, len(servers), 1)
			begin := time.Now()
			peers, err := h.table.Peers([]*process.Process{h.by[int64(dump.Process.Pid)]}, servers)
			t.Logf("one of %d servers in %v", len(servers), time.Since(begin))
			require.NoError(t, err)
			require.Len(t, peers, 1)
			require.Equal(t, strings.TrimSpace(truth), strconv.FormatInt(peers[0].Server.PID, 10))
			tt.want.Client, tt.want.Server = peers[0].Client, peers[0].Server
			require.Equal(t, tt.want, peers[0])

			n, err := io.Copy(io.Discard, out)
			require.NoError(t, err)
			require.Greater(t, n, int64(10<<20))
			require.NoError(t, dump.Wait())
		})
	}
}

// postgres is a database server of the test.
type postgres struct {
	t              *testing.T
	dir, bin, port string
}

func newPostgres(t *testing.T) *postgres {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	require.NoError(t, err)
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed")
	}
	dir, err := os.MkdirTemp("/tmp", "sockets") //nolint:usetesting // the server's user may not enter t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(dir, nobody, nobody))
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	db := &postgres{t: t, dir: dir, bin: filepath.Dir(found[len(found)-1]), port: port}
	db.run("initdb", "-D", dir+"/data", "-A", "trust", "-N", "-U", "postgres")
	server := db.command("postgres", "-D", dir+"/data", "-k", dir, "-c", "port="+port,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "log_min_messages=fatal")
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		require.NoError(t, server.Process.Signal(syscall.SIGQUIT))
		_ = server.Wait()
	})
	for range 100 {
		if db.command("psql", "-h", dir, "-p", port, "-c", "select 1", "postgres").Run() == nil {
			db.run("psql", "-h", dir, "-p", port, "-c",
				"create table t as select n, repeat('x', 200) from generate_series(1, 100000) n", "postgres")
			return db
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.Fail(t, "PostgreSQL did not start")
	return nil
}

// command is a program of PostgreSQL, which does not run as root.
func (db *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(db.t.Context(), filepath.Join(db.bin, name), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PGUSER=postgres", "LC_ALL=C", "PATH=" + db.bin}
	cmd.Cancel = func() error { return nil } // the server is ended in good order
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

func (db *postgres) run(name string, args ...string) string {
	db.t.Helper()
	cmd := db.command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(db.t, err, stderr.String())
	return string(out)
}
