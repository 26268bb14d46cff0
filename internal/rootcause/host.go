package rootcause

import (
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/fact"
)

// host is what is known of one machine.
type host struct {
	name      string
	first     int64 // Unix seconds of the first use of anything
	last      int64 // Unix seconds up to which all is known
	networked bool  // network use was told of some process
	interval  float64
	workloads []*workload // in the order in which they were first seen
	byKey     map[workloadKey]*workload
	byPID     map[int64]*process // the latest process with that PID
	disks     map[string]*disk
	diskNames []string
	links     map[string]*link
	linkNames []string
	pressure  map[stalled]*stall // PSI "some", seconds per second
	paging    map[string]*paging // by control group; empty for the whole host
	lent      []lent
	metered   bool   // what its CPUs do was told
	busy      series // CPU seconds
	iowait    series // CPU seconds in which a disk was waited for
	steal     series // CPU seconds that the hypervisor took
	cores     int
	can       map[string]bool // capabilities; a missing key was never told

	filesystems []*filesystem // in the order in which they were first seen
}

// stalled is what a pressure is of; an empty cgroup stands for the whole host.
type stalled struct {
	cgroup, resource string
}

type stall struct {
	series
	seen int64
}

type disk struct {
	ops, bytes, readBytes, opTime, busy series

	number    string // major and minor
	scheduler string // of its I/O
	seen      int64
}

type link struct {
	bytes series
	speed float64
	seen  int64
}

// workloadKey tells workloads of one host apart: a unit or container by its
// name, a job by its process group.
type workloadKey struct {
	unit  string
	group int64
}

// workload is what a person would stop or throttle.
type workload struct {
	key     workloadKey
	id      backup.Workload
	host    *host
	named   bool // after the backup in it
	cgroup  string
	session int64
	cpus    cpuSet
	serves  []string // services whose work it does
	used    [fact.NumResources]*series
	unheard period // in which its waits were not kept, as it was not known to serve
	members map[fact.Process]member
	all     member // of its processes together, if they are told so
	others  bool   // the sum of what is not told one by one
	kernel  bool   // the kernel's threads: what they read and write is for others
	blind   bool   // its disk use could not be read
	seen    int64
}

// isNobody is whether a workload is none that a person could stop or throttle.
func (w *workload) isNobody() bool { return w.others || w.kernel }

// member is a process of a workload.
type member struct {
	memory float64 // bytes
	seen   int64   // Unix seconds of its last reading
}

type process struct {
	described fact.Described
	workload  *workload
	tool      string // backup tool, if it was recognised as one
	byArgs    bool   // and by more than its name
	seen      int64
}

func newHost(name string) *host {
	return &host{
		name: name, byKey: map[workloadKey]*workload{}, byPID: map[int64]*process{},
		disks: map[string]*disk{}, links: map[string]*link{}, pressure: map[stalled]*stall{}, paging: map[string]*paging{},
		can: map[string]bool{},
	}
}

// series is the workload's use of a resource; it is made when first needed.
func (w *workload) series(r fact.Resource) *series {
	if w.used[r] == nil {
		w.used[r] = new(series)
	}
	return w.used[r]
}

// parts are the resources that make up a shared one.
var parts = [numShared][]fact.Resource{
	SharedCPU:     {fact.CPU},
	SharedDisk:    {fact.DiskRead, fact.DiskWrite},
	SharedNetwork: {fact.NetworkReceive, fact.NetworkTransmit},
	SharedMemory:  {fact.Memory},
	SharedCache:   {fact.DiskRead, fact.DiskWrite},
}

// usedOf is the use of a shared resource in a second: CPUs, bytes per second, or
// bytes.
func (w *workload) usedOf(r Shared, second int64) (sum float64) {
	for _, part := range parts[r] {
		sum += w.used[part].at(second)
	}
	return sum
}

// tells is whether anything was told of the use of a shared resource.
func (w *workload) tells(r Shared) bool {
	return slices.ContainsFunc(parts[r], func(part fact.Resource) bool { return w.used[part] != nil })
}

// groups are the control groups that a workload is in, the innermost first: what
// is described may be in a group within that of the unit. The whole host's is none.
func (w *workload) groups() iter.Seq[string] {
	return func(yield func(string) bool) {
		for path := w.cgroup; len(path) > 1 && yield(path); path = path[:max(0, strings.LastIndexByte(path, '/'))] {
		}
	}
}

func (h *host) doesWorkOf(service string) bool {
	return slices.ContainsFunc(h.workloads, func(w *workload) bool { return w.doesWorkOf(service) })
}

func (w *workload) doesWorkOf(service string) bool { return slices.Contains(w.serves, service) }

// tool is the backup tool among the living processes; empty if there is none.
func (w *workload) tool() string {
	var tool string
	var oldest int64
	for m := range w.members {
		if p := w.host.byPID[m.PID]; p != nil && p.tool != "" && (oldest == 0 || m.PID < oldest) {
			tool, oldest = p.tool, m.PID
		}
	}
	return tool
}

