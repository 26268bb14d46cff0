//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Each privilege buys what the README of the receiver says, and nothing else is
// needed: the collector runs as nobody with these capabilities and no others.
func TestWhatEachPrivilegeBuys(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give capabilities away")
	}
	for _, c := range []struct {
		name         string
		capabilities []uintptr
		source       string
		seesDisk     bool // of a process of root
		seesSockets  bool
	}{
		{"none", nil, "procfs", false, false},
		{"files of others", []uintptr{unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH}, "procfs", true, true},
		{"eBPF", []uintptr{unix.CAP_BPF, unix.CAP_PERFMON}, "ebpf", true, true},
		{
			"all that are of use",
			[]uintptr{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH},
			"ebpf", true, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			worker := startWorker(t)
			metrics := address(t)
			config := fmt.Sprintf(`
receivers:
  procfs: {aggregation: process, limit: 0}
exporters:
  prometheus: {endpoint: %q}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [procfs], exporters: [prometheus]}
`, metrics)
			cmd := exec.Command(collector(t), "--config", "yaml:"+config) // nobody may not read a file of root's
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
				AmbientCaps: c.capabilities,
			}
			p := run(t, cmd)
			pid := fmt.Sprint(worker.Pid)
			eventually(t, "it sees the process", func() (bool, any) {
				_, seen := scrape(t, "http://"+metrics+"/metrics").one("process_cpu_time_seconds_total", "process_pid", pid, "cpu_mode", "user")
				return seen, p.log.String()
			})
			all := scrape(t, "http://"+metrics+"/metrics")
			_, known := all.one("process_disk_io_bytes_total", "process_pid", pid, "disk_io_direction", "write")
			require.Equal(t, c.seesDisk, known)
			if c.seesDisk {
				eventually(t, "it sees what the process writes", func() (bool, any) {
					written, _ := scrape(t, "http://"+metrics+"/metrics").one("process_disk_io_bytes_total", "process_pid", pid, "disk_io_direction", "write")
					return written >= workerWrites, written
				})
			}
			_, known = all.one("process_network_io_bytes_total", "process_pid", pid, "network_io_direction", "transmit", "network_transport", "tcp")
			require.Equal(t, c.seesSockets, known)
			require.Contains(t, p.log.String(), fmt.Sprintf("%q: %q", "source", c.source))
			requireOnly(t, p.cmd.Process.Pid, c.capabilities)
		})
	}
}

// requireOnly reads from the kernel what a process may do.
func requireOnly(t *testing.T, pid int, capabilities []uintptr) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	var mask uint64
	for _, c := range capabilities {
		mask |= 1 << c
	}
	require.Contains(t, string(status), fmt.Sprintf("CapEff:\t%016x\n", mask))
	require.Contains(t, string(status), fmt.Sprintf("Uid:\t%d\t", nobody))
}

const workerWrites = 1 << 20

// startWorker starts a process of root that writes to the disk now and then.
func startWorker(t *testing.T) *os.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "written")
	// printf is a part of the shell: the shell itself writes.
	cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf("while sleep 0.2; do printf %%%ds x >%s; done", workerWrites, file))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait(), "it was killed")
	})
	return cmd.Process
}
