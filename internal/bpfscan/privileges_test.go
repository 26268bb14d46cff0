package bpfscan

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/procscan"
)

// nobody is a user without any right.
const nobody = 65534

// performScan scans as whoever it is started as.
func performScan() error {
	s, err := Open(Options{Network: true, Events: true, CommandLine: true})
	if refused, ok := errors.AsType[*Refusal](err); ok {
		fmt.Printf("refused: %s; %s\n", refused.Reason, refused.Cure)
		return nil
	}
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Printf("missing: %v\n", s.Missing())
	other, err := strconv.Atoi(os.Getenv("BPFSCAN_PROCESS_OF_ROOT"))
	if err != nil {
		return err
	}
	for range 2 {
		snap, err := s.Scan()
		if err != nil {
			return err
		}
		p := find(snap, other)
		if p == nil {
			return errors.New("the process of root is not listed")
		}
		fmt.Printf("uid %d, I/O %v, network %v, paths %v, name %s\n", os.Geteuid(),
			p.Known.Has(process.KnowsIO) && p.WriteBytes > 0, p.Known.Has(process.KnowsTCP|process.KnowsUDP),
			p.Known.Has(process.KnowsPaths), p.Name)
	}
	return nil
}

// TestCapabilities drops all capabilities but the given ones, for real.
func TestCapabilities(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can hand out capabilities")
	}
	open(t, Options{})
	dir := storageDir(t)
	written := start(t, "write "+dir+"/file")
	for name, c := range map[string]struct {
		capabilities []uintptr
		want         []string
	}{
		"CAP_BPF and CAP_PERFMON": {
			[]uintptr{unix.CAP_BPF, unix.CAP_PERFMON},
			[]string{"missing: []", "uid 65534, I/O true, network true, paths true, name "},
		},
		"CAP_BPF": {
			[]uintptr{unix.CAP_BPF},
			[]string{"refused: CAP_PERFMON is missing; grant CAP_PERFMON (AmbientCapabilities= of the service), or run as root"},
		},
		"CAP_PERFMON": {
			[]uintptr{unix.CAP_PERFMON},
			[]string{"refused: CAP_BPF is missing"},
		},
		"none": {
			nil,
			[]string{"refused: CAP_BPF and CAP_PERFMON are missing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
			cmd.Dir = "/"
			cmd.Env = []string{"BPFSCAN_ACT=scan", "BPFSCAN_PROCESS_OF_ROOT=" + strconv.Itoa(written.Process.Pid)}
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
				AmbientCaps: c.capabilities,
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			for _, want := range c.want {
				require.Contains(t, string(out), want)
			}
		})
	}
}

// breakers stand for older kernels: they lack what a part needs.
func TestPartsThatCannotBeHadAreToldOf(t *testing.T) {
	for name, c := range map[string]struct {
		programs []string
		missing  []string
		traffic  bool
		events   bool
		paths    bool
	}{
		"Linux 6.2":  {[]string{kernelProgSocketReceived}, []string{"network bytes of processes"}, false, true, true},
		"Linux 5.16": {[]string{kernelProgSocketSent, kernelProgListPaths}, []string{"network bytes of processes", "retransmits, round trip times and listening sockets"}, false, true, false},
		"no events":  {[]string{kernelProgProcessFree}, []string{"processes that live for less than a scan"}, true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			open(t, Options{})
			spec, err := loadKernel()
			require.NoError(t, err)
			for _, p := range c.programs {
				spec.Programs[p].AttachTo = "no_such_point"
			}
			loaded, err := load(Options{Network: true, Events: true}, spec)
			require.NoError(t, err)
			procs, err := procscan.Open(procscan.Options{Root: "/proc"})
			require.NoError(t, err)
			s := newScanner(Options{Root: "/proc"}, procs, loaded)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			var what []string
			for _, m := range s.Missing() {
				what = append(what, m.What)
				require.Contains(t, m.Cure, "use Linux ")
			}
			require.Equal(t, c.missing, what)
			a := start(t, "burn")
			p := find(scan(t, s), a.Process.Pid)
			require.Equal(t, c.traffic, p.Known.Has(process.KnowsTCP))
			require.Equal(t, c.paths, p.Known.Has(process.KnowsPaths))
			require.InDelta(t, 0.3, p.UserTime+p.SystemTime, 0.1)
			a.end()
			snap := scan(t, s)
			require.Equal(t, c.events, exited(snap, a.Process.Pid) != nil)
			require.Nil(t, find(snap, a.Process.Pid))
		})
	}
}

func TestNothingWithoutTheList(t *testing.T) {
	open(t, Options{})
	spec, err := loadKernel()
	require.NoError(t, err)
	spec.Programs[kernelProgListTasks].AttachTo = "no_such_point"
	_, err = load(Options{Events: true}, spec)
	refused, ok := errors.AsType[*Refusal](err)
	require.True(t, ok)
	require.Contains(t, refused.Reason, "lacks something that the eBPF programs need")
	require.NotContains(t, refused.Error(), "\n")
}

// In a container with a PID namespace of its own the numbers would be wrong.
func TestOwnPIDNamespaceIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a PID namespace")
	}
	open(t, Options{})
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = []string{"BPFSCAN_ACT=scan", "BPFSCAN_PROCESS_OF_ROOT=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "refused: this is not the host's PID namespace")
	require.Contains(t, string(out), "hostPID: true")
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	s, err := Open(Options{Network: true, Events: true})
	if _, ok := errors.AsType[*Refusal](err); ok && os.Geteuid() != 0 {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.NoError(t, s.Close())
	before, maps := descriptors(t), mappings(t)
	for range 3 {
		s, err := Open(Options{Network: true, Events: true})
		require.NoError(t, err)
		scan(t, s)
		require.NotEqual(t, before, descriptors(t))
		require.NoError(t, s.Close())
	}
	require.Equal(t, before, descriptors(t))
	require.Equal(t, maps, mappings(t))
}

// descriptors are the open files, without that of the listing.
func descriptors(t *testing.T) []string {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	var open []string
	for _, f := range dir {
		if target, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && !strings.HasSuffix(target, "/fd") {
			open = append(open, target)
		}
	}
	return open
}

// mappings is how many rings are mapped.
func mappings(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	return strings.Count(string(b), "bpf-map")
}
