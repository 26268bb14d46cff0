package rootcause

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// Names of the capabilities that remedies ask for; the receiver tells them.
const (
	canAutogroup = "sched_autogroup"
	canCPUv1     = "cgroup_v1_cpu"
	canCPUv2     = "cgroup_v2_cpu"
	canMemoryV2  = "cgroup_v2_memory"
	canIOv1      = "cgroup_v1_blkio"
	canIOv2      = "cgroup_v2_io"
	canBFQ       = "io_scheduler_bfq"
	canSystemd   = "systemd"
)

// remedies lists what to do against the strongest suspect, what can work on
// this host first.
func (e *Engine) remedies(sc *scene, top scored) []Remedy {
	var list []Remedy
	switch top.Cause {
	case Contention:
		list = e.throttle(sc, top)
	case TrafficSurge:
		list = []Remedy{
			{Title: "add capacity, or shed load at the proxy", Why: "the requests themselves are what slows it"},
			{Title: "stop the running backups", Works: DoesNotWork, Why: "that frees nothing that is short"},
		}
	case OwnWork:
		list = []Remedy{{Title: "look at what changed in " + sc.v.id.Service + ": a deployment, a cache, a query", Why: "it works more for each request"}}
	case FaultyDisk:
		list = []Remedy{
			{Title: "read the kernel's messages", Command: "dmesg --level=err,warn | grep -iE 'I/O error|ata|nvme|scsi'", Works: DoesWork, Why: "they name the device"},
			{Title: "ask the disk itself", Command: "smartctl -a /dev/DEVICE", Why: "needs smartmontools and root"},
		}
	case Upstream:
		if sc.trips.strength > 0 && top.Resource == SharedNetwork {
			list = []Remedy{{Title: "look at the way to the clients of " + sc.v.id.Service + ": a shaper, a tunnel, the uplink", Why: "what is sent here is no more than usual, and comes back late"}}
			break
		}
		list = []Remedy{{Title: "follow a slow trace to what " + sc.v.id.Service + " calls, and look for a lock", Why: "nothing on this host is short"}}
	case UnknownCause:
	}
	slices.SortStableFunc(list, func(a, b Remedy) int { return cmp.Compare(order(a.Works), order(b.Works)) })
	return list
}

// actsOn is a process of the workload to act on: that of a backup tool, else the
// leader of the job, else the lowest number among its members. A job's processes
// may be in several groups, and its leader a shell that only waits.
func (w *workload) actsOn() fact.Described {
	var best fact.Described
	var bestRank int
	for m := range w.members {
		p := w.host.byPID[m.PID]
		if p == nil {
			continue
		}
		rank := 1
		switch {
		case p.tool != "":
			rank = 3
		case m.PID == w.id.PID:
			rank = 2
		}
		if rank > bestRank || rank == bestRank && m.PID < best.Process.PID {
			best, bestRank = p.described, rank
		}
	}
	return best
}

// livePID is the PID of the process to act on.
func (w *workload) livePID() int64 { return cmp.Or(w.actsOn().Process.PID, w.id.PID) }

// liveGroup is the process group to act on.
func (w *workload) liveGroup() int64 {
	d := w.actsOn()
	return cmp.Or(d.Group, d.Process.PID, w.key.group)
}

func order(w Works) int {
	switch w {
	case DoesWork:
		return 0
	case MayWork:
		return 1
	default:
		return 2
	}
}

func (e *Engine) throttle(sc *scene, top scored) []Remedy {
	w := top.workload
	if w == nil {
		return findUnseen(top)
	}
	var list, last []Remedy
	switch top.Resource {
	case SharedCPU:
		list = cpuRemedies(sc, w)
	case SharedDisk, SharedCache:
		list, last = diskRemedies(sc, w)
	case SharedMemory:
		if w.key.unit != "" {
			list = []Remedy{unitRemedy(w, canMemoryV2, unitLimit{
				setting: "MemoryHigh=1G", unset: "MemoryHigh=infinity", effect: "makes it give memory back before others must",
			})}
		}
	case SharedSpace:
		list = []Remedy{{Title: "make room where it writes to, or let it write elsewhere", Command: "df -h", Why: "a full file system fails all that write to it"}}
	case SharedLock:
		list = []Remedy{{Title: "ask the database who waits for whom", Why: "a dump may hold a lock that all others wait for; most dump without one, for example in a single transaction"}}
	case SharedNetwork, NoResource, numShared:
	}
	if tool, ok := e.catalog.Tool(w.tool()); ok {
		for _, r := range tool.Remedies {
			if r.Resource != top.Resource.String() {
				continue
			}
			why := "takes effect on the next run"
			if r.Live {
				why = "acts on the running backup" + w.standsFor(w.livePID())
			}
			list = append(list, Remedy{Title: r.Title, Command: strings.ReplaceAll(r.Command, "{pid}", strconv.FormatInt(w.livePID(), 10)), Why: why})
		}
	}
	return append(list, last...)
}

// findUnseen helps to find who uses what nobody tells.
func findUnseen(top scored) []Remedy {
	switch top.Resource {
	case SharedCPU:
		return []Remedy{
			{Title: "look who uses the CPU", Command: "top -b -n 1 | head -20", Works: DoesWork, Why: "it lists all processes of this host"},
			{Title: "ask for the other guests of the machine below", Why: "time that is missing there shows as steal, if at all"},
		}
	case SharedDisk:
		return []Remedy{{Title: "look who uses the disk (root)", Command: "iotop -b -n 1 -o", Why: "needs iotop and root"}}
	case SharedNetwork:
		return []Remedy{{Title: "look who uses the network", Command: "ss -tinp", Why: "it lists connections with their bytes and processes"}}
	case SharedLock:
		return []Remedy{{Title: "ask the database who waits for whom", Why: "such as pg_stat_activity with pg_blocking_pids(), or performance_schema.data_lock_waits"}}
	default:
		return nil
	}
}
