package victim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/wait"
)

// mustHave skips a test whose program is missing.
func mustHave(t *testing.T, name, elsewhere, pkg string) {
	t.Helper()
	if _, err := findServer(name, elsewhere, pkg); err != nil {
		t.Skip(err)
	}
}

// fieldOf finds a number in a text such as that of /proc/PID/io.
func fieldOf(t *testing.T, text, name string) int {
	t.Helper()
	_, after, found := strings.Cut(text, "\n"+name)
	require.True(t, found, name)
	line, _, _ := strings.Cut(after, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	return n
}

// childrenOf lists the processes that a process started.
func childrenOf(t *testing.T, pid int) (pids []int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(pid), "children"))
	require.NoError(t, err)
	for field := range strings.FieldsSeq(string(text)) {
		child, err := strconv.Atoi(field)
		require.NoError(t, err)
		pids = append(pids, child)
	}
	return pids
}

func TestNginxServesFilesFromStorageUnlessCached(t *testing.T) {
	mustHave(t, "nginx", "/usr/sbin", "nginx-light")
	root := t.TempDir()
	mustReachStorage(t, root)
	set := DataSet{Files: 5, FileKiB: 128, Kind: RandomData, Seed: 1}
	require.NoError(t, set.Write(t.Context(), root))
	for _, cached := range []bool{true, false} {
		addr := freeAddr(t)
		server, err := StartNginx(t.Context(), NginxConfig{Addr: addr, Root: root, Dir: t.TempDir(), Cached: cached})
		require.NoError(t, err)
		defer server.Stop()
		workers := childrenOf(t, server.PID())
		require.Len(t, workers, 1)
		for item := range set.Files {
			page, err := http.Get("http://" + addr + set.Path(uint64(item)))
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, page.Body)
			require.NoError(t, errors.Join(err, page.Body.Close()))
			require.Equal(t, http.StatusOK, page.StatusCode)
		}
		before := storageReads(t, workers[0])
		stats := shortLoad(t, addr, set)
		require.Positive(t, stats.Offered)
		require.Zero(t, stats.Failed)
		require.Positive(t, stats.P99)
		read := storageReads(t, workers[0]) - before
		if cached {
			require.Zero(t, read)
		} else {
			require.GreaterOrEqual(t, read, (stats.Offered-stats.Unfinished)*128<<10)
		}
		server.Stop()
		require.Error(t, wait.Listening(addr)(t.Context()), "it has ended")
	}
}

// shortLoad asks for files for a second.
func shortLoad(t *testing.T, addr string, set DataSet) load.Stats {
	t.Helper()
	visitors, err := load.New("http://"+addr, 1)
	require.NoError(t, err)
	visitors.AskFor(set.Path)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		visitors.Run(ctx)
	}()
	visitors.SetRate(ctx, 40)
	require.NoError(t, wait.Sleep(t.Context(), 700*time.Millisecond))
	stats := visitors.Stats(began, began.Add(500*time.Millisecond))
	cancel()
	<-done
	return stats
}

func TestNginxSaysWhyItCannotStart(t *testing.T) {
	t.Parallel()
	mustHave(t, "nginx", "/usr/sbin", "nginx-light")
	taken, dir := freeAddr(t), t.TempDir()
	runUntilEnd(t, func(ctx context.Context) error { return Upstream(ctx, taken) })
	require.NoError(t, wait.Until(t.Context(), 5*time.Second, wait.Listening(taken)))
	_, err := StartNginx(t.Context(), NginxConfig{Addr: taken, Root: dir, Dir: dir})
	require.ErrorContains(t, err, "nginx ended early")
	require.ErrorContains(t, err, "Address already in use")
	_, err = StartNginx(t.Context(), NginxConfig{Addr: "0.0.0.0:80", Root: dir, Dir: dir})
	require.ErrorContains(t, err, "the lab's own network")
}

func TestAMissingServerIsNamedWithItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := findServer("nginx", "/nowhere", "nginx-light")
	require.EqualError(t, err, "nginx is neither in the PATH nor in /nowhere: install it (Debian: apt-get install nginx-light)")
	dir := t.TempDir()
	for _, version := range []string{"14", "15"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, version, "bin"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, version, "bin", "postgres"), nil, 0o700))
	}
	found, err := findServer("postgres", filepath.Join(dir, "*/bin"), "postgresql")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "15/bin/postgres"), found)
}

func TestNginxConfigSuitsItsBuild(t *testing.T) {
	cfg := NginxConfig{Addr: "127.0.0.1:80", Root: "/srv", Dir: "/tmp/x"}
	full, small := string(cfg.text("--with-threads")), string(cfg.text("--without-http_scgi_module"))
	require.Contains(t, full, "aio threads;")
	require.Contains(t, full, "scgi_temp_path")
	require.NotContains(t, small, "aio")
	require.NotContains(t, small, "scgi_temp_path")
	cfg.Cached = true
	require.NotContains(t, string(cfg.text("--with-threads")), "directio")
}
