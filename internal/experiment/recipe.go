package experiment

import (
	"fmt"
	"strconv"
	"strings"
)

// Way says how control groups are made on a host.
type Way int

// The ways.
const (
	Version1 Way = iota // below /sys/fs/cgroup/cpu and /sys/fs/cgroup/blkio
	Version2            // below /sys/fs/cgroup
	Systemd             // by systemd, on version 2
)

// Typed is what a person would type to run a command within limits on a device,
// MAJ:MIN.
func (l Limits) Typed(way Way, device string, argv []string) string {
	command := ShellLine(argv)
	if way == Systemd {
		return strings.Join(append(append([]string{"systemd-run", "--scope"}, l.properties(device)...), command), " ")
	}
	return fmt.Sprintf("(%s && exec %s)", strings.Join(l.writes(way, device), " && "), command)
}

func (l Limits) properties(device string) []string {
	var list []string
	if l.CPUWeight > 0 {
		list = append(list, fmt.Sprintf("-p CPUWeight=%d", l.CPUWeight))
	}
	if l.CPUCores > 0 {
		list = append(list, fmt.Sprintf("-p CPUQuota=%.0f%%", max(l.CPUCores*100, 1)))
	}
	if l.ReadBPS > 0 {
		list = append(list, fmt.Sprintf("-p 'IOReadBandwidthMax=/dev/block/%s %d'", device, l.ReadBPS))
	}
	if l.WriteBPS > 0 {
		list = append(list, fmt.Sprintf("-p 'IOWriteBandwidthMax=/dev/block/%s %d'", device, l.WriteBPS))
	}
	return list
}

// Undo is what a person would type to undo what stays of the command: processes
// of a backup that still runs leave the group, and it is removed. What systemd
// makes ends by itself.
func (l Limits) Undo(way Way) string {
	if way == Systemd {
		return ""
	}
	var list []string
	for _, above := range l.above(way) {
		group := above + "/culprit-backup"
		list = append(list, fmt.Sprintf("for p in $(cat %s/cgroup.procs); do echo $p > %s/cgroup.procs; done; rmdir %s", group, above, group))
	}
	return strings.Join(list, "; ")
}

// above lists the directories below which groups are made.
func (l Limits) above(way Way) []string {
	const top = "/sys/fs/cgroup"
	if way != Version1 {
		return []string{top}
	}
	var list []string
	if l.CPUWeight > 0 || l.CPUCores > 0 {
		list = append(list, top+"/cpu")
	}
	if l.ReadBPS > 0 || l.WriteBPS > 0 {
		list = append(list, top+"/blkio")
	}
	return list
}

// period is the kernel's usual one for quotas, in microseconds.
const period = 100_000

// writes are the commands of a shell that make the group and join it: 0 is the
// process that writes it. Version 2 has a controller's files only where the group
// above enables it.
func (l Limits) writes(way Way, device string) []string {
	var list []string
	group := func(controller string, settings ...[2]string) {
		dir := "/sys/fs/cgroup/culprit-backup"
		if way == Version1 {
			dir = "/sys/fs/cgroup/" + controller + "/culprit-backup"
		} else {
			list = append(list, fmt.Sprintf("echo +%s > /sys/fs/cgroup/cgroup.subtree_control", controller))
		}
		list = append(list, "mkdir -p "+dir)
		for _, s := range settings {
			list = append(list, fmt.Sprintf("echo '%s' > %s/%s", s[0], dir, s[1]))
		}
		list = append(list, fmt.Sprintf("echo 0 > %s/cgroup.procs", dir))
	}
	choose := func(one, two [2]string) [2]string {
		if way == Version1 {
			return one
		}
		return two
	}
	quota := int64(l.CPUCores * period)
	switch {
	case l.CPUWeight > 0:
		group("cpu", choose([2]string{strconv.Itoa(max(2, l.CPUWeight*1024/100)), "cpu.shares"}, [2]string{strconv.Itoa(l.CPUWeight), "cpu.weight"}))
	case l.CPUCores > 0:
		group("cpu", choose([2]string{strconv.FormatInt(quota, 10), "cpu.cfs_quota_us"}, [2]string{fmt.Sprintf("%d %d", quota, period), "cpu.max"}))
	}
	var io [][2]string
	if l.ReadBPS > 0 {
		io = append(io, choose(
			[2]string{fmt.Sprintf("%s %d", device, l.ReadBPS), "blkio.throttle.read_bps_device"},
			[2]string{fmt.Sprintf("%s rbps=%d", device, l.ReadBPS), "io.max"},
		))
	}
	if l.WriteBPS > 0 {
		io = append(io, choose(
			[2]string{fmt.Sprintf("%s %d", device, l.WriteBPS), "blkio.throttle.write_bps_device"},
			[2]string{fmt.Sprintf("%s wbps=%d", device, l.WriteBPS), "io.max"},
		))
	}
	if len(io) > 0 {
		name := "io"
		if way == Version1 {
			name = "blkio"
		}
		group(name, io...)
	}
	return list
}
