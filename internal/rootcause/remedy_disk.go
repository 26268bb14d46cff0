package rootcause

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// taken is what a workload takes of the disks of its host.
type taken struct {
	reads bool // enough for a limit of its reading to slow its writing too
	rate  float64
	disks []hitDisk // the one that it may use most first
}

type hitDisk struct {
	*disk

	name string
	rise float64 // bytes per second, in the direction that counts
}

// takes finds the disks that a workload uses. Nobody tells which they are: those
// that move more bytes since the onset, each at least half of what the first does.
func (sc *scene) takes(w *workload) taken {
	read, write := sc.mean(w.used[fact.DiskRead].at), sc.mean(w.used[fact.DiskWrite].at)
	t := taken{reads: read >= write/4, rate: write}
	if t.reads {
		t.rate = read
	}
	for _, name := range w.host.diskNames {
		d := w.host.disks[name]
		moved := sc.shift(func(second int64) float64 {
			if t.reads {
				return d.readBytes.at(second)
			}
			return d.bytes.at(second) - d.readBytes.at(second)
		}, smallest[SharedDisk])
		if rise := moved.after - moved.before; rise > 0 {
			t.disks = append(t.disks, hitDisk{d, name, rise})
		}
	}
	slices.SortStableFunc(t.disks, func(a, b hitDisk) int { return cmp.Compare(b.rise, a.rise) })
	t.disks = slices.DeleteFunc(t.disks, func(d hitDisk) bool { return d.rise < t.disks[0].rise/2 })
	return t
}

// left is the part of what a workload takes that a limit leaves it: with a
// quarter a site is as fast as without the backup.
const left = 4

// limit is what a workload may still take, in bytes per second, to two digits. Of
// less than what matters to anybody it is no part.
func (t taken) limit() float64 {
	limit := max(t.rate, smallest[SharedDisk]) / left
	digits := math.Pow(10, math.Floor(math.Log10(limit))-1)
	return math.Round(limit/digits) * digits
}

// partOf says what the limit is a quarter of.
func (t taken) partOf() string {
	if t.rate < smallest[SharedDisk] {
		return "a quarter of " + bytes(smallest[SharedDisk]) + "/s, for it takes less than that now"
	}
	return "a quarter of what it takes now"
}

// doubt says which disks it may be, if there are several; what is limited is one of
// them. It is empty if there is one at most.
func (t taken) doubt(limited string) string {
	if len(t.disks) < 2 {
		return ""
	}
	var names []string
	for _, d := range t.disks {
		names = append(names, d.name)
	}
	return fmt.Sprintf("which of %s it uses is not known, and this limits %s alone", strings.Join(names, " and "), limited)
}

// number is that of the disk to limit; empty if it is not known.
func (t taken) number() string {
	if len(t.disks) == 0 || !isDeviceNumber(t.disks[0].number) {
		return ""
	}
	return t.disks[0].number
}

// diskRemedies keep a workload off the disk. Idle priority comes last: it helps
// less than a limit where it helps at all.
func diskRemedies(sc *scene, w *workload) (first, last []Remedy) {
	t := sc.takes(w)
	if w.key.unit != "" {
		return []Remedy{t.limitUnit(w)}, nil
	}
	group := w.liveGroup()
	first = t.limitGroup(w)
	if len(first) == 0 {
		first = []Remedy{{
			Title: "pause it", Command: fmt.Sprintf("kill -STOP -- -%d", group), Works: DoesWork,
			Why: fmt.Sprintf("no control group is known here that could limit it; a long pause may cost it its connections, so let it go on with \"kill -CONT -- -%d\"", group),
		}}
	}
	idle := Remedy{Title: "use the disk only when nobody else does", Command: fmt.Sprintf("ionice -c 3 -P %d", group)}
	idle.Works, idle.Why = t.heedPriority(w.host)
	idle.Why += w.standsFor(group)
	return first, []Remedy{idle}
}

// limitGroup limits a job on a disk, if a controller of this host can.
func (t taken) limitGroup(w *workload) []Remedy {
	h := w.host
	if !h.can[canIOv1] && !h.can[canIOv2] {
		return nil
	}
	doing, v1, v2 := "writing", "blkio.throttle.write_bps_device", "wbps"
	if t.reads {
		doing, v1, v2 = "reading", "blkio.throttle.read_bps_device", "rbps"
	}
	number := cmp.Or(t.number(), "MAJ:MIN")
	r := Remedy{Title: fmt.Sprintf("limit its %s to %s/s (root)", doing, bytes(t.limit())), Works: DoesWork}
	var why []string
	var undo string
	if h.can[canIOv2] {
		r.Command, undo = w.moveV2(setting{"io", "io.max", fmt.Sprintf("%s %s=%.0f", number, v2, t.limit()), fmt.Sprintf("%s %s=max", number, v2)})
		why = []string{"this host has the cgroup v2 io controller"}
	} else {
		r.Command, undo = w.moveV1(setting{"blkio", v1, fmt.Sprintf("%s %.0f", number, t.limit()), number + " 0"})
		why = []string{"this host has the cgroup v1 blkio controller"}
		if !t.reads {
			r.Works, why = MayWork, append(why, "it limits only writing that does not go through the page cache")
		}
	}
	limited := "the one that you put in"
	if t.number() == "" {
		r.Works, why = MayWork, append(why, "put the disk's MAJ:MIN from lsblk in")
	} else {
		limited = t.disks[0].name
		why = append(why, fmt.Sprintf("%s is %s, and the rate, in bytes per second, %s", number, limited, t.partOf()))
	}
	if doubt := t.doubt(limited); doubt != "" {
		r.Works, why = MayWork, append(why, doubt)
	}
	r.Why = strings.Join(append(why, undo), "; ")
	return []Remedy{r}
}

func (t taken) limitUnit(w *workload) Remedy {
	property, doing := "IOWriteBandwidthMax", "writes"
	if t.reads {
		property, doing = "IOReadBandwidthMax", "reads"
	}
	device, limited := "/", "that of the root directory"
	if number := t.number(); number != "" {
		device, limited = "/dev/block/"+number, t.disks[0].name
	}
	return unitRemedy(w, canIOv2, unitLimit{
		setting: fmt.Sprintf("%s='%s %.0f'", property, device, t.limit()), unset: property + "=",
		effect: fmt.Sprintf("limits what it %s to %s/s, %s", doing, bytes(t.limit()), t.partOf()),
		doubt:  t.doubt(limited),
	})
}

// heedPriority tells whether the disks heed I/O priorities: with BFQ only.
func (t taken) heedPriority(h *host) (works Works, why string) {
	var use []string
	bfq, known := 0, 0
	for _, d := range t.disks {
		if d.scheduler == "" {
			continue
		}
		known++
		if d.scheduler == "bfq" {
			bfq++
		}
		use = append(use, d.name+" uses "+d.scheduler)
	}
	words := strings.Join(use, ", ")
	switch some, told := h.can[canBFQ]; {
	case told && !some:
		return DoesNotWork, strings.TrimPrefix(words+"; only the I/O scheduler BFQ heeds it, and no disk here uses it", "; ")
	case known == 0 || known < len(t.disks):
		return MayWork, "works only on a disk that uses the I/O scheduler BFQ (see /sys/block/DEVICE/queue/scheduler), and less than a limit"
	case bfq == known:
		return DoesWork, words + ", which heeds it; it helps less than a limit"
	case bfq == 0:
		return DoesNotWork, words + ", and only BFQ heeds it"
	default:
		return MayWork, words + ", and only BFQ heeds it"
	}
}
