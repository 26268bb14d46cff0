package stage

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Need is something that a run may need of the host.
type Need string

// The needs.
const (
	NeedGroup      Need = "group"       // control groups
	NeedIO         Need = "io"          // limits of block devices
	NeedMemory     Need = "memory"      // limits of memory
	NeedCPU        Need = "cpu"         // limits and weights of CPU
	NeedDisk       Need = "disk"        // file systems on loop devices
	NeedNetwork    Need = "network"     // network namespaces with slow links
	NeedFaultyDisk Need = "faulty_disk" // disks that pause
)

// Abilities are what this process can do on this host.
type Abilities struct {
	root        bool // with all that root usually may
	hierarchies hierarchies
	missing     map[Need]string
}

// Missing says what is missing for a need, and what to do about it; it is empty
// if nothing is.
func (a Abilities) Missing(need Need) string { return a.missing[need] }

// probeTime bounds what a probe tries out.
const probeTime = 5 * time.Second

const noRoot = "this needs root: run it with sudo, on a host or in a privileged container"

// Probe finds out what this host can do. It leaves nothing behind.
func Probe() Abilities {
	a := Abilities{root: isRoot(), missing: map[Need]string{}}
	if !a.root {
		for _, need := range []Need{NeedGroup, NeedIO, NeedMemory, NeedCPU, NeedDisk, NeedNetwork, NeedFaultyDisk} {
			a.missing[need] = noRoot
		}
		return a
	}
	a.hierarchies = findHierarchies()
	a.missing[NeedGroup] = probeGroups(a.hierarchies)
	a.missing[NeedIO] = probeController(a.hierarchies, ioController)
	a.missing[NeedMemory] = probeController(a.hierarchies, memoryController)
	a.missing[NeedCPU] = probeController(a.hierarchies, cpuController)
	a.missing[NeedDisk] = probeDisk()
	a.missing[NeedFaultyDisk] = probeFaultyDisk()
	a.missing[NeedNetwork] = probeNetwork()
	return a
}

func probeController(h hierarchies, name string) string {
	if h.version(name) == None {
		return fmt.Sprintf("there is no control group controller %s that may be written to: mount cgroup2 with it at /sys/fs/cgroup, "+
			"or boot without cgroup_disable=%s, or run on the host instead of in a container", name, name)
	}
	return ""
}

// isRoot says whether this process may mount and make network devices; root in a
// container usually may not.
func isRoot() bool {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil || os.Geteuid() != 0 {
		return false
	}
	for row := range strings.Lines(string(text)) {
		field, found := strings.CutPrefix(row, "CapEff:")
		if !found {
			continue
		}
		effective, err := strconv.ParseUint(strings.TrimSpace(field), 16, 64)
		const needed = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN
		return err == nil && effective&needed == needed
	}
	return false
}

func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }

func probeGroups(h hierarchies) string {
	if h.home() == None {
		return "there is no control group hierarchy that may be written to: mount cgroup2 at /sys/fs/cgroup, or run on the host instead of in a container"
	}
	return ""
}

func probeDisk() string {
	if missing := probePrograms("mkfs.ext4", "losetup", "mount", "umount"); missing != "" {
		return missing
	}
	if !writable("/dev/loop-control") {
		return "there are no loop devices (/dev/loop-control): load the kernel module loop, or run on the host instead of in a container"
	}
	return ""
}

func probeFaultyDisk() string {
	if missing := probeDisk(); missing != "" {
		return missing
	}
	if missing := probePrograms("nbdkit", "nbdfuse"); missing != "" {
		return missing
	}
	if !writable("/dev/fuse") {
		return "there is no FUSE (/dev/fuse): load the kernel module fuse, or run on the host instead of in a container"
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	if _, err := run(ctx, "nbdkit", pausing, "file", "--dump-plugin"); err != nil {
		return fmt.Sprintf("nbdkit lacks its plugin file or the filter pause: install nbdkit 1.22 or later with its basic filters (%v)", err)
	}
	return ""
}

// probeNetwork tries in a network namespace that ends with the programs in it.
func probeNetwork() string {
	if missing := probePrograms("ip", "tc", "unshare", "nsenter"); missing != "" {
		return missing
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	if _, err := run(ctx, "unshare", "--net", "--", "ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab1"); err != nil {
		return fmt.Sprintf("no network namespace with a pair of virtual links can be made: load the kernel module veth, or run on the host instead of in a container (%v)", err)
	}
	tbf := append([]string{"--net", "--", "tc"}, slowLink("lo", NetworkSpec{Mbps: 1, QueueKiB: 100})...)
	if _, err := run(ctx, "unshare", tbf...); err != nil {
		return fmt.Sprintf("no link can be made slow: load the kernel module sch_tbf (%v)", err)
	}
	return ""
}

func probePrograms(names ...string) string {
	for _, name := range names {
		if _, err := findProgram(name); err != nil {
			return err.Error()
		}
	}
	return ""
}
