package rootcause

import (
	"cmp"
	"fmt"
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
	var list []Remedy
	switch top.Resource {
	case SharedCPU:
		list = cpuRemedies(sc, w)
	case SharedDisk, SharedCache:
		list = diskRemedies(w)
	case SharedMemory:
		if w.key.unit != "" {
			list = unitRemedy(w, canMemoryV2, "MemoryHigh=1G", "makes it give memory back before others must")
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
				why = "acts on the running backup"
			}
			list = append(list, Remedy{Title: r.Title, Command: strings.ReplaceAll(r.Command, "{pid}", strconv.FormatInt(w.livePID(), 10)), Why: why})
		}
	}
	return list
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

// cpuRemedies takes CPU time from a workload. Niceness counts only among the
// processes of one session while sched_autogroup is on, for then the sessions
// share the CPU evenly; the session's own niceness is what counts.
func cpuRemedies(sc *scene, w *workload) []Remedy {
	h := w.host
	if w.key.unit != "" {
		return unitRemedy(w, canCPUv2, "CPUWeight=1", "gives it the smallest weight among the units")
	}
	autogroup, told := h.can[canAutogroup]
	ownSession := w.session > 0
	for _, o := range sc.owners {
		ownSession = ownSession && o.session != w.session
	}
	inRoot := w.cgroup == "" || w.cgroup == "/"
	session := Remedy{
		Title:   "lower the priority of its whole session",
		Command: fmt.Sprintf("echo 19 > /proc/%d/autogroup", w.livePID()),
	}
	nice := Remedy{Title: "lower its priority", Command: fmt.Sprintf("renice -n 19 -g %d", w.liveGroup())}
	switch {
	case !told:
		session.Why, nice.Why = "whether sched_autogroup is on is not known", "works unless sched_autogroup is on"
	case !autogroup:
		session.Works, session.Why = DoesNotWork, "sched_autogroup is off on this host"
		nice.Works, nice.Why = DoesWork, "sched_autogroup is off, so niceness counts among all processes"
	case !inRoot:
		session.Works, session.Why = DoesNotWork, "its CPU cgroup decides, not its session"
		nice.Works, nice.Why = DoesNotWork, "niceness counts only within its cgroup"
	case ownSession:
		session.Works, session.Why = DoesWork, "sched_autogroup is on and it runs in a session of its own; no root needed for one's own processes"
		nice.Works, nice.Why = DoesNotWork, "niceness counts only within a session while sched_autogroup is on"
	default:
		session.Works, session.Why = DoesNotWork, "it shares its session with "+sc.v.id.Service
		nice.Works, nice.Why = DoesWork, "it shares its session with "+sc.v.id.Service+", where niceness counts"
	}
	list := []Remedy{session, nice}
	if h.can[canCPUv1] {
		list = append(list, Remedy{
			Title: "give it the smallest share of the CPU (root)", Works: DoesWork, Why: "this host has the cgroup v1 cpu controller",
			Command: fmt.Sprintf("mkdir -p /sys/fs/cgroup/cpu/throttled && echo 2 > /sys/fs/cgroup/cpu/throttled/cpu.shares && for p in $(pgrep -g %d); do echo $p > /sys/fs/cgroup/cpu/throttled/cgroup.procs; done", w.liveGroup()),
		})
	}
	return list
}

func diskRemedies(w *workload) []Remedy {
	h := w.host
	if w.key.unit != "" {
		return unitRemedy(w, canIOv2, "IOReadBandwidthMax='/ 10M' IOWriteBandwidthMax='/ 10M'", "limits what it reads and writes")
	}
	idle := Remedy{
		Title: "use the disk only when nobody else does", Command: fmt.Sprintf("ionice -c 3 -P %d", w.liveGroup()),
		Works: DoesNotWork, Why: "only the BFQ I/O scheduler heeds it, and no disk here uses BFQ",
	}
	if h.can[canBFQ] {
		idle.Works, idle.Why = MayWork, "works on the disks that use the BFQ I/O scheduler"
	}
	list := []Remedy{idle}
	if h.can[canIOv1] {
		list = append(list, Remedy{
			Title:   "limit its reading to 10 MB/s (root)",
			Why:     "this host has the cgroup v1 blkio controller; put the disk's MAJ:MIN from lsblk in",
			Command: fmt.Sprintf("mkdir -p /sys/fs/cgroup/blkio/throttled && echo 'MAJ:MIN 10000000' > /sys/fs/cgroup/blkio/throttled/blkio.throttle.read_bps_device && for p in $(pgrep -g %d); do echo $p > /sys/fs/cgroup/blkio/throttled/cgroup.procs; done", w.liveGroup()),
		})
	}
	return list
}

func unitRemedy(w *workload, controller, property, effect string) []Remedy {
	r := Remedy{
		Title: "throttle the unit", Command: fmt.Sprintf("systemctl set-property --runtime %s %s", w.key.unit, property),
		Works: DoesNotWork, Why: "this host has no systemd or no cgroup v2 controller for it",
	}
	if w.host.can[canSystemd] && w.host.can[controller] {
		r.Works, r.Why = DoesWork, effect
	}
	return []Remedy{r}
}
