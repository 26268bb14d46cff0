package rootcause

import (
	"fmt"
	"math"
)

// slowDisk is a device whose operations take longer than their number and size
// explain, though it does not do more than before; or that completes nothing at
// all while it is busy, which shows no waiting time.
type slowDisk struct {
	found    bool
	evidence Evidence // for a faulty disk
}

func (sc *scene) findSlowDisk() (slow slowDisk) {
	for _, h := range sc.hosts {
		for _, name := range h.diskNames {
			if ev, is := sc.slow(name, h.disks[name]); is && (!slow.found || ev.Strength > slow.evidence.Strength) {
				slow = slowDisk{true, ev}
			}
		}
	}
	return slow
}

// against tells that a disk is slower than a workload's new share of the use
// explains.
func (d slowDisk) against(share float64) Evidence {
	ev := d.evidence
	ev.Term, ev.Strength = TermSlowByItself, ev.Strength*(1-weighty(share))
	return ev
}

func (sc *scene) slow(name string, d *disk) (Evidence, bool) {
	ops, busy := sc.shift(d.ops.at, 1), sc.shift(d.busy.at, 0.05)
	if busy.after >= 0.8 && ops.before >= 1 && ops.after < ops.before/10 {
		return Evidence{
			Name: "stalled_disk", Value: busy.after, Unit: "1", Term: TermSlowDisk, Strength: 1,
			Sentence: fmt.Sprintf("%s is busy for %s of the time and completes %.1f operations per second, usually %.0f", name, percent(busy.after), ops.after, ops.before),
		}, true
	}
	if moved := sc.shift(d.bytes.at, smallest[SharedDisk]); moved.ratio(smallest[SharedDisk]) > 1.3 && moved.after-moved.before > smallest[SharedDisk] {
		return Evidence{}, false
	}
	before, after := d.await(sc.usual), d.await(sc.v.seconds(sc.from, sc.to, false))
	more, deviations := sc.unexplained(d)
	if after < noticed || more < math.Ln2 || deviations < 3 {
		return Evidence{}, false
	}
	return Evidence{
		Name: "slow_disk", Value: after, Unit: "s", Term: TermSlowDisk, Strength: clamp01(more / math.Ln2 / 4),
		Sentence: fmt.Sprintf("operations of %s take %s, usually %s, though it hardly moves more bytes", name, duration(after), duration(before)),
	}, true
}

// noticed is the time of an operation, in seconds, under which nobody waits.
const noticed = 0.005

// unexplained is by how much, as a logarithm and in robust deviations, the time
// of an operation after the onset is over what a regression on the number and
// size of operations, learned from the seconds before, expects.
func (sc *scene) unexplained(d *disk) (more, deviations float64) {
	var f fit
	for _, second := range sc.usual {
		if x, y, ok := d.point(second); ok {
			f.add(x, y)
		}
	}
	if f.n < enoughBefore {
		return 0, 0
	}
	w := f.solve()
	var residuals []float64
	for _, second := range sc.usual {
		if x, y, ok := d.point(second); ok {
			residuals = append(residuals, y-dot(w, x))
		}
	}
	var now mean
	for second := sc.from; second <= sc.to; second++ {
		if x, y, ok := d.point(second); ok {
			now.add(y - dot(w, x))
		}
	}
	s := newShift(residuals, now.value(), 0.2)
	return s.after - s.before, s.z
}

// point is a second of a disk: 1, ln of operations and ln of bytes, and ln of
// the time of an operation. Under a tenth of a millisecond all are the same.
func (d *disk) point(second int64) (x [3]float64, y float64, ok bool) {
	ops := d.ops.at(second)
	if ops < 0.5 {
		return x, 0, false
	}
	return [3]float64{1, math.Log(ops), math.Log(1 + d.bytes.at(second))}, math.Log(max(d.opTime.at(second)/ops, 1e-4)), true
}

// fit is a linear regression by the normal equations. A little ridge keeps it
// solvable where the seconds are all alike.
type fit struct {
	n  float64
	xx [3][3]float64
	xy [3]float64
}

func (f *fit) add(x [3]float64, y float64) {
	f.n++
	for i := range x {
		f.xy[i] += x[i] * y
		for j := range x {
			f.xx[i][j] += x[i] * x[j]
		}
	}
}

func (f *fit) solve() [3]float64 {
	a, b := f.xx, f.xy
	for i := 1; i < 3; i++ {
		a[i][i] += f.n / 10
	}
	a[0][0] += 1e-9
	for i := range 3 { // positive definite: no pivoting
		for j := i + 1; j < 3; j++ {
			q := a[j][i] / a[i][i]
			for k := i; k < 3; k++ {
				a[j][k] -= q * a[i][k]
			}
			b[j] -= q * b[i]
		}
	}
	var w [3]float64
	for i := 2; i >= 0; i-- {
		w[i] = b[i]
		for k := i + 1; k < 3; k++ {
			w[i] -= a[i][k] * w[k]
		}
		w[i] /= a[i][i]
	}
	return w
}

func dot(w, x [3]float64) float64 { return w[0]*x[0] + w[1]*x[1] + w[2]*x[2] }

// await is the mean time of an operation in the given seconds; zero if there
// was none.
func (d *disk) await(when []int64) float64 {
	var time, ops float64
	for _, second := range when {
		time += d.opTime.at(second)
		ops += d.ops.at(second)
	}
	if ops < 1 {
		return 0
	}
	return time / ops
}
