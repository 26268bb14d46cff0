package child

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/lab/wait"
)

func TestAChildThatEndsIsNotWaitedFor(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	c, err := Start(t.Context(), Spec{Name: "the server", Argv: []string{"sh", "-c", "echo no licence; exit 3"}, Log: log})
	require.NoError(t, err)
	began := time.Now()
	err = c.Ready(t.Context(), time.Minute, wait.Listening("127.0.0.1:1"))
	require.ErrorContains(t, err, "the server ended early (exit status 3); the last it wrote:\nno licence")
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestAChildMayHaveAnEnvironmentOfItsOwn(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	t.Setenv("RESTIC_REPOSITORY", "/the/users/own")
	dir := t.TempDir()
	for home, leaks := range map[string]bool{"": true, dir: false} {
		log := filepath.Join(t.TempDir(), "log")
		c, err := Start(t.Context(), Spec{Name: "env", Argv: []string{"env"}, Home: home, Env: []string{"DATA=/data"}, Log: log})
		require.NoError(t, err)
		<-c.Done()
		require.NoError(t, c.Err())
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
		c, err := Start(t.Context(), Spec{Name: "it", Argv: []string{"sh", "-c", script}, Dir: dir, Log: filepath.Join(dir, "log")})
		require.NoError(t, err)
		require.NoError(t, c.Ready(t.Context(), 10*time.Second, func(context.Context) error {
			_, missing := os.Stat(filepath.Join(dir, "up"))
			return missing
		}))
		require.False(t, c.InOrder(), "it runs")
		c.Stop()
		require.Equal(t, want, c.InOrder(), script)
	}
}
