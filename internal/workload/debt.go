package workload

import "github.com/otel-culprit/culprit/internal/process"

// The halves of a legacy. The kernel shows each in one file, so each is read at
// one moment.
const (
	cpuHalf = iota
	ioHalf
	numHalves
)

// margin is what rounding may take from a jump of CPU time: a microsecond.
const margin int64 = ticksPerSecond / 1e6

// slack is what CPU time may be missing for the clock's sake: two ticks of the
// kernel's.
const slack int64 = ticksPerSecond / 50

// debt is what an ended process owes: what was counted of it already.
type debt struct {
	reaper  *account // who may have waited for it; nil if nobody is left
	counted legacy
	due     legacy
	taken   legacy
	payer   [numHalves]*account
	now     [numHalves]bool // paid in this scan
	paid    [numHalves]bool
	final   bool // the totals were the last ones
	age     int  // scans
}

// fit is how well a debt must fit into a jump.
type fit int

const (
	both fit = iota // CPU and bytes, which is strong evidence
	one             // either: the other half was read before it was reaped
	part            // as much as there is
)

func half(l *legacy, h int) int64 { return l[2*h] + l[2*h+1] }

func (d *debt) isPaid() bool { return d.paid[cpuHalf] && d.paid[ioHalf] }

// pay takes from the reaper's jump what fits.
func (d *debt) pay(r *account, how fit) {
	if r == nil || d.isPaid() || !r.leap[cpuHalf] && !r.leap[ioHalf] {
		return
	}
	cpu, io := !d.paid[cpuHalf] && d.fits(r, cpuHalf), !d.paid[ioHalf] && d.fits(r, ioHalf)
	if how == both && (!cpu || !io) {
		return
	}
	for h, fits := range [numHalves]bool{cpu, io} {
		if !d.paid[h] && (fits && (how == both || r.leap[h]) || how == part) {
			d.take(r, h)
		}
	}
}

// fits compares user and system time together: how CPU time divides into them is
// the kernel's guess, which differs between a process and a sum of them.
func (d *debt) fits(r *account, h int) bool {
	if h == cpuHalf {
		return half(&r.jump, h)+margin >= half(&d.due, h)
	}
	return r.jump[readBytes] >= d.due[readBytes] && r.jump[writeBytes] >= d.due[writeBytes]
}

func (d *debt) take(r *account, h int) {
	before := half(&d.due, h)
	for i := 2 * h; i < 2*h+2; i++ {
		d.move(r, i, i)
	}
	if h == cpuHalf {
		d.move(r, userTime, systemTime)
		d.move(r, systemTime, userTime)
	}
	left := half(&d.due, h)
	if left < before || before == 0 {
		d.payer[h], d.now[h] = r, true
	}
	d.paid[h] = left <= margin*int64(1-h)
}

func (d *debt) move(r *account, due, jump int) {
	n := min(d.due[due], r.jump[jump])
	d.due[due] -= n
	d.taken[due] += n
	r.jump[jump] -= n
}

// inherits reports whether part of the reaper's jump is work of the ended one
// that was not seen. Of bytes nothing is missing where the end was told: what is
// left is the reaper's own.
func (d *debt) inherits(h int) bool { return d.now[h] && (h == cpuHalf || !d.final) }

// weight is never zero, so that those of whom nothing was counted share equally.
func (d *debt) weight(h int) int64 { return half(&d.counted, h) + 1 }

// giveBack undoes what was taken for a process that nobody waited for after all:
// bytes came, but they were the reaper's own, as no CPU time came with them.
func (d *debt) giveBack() {
	r := d.payer[ioHalf]
	if r == nil || half(&d.taken, cpuHalf) > 0 || half(&d.due, cpuHalf) <= slack || r.ever&process.KnowsChildren == 0 {
		return
	}
	back := legacy{readBytes: d.taken[readBytes], writeBytes: d.taken[writeBytes]}
	r.home.inherit(back)
	r.total.inherit(back)
}
