package victim

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/wait"
)

// passableDir is a directory to which the database's user can get.
func passableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "culprit-lab-") //nolint:usetesting // that one would be closed to others
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	return dir
}

func TestDatabaseBehindASite(t *testing.T) {
	mustHave(t, "postgres", "/usr/lib/postgresql/*/bin", "postgresql")
	dir := passableDir(t)
	ports, err := child.FreePorts(t.Context(), 1)
	require.NoError(t, err)
	wrapped := 0
	db, err := StartDatabase(t.Context(), DatabaseConfig{
		Dir: filepath.Join(dir, "data"), Temp: dir, Port: ports[0], Items: 2000,
		Wrap: func(argv []string) []string {
			wrapped++
			return append([]string{"env", "CULPRIT_WRAPPED=1"}, argv...)
		},
	})
	require.NoError(t, err)
	defer db.Stop()
	require.Equal(t, 1, wrapped, "the server alone")
	environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(db.PID()), "environ"))
	require.NoError(t, err)
	require.Contains(t, string(environ), "CULPRIT_WRAPPED=1")
	for _, variable := range db.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	conn, err := pgx.Connect(t.Context(), "") // as clients do, through the socket
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	ask := func(query string) (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n))
		return n
	}
	require.Equal(t, 2000, ask("SELECT count(*) FROM item"))
	require.InDelta(t, 1024, ask("SELECT pg_relation_size('item')")/2000, 200, "bytes of a row")
	require.Equal(t, 1, ask("SELECT count(*) FROM pg_settings WHERE name = 'fsync' AND setting = 'on'"))

	t.Run("reads", func(t *testing.T) {
		cfg := quickSite()
		cfg.Query = queryRead
		base := runSite(t, cfg)
		for range 5 {
			status, _, _ := visitSite(t, base)
			require.Equal(t, http.StatusOK, status)
		}
		require.Equal(t, 2000*1000, ask("SELECT sum(stock) FROM item"))
	})
	t.Run("writes and waits for locks", func(t *testing.T) { testLocks(t, db, conn) })
	t.Run("is dumped", func(t *testing.T) {
		mustHave(t, "pg_dump", "/usr/lib/postgresql/*/bin", "postgresql-client")
		dump, failed := exec.Command("pg_dump", "--table=item").Output()
		require.NoError(t, failed)
		require.Greater(t, len(dump), 2000*800)
		t.Setenv("PGHOST", "127.0.0.1")
		require.NoError(t, exec.Command("pg_dump", "--schema-only").Run(), "with the password")
		t.Setenv("PGPASSWORD", "wrong")
		require.Error(t, exec.Command("pg_dump", "--schema-only", "--no-password").Run())
	})
	db.Stop()
	left, err := exec.Command("pgrep", "-f", db.cfg.Dir).Output()
	require.Error(t, err, "nothing of it runs: %s", left)
}

func testLocks(t *testing.T, db *Database, conn *pgx.Conn) {
	e := listen(t)
	runUntilEnd(t, func(ctx context.Context) error { return db.WatchSessions(ctx, e.url, "shop") })
	cfg := quickSite()
	cfg.Query = queryWrite
	base := runSite(t, cfg)
	status, _, _ := visitSite(t, base)
	require.Equal(t, http.StatusOK, status)
	var stock int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT sum(stock) FROM item").Scan(&stock))
	require.Equal(t, 2000*1000-1, stock)
	calm := awaitFact(t, e, func(fact.Locks) bool { return true })
	require.Zero(t, calm.Waiting)

	hold, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = hold.Exec(t.Context(), "LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	began := time.Now()
	visitors := runVisitors(t, base, 20)
	waits := awaitFact(t, e, func(l fact.Locks) bool { return l.Waiting >= 5 })
	require.Equal(t, "shop", waits.Service)
	require.GreaterOrEqual(t, waits.Sessions, waits.Waiting, "a session that waits is at work")
	stalled := visitors.Stats(began, time.Now())
	require.Equal(t, stalled.Offered, stalled.Unfinished)
	require.NoError(t, hold.Rollback(t.Context()))
	require.NoError(t, wait.Until(t.Context(), 5*time.Second, func(context.Context) error {
		if s := visitors.Stats(began, began.Add(time.Second)); s.Unfinished > 0 || s.Failed > 0 {
			return http.ErrHandlerTimeout
		}
		return nil
	}), "they go on")
}

func TestDatabaseNeedsAWay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root changes the user")
	}
	dir := passableDir(t)
	closed := filepath.Join(dir, "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	require.ErrorContains(t, mustLetPass(filepath.Join(closed, "data")), "chmod o+x "+closed)
	require.NoError(t, mustLetPass(filepath.Join(dir, "data")))
}
