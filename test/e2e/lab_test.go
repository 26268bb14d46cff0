//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// culpritPath is the path of the command.
func culpritPath(t *testing.T) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(collector(t)), "culprit")
	require.FileExists(t, path, "run `make build`")
	return path
}

// A run makes an incident, hears the collector, judges it, keeps the journal, whose
// replay says the same, and leaves nothing behind. Whether the verdict is
// right is a matter of the benchmark: this host may be busy.
func TestLabRun(t *testing.T) {
	for _, scenario := range []string{"quiet", "disk-tar"} {
		t.Run(scenario, func(t *testing.T) {
			if scenario != "quiet" && os.Getuid() != 0 {
				t.Skip("only root can make a disk")
			}
			base, kept := filepath.Join("/var/tmp", "culprit-e2e-"+scenario), t.TempDir()
			t.Cleanup(func() { _ = os.RemoveAll(base) })
			var out, progress bytes.Buffer
			cmd := exec.Command(culpritPath(t), "lab", "run", scenario, "--seed", "3", "--json", "--base", base, "--journals", kept)
			cmd.Stdout, cmd.Stderr = &out, &progress
			err := cmd.Run() // its status tells whether the verdict was right
			var failed *exec.ExitError
			if err != nil {
				require.ErrorAs(t, err, &failed)
			}
			var run struct {
				Scenario string
				Seed     uint64
				Truth    struct{ Kind, Cause string }
				Verdict  struct{ State string }
				P95      struct{ Before, During *float64 } `json:"p95_ms"`
				Duration float64                           `json:"duration_s"`
			}
			require.NoError(t, json.Unmarshal(out.Bytes(), &run), progress.String())
			require.Equal(t, scenario, run.Scenario)
			require.EqualValues(t, 3, run.Seed)
			require.NotEmpty(t, run.Truth.Kind)
			require.Contains(t, []string{"named", "probable", "unknown", "none"}, run.Verdict.State)
			require.NotNil(t, run.P95.Before)
			require.NotNil(t, run.P95.During)
			require.Positive(t, *run.P95.Before)
			require.Positive(t, *run.P95.During)
			require.Less(t, run.Duration, 90.)

			said, err := exec.Command(culpritPath(t), "replay", filepath.Join(kept, scenario+"-3.journal.gz")).CombinedOutput()
			require.NoError(t, err, string(said))
			if run.Verdict.State != "none" {
				require.Contains(t, string(said), "verdict opened: ")
			}
			left, err := os.ReadDir(base)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// What a run made is undone also when it was killed without a chance to do so.
func TestLabCleansUpAfterAKill(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a disk")
	}
	base := "/var/tmp/culprit-e2e-kill"
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	cmd := exec.Command(culpritPath(t), "lab", "run", "disk-tar", "--base", base)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	mounted := func() bool {
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		require.NoError(t, err)
		return strings.Contains(string(mounts), base)
	}
	require.Eventually(t, mounted, time.Minute, pace)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())

	out, err := exec.Command(culpritPath(t), "lab", "clean", "--base", base).CombinedOutput()
	require.NoError(t, err, string(out))
	require.False(t, mounted())
	left, err := os.ReadDir(base)
	require.NoError(t, err)
	require.Empty(t, left)
	out, err = exec.Command(culpritPath(t), "lab", "clean", "--base", base).CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, "nothing was left behind\n", string(out))
}
