package experiment

import (
	"math"
	"slices"
)

// Effects are the ratios of one arm to another, for each quantile.
type Effects struct {
	P50 Interval `json:"p50"`
	P95 Interval `json:"p95"`
	P99 Interval `json:"p99"`
}

// Recipe is what a person types in a shell.
type Recipe struct {
	Command string `json:"command,omitempty"` // to run the backup so
	Undo    string `json:"undo,omitempty"`    // to undo what stays after it; empty if nothing does
}

// Arm is one arm over all of its blocks.
type Arm struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Class  Class  `json:"class,omitempty"`
	Yields bool   `json:"yields,omitempty"`
	Recipe
	Blocks int `json:"blocks"`
	Quantiles
	OverBaseline Effects `json:"over_baseline"`
	OverPlain    Effects `json:"over_plain"`
	// Slowdown of the backup: how many times as long as the plain one it takes.
	Slowdown   Interval `json:"slowdown"`
	SlowdownBy string   `json:"slowdown_by,omitempty"` // what it was judged by: duration, bytes or CPU time
	Signals    Signals  `json:"signals"`
}

// Estimate sums up an arm's blocks beside those of the baseline and of the plain
// backup.
func Estimate(id string, blocks []Block) Arm {
	own := of(blocks, id)
	a := Arm{ID: id, Blocks: len(own), Signals: medianSignals(own)}
	p50, p95, p99 := func(b Block) float64 { return b.P50 }, func(b Block) float64 { return b.P95 }, func(b Block) float64 { return b.P99 }
	a.Quantiles = Quantiles{P50: median(own, p50), P95: median(own, p95), P99: median(own, p99)}
	for _, over := range []struct {
		arm  string
		into *Effects
	}{{Baseline, &a.OverBaseline}, {Without, &a.OverPlain}} {
		others := of(blocks, over.arm)
		over.into.P50 = interval(ratios(own, others, p50))
		over.into.P95 = interval(ratios(own, others, p95))
		over.into.P99 = interval(ratios(own, others, p99))
	}
	if id != Baseline {
		var pace func(Block) float64
		pace, a.SlowdownBy = paceOf(append(of(blocks, Without), own...))
		a.Slowdown = interval(ratios(own, of(blocks, Without), pace))
	}
	return a
}

// of are the blocks of an arm, by repeat.
func of(blocks []Block, arm string) []Block {
	var list []Block
	for _, b := range blocks {
		if b.Arm == arm {
			list = append(list, b)
		}
	}
	return list
}

// paceOf says by what to judge how slow the backup is: a figure for a block that
// is larger for a slower backup. If it always ended, that is how long it took;
// else how long it takes for a byte, or for a second of CPU time if it hardly
// reads or writes.
func paceOf(blocks []Block) (pace func(Block) float64, by string) {
	const much = 64 << 10 // bytes per second
	ended, moves := true, true
	for _, b := range blocks {
		ended = ended && b.Backup.Ended
		if b.Arm == Without {
			moves = moves && b.Backup.Bytes > much*b.Backup.Seconds
		}
	}
	switch {
	case ended:
		return func(b Block) float64 { return b.Backup.Seconds }, "duration"
	case moves:
		return func(b Block) float64 { return b.Backup.Seconds / b.Backup.Bytes }, "bytes"
	default:
		return func(b Block) float64 { return b.Backup.Seconds / b.Backup.CPU }, "CPU time"
	}
}

// ratios of one arm's figures to another's in the same repeat.
func ratios(own, others []Block, figure func(Block) float64) []float64 {
	var list []float64
	for _, a := range own {
		for _, b := range others {
			if r := figure(a) / figure(b); a.Repeat == b.Repeat && !math.IsNaN(r) {
				list = append(list, min(r, most))
			}
		}
	}
	return list
}

// most is the largest ratio that is told: JSON knows no infinity.
const most = 1e6

func median(blocks []Block, figure func(Block) float64) float64 {
	values := make([]float64, 0, len(blocks))
	for _, b := range blocks {
		values = append(values, figure(b))
	}
	return middle(values)
}

// middle is the median; it sorts the values. It is zero if there are none.
func middle(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func medianSignals(blocks []Block) Signals {
	pick := func(signal func(Signals) *float64) *float64 {
		var values []float64
		for _, b := range blocks {
			if v := signal(b.Signals); v != nil {
				values = append(values, *v)
			}
		}
		if len(values) == 0 {
			return nil
		}
		v := middle(values)
		return &v
	}
	return Signals{
		CPUPressure: pick(func(s Signals) *float64 { return s.CPUPressure }),
		IOPressure:  pick(func(s Signals) *float64 { return s.IOPressure }),
		DiskBusy:    pick(func(s Signals) *float64 { return s.DiskBusy }),
		NetworkBPS:  pick(func(s Signals) *float64 { return s.NetworkBPS }),
	}
}