// keyOf finds the workload that a process belongs to: its systemd unit or
// container, else its process group, which is what a shell calls a job.
func keyOf(d fact.Described) workloadKey {
	if d.Workload != (fact.Workload{}) {
		return keyTold(d.Workload)
	}
	if unit := unitOf(d.Cgroup); unit != "" {
		return workloadKey{unit: unit}
	}
	if d.Group > 0 {
		return workloadKey{group: d.Group}
	}
	return workloadKey{group: d.Process.PID}
}

// keyTold is for a workload that the source told apart itself.
func keyTold(w fact.Workload) workloadKey {
	if w.PID > 0 {
		return workloadKey{group: w.PID}
	}
	return workloadKey{unit: w.Name}
}

// unitOf reads the unit or container from a cgroup path: the innermost service,
// or the container's own name. Scopes of logins and the like are not what a
// person would throttle.
func unitOf(cgroup string) string {
	parts := strings.Split(cgroup, "/")
	for _, part := range slices.Backward(parts) {
		switch {
		case strings.HasSuffix(part, ".service") && !strings.HasPrefix(part, "user@"):
			return part
		case isContainer(part):
			return part
		}
	}
	if len(parts) >= 2 && parts[len(parts)-2] == "docker" {
		return "docker-" + parts[len(parts)-1]
	}
	return ""
}

func isContainer(part string) bool {
	for _, prefix := range []string{"docker-", "libpod-", "cri-containerd-", "crio-"} {
		if strings.HasPrefix(part, prefix) && strings.HasSuffix(part, ".scope") {
			return true
		}
	}
	return false
}

// cpuSet is a set of CPUs, a bit for each; nil means that it is not known.
type cpuSet []uint64

// maxCPUs is as many as Linux can be built for.
const maxCPUs = 8192

// parseCPUs reads a kernel CPU list such as "0-3,8".
func parseCPUs(list string) cpuSet {
	if list == "" {
		return nil
	}
	var set cpuSet
	for part := range strings.SplitSeq(list, ",") {
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		from, err := strconv.ParseUint(low, 10, 16)
		if err != nil {
			return nil
		}
		to, err := strconv.ParseUint(high, 10, 16)
		if err != nil || to >= maxCPUs {
			return nil
		}
		for cpu := from; cpu <= to; cpu++ {
			for cpu/64 >= uint64(len(set)) {
				set = append(set, 0)
			}
			set[cpu/64] |= 1 << (cpu % 64)
		}
	}
	return set
}

// apart reports whether two sets are known to have no CPU in common.
func (c cpuSet) apart(other cpuSet) bool {
	if c == nil || other == nil {
		return false
	}
	for i := range min(len(c), len(other)) {
		if c[i]&other[i] != 0 {
			return false
		}
	}
	return true
}

// remember writes down the level of memory, which facts tell by process. One
// that was not read lately is gone.
func (h *host) remember(second int64) {
	alive := second - int64(max(5, 3*h.interval))
	for _, w := range h.workloads {
		var sum float64
		if w.all.seen >= alive {
			sum = math.Round(w.all.memory)
		}
		for _, m := range w.members {
			if m.seen >= alive {
				sum += math.Round(m.memory) // whole bytes: their sum has no order
			}
		}
		if sum > 0 || w.used[fact.Memory] != nil {
			w.series(fact.Memory).hold(second, sum)
		}
	}
}

// insert keeps a list of names sorted.
func insert(names []string, name string) []string {
	i, found := slices.BinarySearch(names, name)
	if found {
		return names
	}
	return slices.Insert(names, i, name)
}

// touch notes that the host was heard of, with the interval of collection.
func (h *host) touch(second int64, over float64) {
	if h.first == 0 {
		h.first = second
	}
	h.last = max(h.last, second)
	if over > 0 {
		h.interval = min(over, window)
	}
}

// hear notes that something was told of the host as a whole. Where workloads are
// told, only they tell up to when all is known.
func (h *host) hear(second int64, over float64) {
	if len(h.workloads) == 0 {
		h.touch(second, over)
	}
}

// forget drops devices, workloads and processes that were not seen since a time.
func (h *host) forget(since, processesSince int64) {
	for pid, p := range h.byPID {
		if p.seen < processesSince {
			delete(p.workload.members, p.described.Process)
			delete(h.byPID, pid)
		}
	}
	maps.DeleteFunc(h.pressure, func(_ stalled, s *stall) bool { return s.seen < since })
	h.forgetLevels(since)
	h.diskNames = slices.DeleteFunc(h.diskNames, func(name string) bool {
		gone := h.disks[name].seen < since
		if gone {
			delete(h.disks, name)
		}
		return gone
	})
	h.linkNames = slices.DeleteFunc(h.linkNames, func(name string) bool {
		gone := h.links[name].seen < since
		if gone {
			delete(h.links, name)
		}
		return gone
	})
	h.lent = slices.DeleteFunc(h.lent, func(l lent) bool { return l.seen < since })
	h.workloads = slices.DeleteFunc(h.workloads, func(w *workload) bool {
		if w.seen >= since || len(w.members) > 0 {
			return false
		}
		delete(h.byKey, w.key)
		return true
	})
}
