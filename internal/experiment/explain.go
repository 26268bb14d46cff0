package experiment

import (
	"fmt"
	"math"
	"slices"
)

// explain finds what the site and the backup contend for.
//
// A remedy that makes the backup yield helps only against contention for what it
// yields, so that one of these decides. That yielding the CPU does not help shows
// that it is not the CPU; I/O schedulers are not as strict, so that yielding the
// disk shows nothing if it does not help. A remedy that limits the backup makes it
// slower in everything and may help against any contention: it shows only what
// is possible, and the host's own figures must tell which.
func explain(remedies []Arm, baseline, plain Arm) (Hypothesis, []string) {
	if len(remedies) == 0 {
		return Undecided, []string{"no remedy was measured"}
	}
	by := outcomes(remedies, plain)
	reasons := append(by.sentences(), by.contrast()...)
	if yes := by.yielding(true); len(yes) == 1 {
		return Hypothesis(yes[0]), append(reasons, fmt.Sprintf("what helps makes the backup yield the %s and leaves it the rest", yes[0].word()))
	}
	possible := by.yielding(true)
	if len(possible) == 0 {
		notCPU := slices.Contains(by.yielding(false), CPU)
		if notCPU {
			reasons = append(reasons, "it is not the CPU, for yielding that does not help; limiting it makes the backup slower in all it does")
		}
		for _, class := range []Class{CPU, Disk, Network} {
			if by.limits[class] && (class != CPU || !notCPU) {
				possible = append(possible, class)
			}
		}
	}
	if len(possible) == 0 {
		return Undecided, append(reasons, "no remedy that tells one thing from another helps: look for a lock, for a database that does the backup's work, or for files of the site that the backup drives out of memory")
	}
	seen, unseen, why := risen(possible, baseline, plain)
	reasons = append(reasons, why...)
	switch {
	case len(seen) == 1:
		return Hypothesis(seen[0]), reasons
	case len(seen) == 0 && len(unseen) == 1:
		return Hypothesis(unseen[0]), reasons
	case len(possible) == 1:
		return Undecided, append(reasons, fmt.Sprintf("less of the %s helps, yet the host's figures do not show that it runs short: the backup may do harm by something else that it does more slowly then", possible[0].word()))
	default:
		return Undecided, append(reasons, "several limits help, and the host's figures do not tell them apart")
	}
}

// outcome says for each class what was tried and whether it helped.
type outcome struct {
	yields, limits map[Class]bool // whether any of its remedies helped; absent if none was tried
	helped, failed []string       // IDs, as the next
	stalled        []string       // with them the backup hardly moved, which tells nothing
}

func outcomes(remedies []Arm, plain Arm) outcome {
	o := outcome{yields: map[Class]bool{}, limits: map[Class]bool{}}
	for _, a := range remedies {
		if a.Stalled() {
			o.stalled = append(o.stalled, a.ID)
			continue
		}
		helped := relief(a, plain) >= helps && a.OverPlain.P95.High < 1
		kind := o.limits
		if a.Yields {
			kind = o.yields
		}
		kind[a.Class] = kind[a.Class] || helped
		if helped {
			o.helped = append(o.helped, a.ID)
		} else {
			o.failed = append(o.failed, a.ID)
		}
	}
	return o
}

// relief is how much of the rise of p95 a remedy takes away, from 0 for nothing
// to 1 for all of it, on a scale of logarithms.
func relief(a, plain Arm) float64 {
	rise := math.Log(plain.OverBaseline.P95.Value)
	return (rise - math.Log(max(a.OverBaseline.P95.Value, 1))) / rise
}

// yielding lists the classes whose yielding remedies helped, or did not.
func (o outcome) yielding(helped bool) []Class {
	var list []Class
	for _, class := range []Class{CPU, Disk, Network} {
		if h, tried := o.yields[class]; tried && h == helped {
			list = append(list, class)
		}
	}
	return list
}

func (o outcome) sentences() []string {
	var list []string
	if len(o.helped) > 0 {
		list = append(list, "what takes away at least half of the rise: "+labelled(o.helped))
	}
	if len(o.failed) > 0 {
		list = append(list, "what does not: "+labelled(o.failed))
	}
	if len(o.stalled) > 0 {
		list = append(list, "what tells nothing, for the backup hardly moved with it: "+labelled(o.stalled))
	}
	return list
}

// contrast says what the limits of the disk and of the CPU tell together.
func (o outcome) contrast() []string {
	disk, triedDisk := o.limits[Disk]
	cpu, triedCPU := o.limits[CPU]
	yielding, yielded := o.yields[CPU]
	switch {
	case !triedDisk || !triedCPU || (!disk && !cpu):
		return nil
	case disk && cpu:
		return []string{"a limit of the disk helps, and one of the CPU does, too: each makes the backup slower in all it does, so they do not tell the one from the other; what yields, or the host's own figures, must"}
	case disk && yielding:
		return []string{"a limit of the disk helps and one of the CPU does not, but yielding the CPU helps: a backup that waits for the disk takes less CPU time, and a limit of the CPU leaves it bursts; what yields tells more"}
	case disk:
		return []string{"a limit of the disk helps and one of the CPU does not: with less CPU time the backup still keeps the disk from the site, which points to the disk"}
	case yielded && !yielding:
		return []string{"a limit of the CPU helps, and neither one of the disk nor yielding the CPU does: it may be what the backup does with its time, such as memory or locks that it takes"}
	default:
		return []string{"a limit of the CPU helps and one of the disk does not: the backup does harm even when it hardly uses the disk, which speaks against the disk"}
	}
}

// word is what a sentence calls what the class is about.
func (c Class) word() string {
	if c == CPU {
		return "CPU"
	}
	return string(c)
}

// Rises of the host's figures, from the baseline to the plain backup, that show
// contention.
const (
	pressureRise = 0.1 // share of the time
	busyRise     = 0.3 // share of the time
	networkRise  = 2   // times
	networkLeast = 1e6 // bytes per second
)

// risen tells which of the classes the host's figures show, and of which it tells
// nothing.
func risen(classes []Class, baseline, plain Arm) (seen, unseen []Class, why []string) {
	from, to := baseline.Signals, plain.Signals
	for _, class := range classes {
		var rose, known bool
		var sentence string
		switch class {
		case CPU:
			rose, known = rise(from.CPUPressure, to.CPUPressure, pressureRise)
			sentence = "tasks wait more for a CPU while the plain backup runs"
		case Disk:
			pressed, knownPressure := rise(from.IOPressure, to.IOPressure, pressureRise)
			busy, knownBusy := rise(from.DiskBusy, to.DiskBusy, busyRise)
			rose, known = pressed || busy, knownPressure || knownBusy
			sentence = "the disk is busier, or tasks wait more for it, while the plain backup runs"
		case Network:
			known = from.NetworkBPS != nil && to.NetworkBPS != nil
			rose = known && *to.NetworkBPS >= networkLeast && *to.NetworkBPS >= networkRise**from.NetworkBPS
			sentence = "more is sent and received while the plain backup runs"
		}
		switch {
		case rose:
			seen, why = append(seen, class), append(why, sentence)
		case !known:
			unseen = append(unseen, class)
		}
	}
	return seen, unseen, why
}

func rise(from, to *float64, by float64) (rose, known bool) {
	if from == nil || to == nil {
		return false, false
	}
	return *to-*from >= by, true
}
