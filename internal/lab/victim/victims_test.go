package victim

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/wait"
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
	if _, err = StartDatabase(ctx, DatabaseConfig{Dir: filepath.Join(dir, "data"), Temp: dir, Port: number, Items: 1}); err != nil {
		return err
	}
	// Its pages are nobody's: only that it runs counts.
	if _, err = StartNginx(ctx, NginxConfig{Addr: "127.0.0.2:" + port, Root: dir, Dir: dir}); err != nil {
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
	lab, err := child.Start(t.Context(), child.Spec{Name: "the lab", Argv: []string{self, "lab-victims", dir, addr}, Log: filepath.Join(dir, "lab.log")})
	require.NoError(t, err)
	require.NoError(t, lab.Ready(t.Context(), 20*time.Second, wait.Listening(servers[1])))
	require.NoError(t, wait.Listening(servers[0])(t.Context()))

	require.NoError(t, unix.Kill(lab.PID(), unix.SIGKILL))
	<-lab.Done()
	for _, server := range servers {
		require.NoError(t, wait.Until(t.Context(), 10*time.Second, func(ctx context.Context) error {
			if wait.Listening(server)(ctx) == nil {
				return errors.New("it still listens")
			}
			return nil
		}), server)
	}
}
