package lab

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// victims starts servers and leaves them to whoever kills it.
func victims(ctx context.Context, dir, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	if _, err = startDatabase(ctx, databaseConfig{dir: filepath.Join(dir, "data"), temp: dir, port: number, items: 1}); err != nil {
		return err
	}
	// Its pages are nobody's: only that it runs counts.
	if _, err = startNginx(ctx, nginxConfig{addr: "127.0.0.2:" + port, root: dir, dir: dir}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func TestVictimsEndWithALabThatWasKilled(t *testing.T) {
	t.Parallel()
	mustHave(t, "nginx", "/usr/sbin", "nginx-light")
	mustHave(t, "postgres", "/usr/lib/postgresql/*/bin", "postgresql")
	self, err := os.Executable()
	require.NoError(t, err)
	dir, addr := passableDir(t), freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	servers := []string{addr, "127.0.0.2:" + port}
	lab, err := start(t.Context(), spec{name: "the lab", argv: []string{self, "lab-victims", dir, addr}, log: filepath.Join(dir, "lab.log")})
	require.NoError(t, err)
	require.NoError(t, lab.ready(t.Context(), 20*time.Second, listening(servers[1])))
	require.NoError(t, listening(servers[0])(t.Context()))

	require.NoError(t, unix.Kill(lab.pid(), unix.SIGKILL))
	<-lab.done
	for _, server := range servers {
		require.NoError(t, await(t.Context(), 10*time.Second, func(ctx context.Context) error {
			if listening(server)(ctx) == nil {
				return errors.New("it still listens")
			}
			return nil
		}), server)
	}
}

func TestAChildThatEndsIsNotWaitedFor(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	c, err := start(t.Context(), spec{name: "the server", argv: []string{"sh", "-c", "echo no licence; exit 3"}, log: log})
	require.NoError(t, err)
	began := time.Now()
	err = c.ready(t.Context(), time.Minute, listening(freeAddr(t)))
	require.ErrorContains(t, err, "the server ended early (exit status 3); the last it wrote:\nno licence")
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestAChildMayHaveAnEnvironmentOfItsOwn(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	t.Setenv("RESTIC_REPOSITORY", "/the/users/own")
	dir := t.TempDir()
	for home, leaks := range map[string]bool{"": true, dir: false} {
		log := filepath.Join(t.TempDir(), "log")
		c, err := start(t.Context(), spec{name: "env", argv: []string{"env"}, home: home, env: []string{"DATA=/data"}, log: log})
		require.NoError(t, err)
		<-c.done
		require.NoError(t, c.err)
		text, err := os.ReadFile(log)
		require.NoError(t, err)
		require.Contains(t, string(text), "DATA=/data")
		require.Equal(t, leaks, strings.Contains(string(text), "PROXY"))
		require.Equal(t, leaks, strings.Contains(string(text), "RESTIC"))
		require.Equal(t, !leaks, strings.Contains(string(text), "HOME="+dir+"\nTMPDIR="+dir))
	}
}

func TestAChildThatWasAskedToEndsInOrder(t *testing.T) {
	for script, want := range map[string]bool{
		"trap 'exit 0' TERM; touch up; while :; do sleep 0.05; done": true,
		"touch up; exec sleep 60":                                    false, // killed by the signal
	} {
		dir := t.TempDir()
		c, err := start(t.Context(), spec{name: "it", argv: []string{"sh", "-c", script}, dir: dir, log: filepath.Join(dir, "log")})
		require.NoError(t, err)
		require.NoError(t, c.ready(t.Context(), 10*time.Second, func(context.Context) error {
			_, missing := os.Stat(filepath.Join(dir, "up"))
			return missing
		}))
		require.False(t, c.inOrder(), "it runs")
		c.stop()
		require.Equal(t, want, c.inOrder(), script)
	}
}
