package procfsreceiver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTimerOf(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"etc/systemd/system/backup.timer", "usr/lib/systemd/system/dump@.timer"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, file), nil, 0o600))
	}
	for unit, want := range map[string]string{
		"backup.service":      "backup.timer",
		"dump@orders.service": "dump@orders.timer",
		"nginx.service":       "",
		"backup.scope":        "",
		"../backup.service":   "",
	} {
		require.Equal(t, want, hostRoot(root).timerOf(unit), unit)
	}
}
