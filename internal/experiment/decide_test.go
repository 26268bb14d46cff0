package experiment

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ratio is an interval around a value.
func ratio(v float64) Interval { return around(v, v*0.9, v*1.1) }

// around is an interval of enough repeats.
func around(v, low, high float64) Interval { return Interval{v, low, high, Coverage(6), 6} }

// arm has a p95 so many times the baseline's, beside a plain backup with 10
// times.
func arm(id string, class Class, yields bool, over float64) Arm {
	return Arm{
		ID: id, Class: class, Yields: yields, Blocks: 3, SlowdownBy: "bytes", Slowdown: ratio(2),
		OverBaseline: Effects{P95: ratio(over)}, OverPlain: Effects{P95: ratio(over / 10)},
	}
}

// world is an experiment with remedies; the host tells the signals.
func world(baseline, plain Signals, remedies ...Arm) []Arm {
	b, p := arm(Baseline, "", false, 1), arm(Without, "", false, 10)
	b.Signals, p.Signals = baseline, plain
	return append([]Arm{b, p}, remedies...)
}

var (
	niceHelps, niceFails       = arm("nice", CPU, true, 1.2), arm("nice", CPU, true, 9)
	ioniceHelps, ioniceFails   = arm("ionice", Disk, true, 1.2), arm("ionice", Disk, true, 9)
	ioHelps, ioFails           = arm("io_limit_4", Disk, false, 1.2), arm("io_limit_4", Disk, false, 9)
	cpuHelps, cpuFails         = arm("cpu_limit_4", CPU, false, 1.2), arm("cpu_limit_4", CPU, false, 9)
	networkHelps, networkFails = arm("bandwidth_4", Network, false, 1.2), arm("bandwidth_4", Network, false, 9)

	silent     = Signals{}
	calm       = Signals{CPUPressure: new(0.05), IOPressure: new(0.02), DiskBusy: new(0.1), NetworkBPS: new(1e6)}
	cpuShort   = Signals{CPUPressure: new(0.6), IOPressure: new(0.02), DiskBusy: new(0.1), NetworkBPS: new(1e6)}
	diskShort  = Signals{CPUPressure: new(0.06), IOPressure: new(0.7), DiskBusy: new(0.95), NetworkBPS: new(1e6)}
	linkFilled = Signals{CPUPressure: new(0.06), IOPressure: new(0.02), DiskBusy: new(0.15), NetworkBPS: new(6e6)}
	allShort   = Signals{CPUPressure: new(0.6), IOPressure: new(0.7), DiskBusy: new(0.95), NetworkBPS: new(6e6)}
)

// stopped is an arm with which the backup hardly moved.
func stopped(a Arm) Arm {
	a.Slowdown = ratio(1000)
	return a
}

func TestHypothesis(t *testing.T) {
	tests := []struct {
		name string
		arms []Arm
		want Hypothesis
	}{
		{"yielding the CPU helps", world(silent, silent, niceHelps), ByCPU},
		{"yielding the CPU helps, as limits do", world(silent, silent, niceHelps, cpuHelps, ioHelps, networkHelps, ioniceFails), ByCPU},
		{"yielding the disk helps", world(silent, silent, niceFails, ioniceHelps, cpuHelps, ioHelps), ByDisk},
		{"an I/O limit helps and the CPU is no matter", world(silent, silent, niceFails, cpuFails, ioHelps), ByDisk},
		{"a CPU limit helps only as it slows the reading", world(silent, silent, niceFails, cpuHelps, ioHelps), ByDisk},
		{"an I/O limit helps where nothing else can be tried", world(silent, silent, ioHelps), ByDisk},
		{"only the limit of bandwidth helps", world(silent, silent, niceFails, ioFails, networkHelps), ByNetwork},
		{"the limit of bandwidth and that of I/O help, and the link fills", world(calm, linkFilled, niceFails, ioHelps, networkHelps), ByNetwork},
		{"the limit of bandwidth and that of I/O help, and the disk is busy", world(calm, diskShort, niceFails, ioHelps, networkHelps), ByDisk},
		{"both limits help, and the host tells nothing", world(silent, silent, niceFails, ioHelps, networkHelps), Undecided},
		{"both limits help, and the host tells both", world(calm, allShort, niceFails, ioHelps, networkHelps), Undecided},
		{"both limits help, and the host tells neither", world(calm, calm, niceFails, ioHelps, networkHelps), Undecided},
		{"limits alone, and tasks wait for the CPU", world(calm, cpuShort, cpuHelps, ioHelps), ByCPU},
		{"limits alone, and the CPU's fails", world(silent, silent, cpuFails, ioHelps), ByDisk},
		{"a single limit helps, but the host shows otherwise", world(calm, cpuShort, ioHelps), Undecided},
		{"both yieldings help, and the host tells which", world(calm, diskShort, niceHelps, ioniceHelps), ByDisk},
		{"both yieldings help, and the host tells nothing", world(silent, silent, niceHelps, ioniceHelps), Undecided},
		{"yielding the disk is not heeded, and limiting it helps", world(calm, diskShort, niceFails, ioniceFails, cpuHelps, ioHelps, networkFails), ByDisk},
		{"what hardly moves tells nothing", world(silent, silent, stopped(cpuHelps), ioHelps), ByDisk},
		{"all stop the backup", world(silent, silent, stopped(cpuHelps), stopped(ioHelps)), Undecided},
		{"nothing helps", world(calm, diskShort, niceFails, ioFails, cpuFails, networkFails), Undecided},
		{"nothing was tried", world(calm, diskShort), Undecided},
		{"an arm without blocks does not count", world(silent, silent, Arm{ID: "nice", Class: CPU, Yields: true}, ioHelps), ByDisk},
		{"the plain backup is missing", []Arm{arm(Baseline, "", false, 1)}, Undecided},
		{"the baseline is missing", []Arm{arm(Without, "", false, 10)}, Undecided},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide(tt.arms)
			require.Equal(t, tt.want, d.Hypothesis, d.Reasons)
			require.NotEmpty(t, d.Reasons)
			require.NotEmpty(t, d.Why)
			require.NotEmpty(t, d.Hypothesis.Phrase())
		})
	}
}

func TestWhatLimitsTellTogetherIsTold(t *testing.T) {
	tests := []struct {
		name     string
		remedies []Arm
		want     string // empty for nothing
	}{
		{"the disk's alone", []Arm{ioHelps, cpuFails}, "which points to the disk"},
		{"the CPU's alone", []Arm{ioFails, cpuHelps}, "which speaks against the disk"},
		{"both", []Arm{ioHelps, cpuHelps}, "they do not tell the one from the other"},
		{"the disk's, but yielding the CPU helps", []Arm{niceHelps, ioHelps, cpuFails}, "what yields tells more"},
		{"the CPU's, but yielding it does not help", []Arm{niceFails, ioFails, cpuHelps}, "such as memory or locks"},
		{"neither", []Arm{ioFails, cpuFails}, ""},
		{"one was not tried", []Arm{ioHelps}, ""},
	}
	for _, tt := range tests {
		all := strings.Join(Decide(world(silent, silent, tt.remedies...)).Reasons, "\n")
		if tt.want == "" {
			require.NotContains(t, all, "a limit of the", tt.name)
			continue
		}
		require.Contains(t, all, tt.want, tt.name)
	}
}

func TestLabels(t *testing.T) {
	for id, want := range map[string]string{
		Baseline: "no backup", Without: "as it is", "cpu_weight": "least CPU weight", "cpu_limit_4": "1/4 of its CPU time",
		"io_limit_16": "1/16 of its disk rate", "bandwidth_64": "1/64 of its bandwidth", "bandwidth": "limited bandwidth", "prayer": "prayer", "a_4": "a_4",
	} {
		require.Equal(t, want, Label(id))
	}
}

func TestWithoutHarmNothingIsDecided(t *testing.T) {
	tests := []struct {
		name string
		harm Interval
		want Hypothesis
	}{
		{"no harm", around(1.05, 0.9, 1.3), None},
		{"faster", around(0.7, 0.5, 0.9), None},
		{"no harm on the whole, but in a block", around(1.1, 0.9, 4), Undecided},
		{"harm on the whole, but not in a block", around(3, 1.1, 4), Undecided},
		{"harm", around(1.4, 1.2, 2), ByCPU},
	}
	for _, tt := range tests {
		arms := world(silent, silent, arm("nice", CPU, true, 1.01))
		arms[1].OverBaseline.P95 = tt.harm
		d := Decide(arms)
		require.Equal(t, tt.want, d.Hypothesis, tt.name)
		require.Equal(t, tt.want == ByCPU, d.Remedy != "", tt.name)
	}
}

func TestRemedyToTake(t *testing.T) {
	slow := func(id string, over Interval, slowdown float64) Arm {
		return Arm{ID: id, Class: CPU, Yields: true, Blocks: 3, SlowdownBy: "bytes", OverBaseline: Effects{P95: over}, OverPlain: Effects{P95: ratio(0.1)}, Slowdown: ratio(slowdown)}
	}
	once := slow("once", ratio(1), 1)
	once.Blocks, once.OverBaseline.P95 = 1, interval([]float64{1})
	thrice := slow("thrice", interval([]float64{1, 1.1, 1.2}), 1)
	tests := []struct {
		name     string
		remedies []Arm
		want     string
	}{
		{"the least slowdown of those that restore", []Arm{slow("a", ratio(1), 4), slow("b", ratio(1.3), 2), slow("c", ratio(5), 1)}, "b"},
		{"of those alike the lower p95", []Arm{slow("a", ratio(1.3), 2), slow("b", ratio(1.1), 2.05)}, "b"},
		{"of a tie the first", []Arm{slow("a", ratio(1.2), 2), slow("b", ratio(1.2), 2)}, "a"},
		{"the whole interval counts", []Arm{slow("a", around(1.2, 1, 3), 1), slow("b", ratio(1.2), 3)}, "b"},
		{"the median if no whole interval does", []Arm{slow("a", around(1.2, 1, 3), 2), slow("b", around(1.4, 1, 2), 1)}, "b"},
		{"one block, if there is no more", []Arm{once}, "once"},
		{"three repeats before one block", []Arm{once, thrice}, "thrice"},
		{"one that stops the backup is none", []Arm{slow("a", ratio(1), 1000), slow("b", ratio(1.3), 20)}, "b"},
		{"none restores", []Arm{slow("a", ratio(2), 1), slow("b", ratio(3), 1)}, ""},
		{"none was tried", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide(world(silent, silent, tt.remedies...))
			require.Equal(t, tt.want, d.Remedy)
			require.False(t, d.Sure, "it was chosen for its figures")
			if tt.want == "" {
				require.Contains(t, d.Why, "no remedy that was tried brings p95 back to 1.5 times the baseline")
			}
			if tt.name == "none restores" {
				require.True(t, strings.HasSuffix(d.Why, "what comes closest is \"a\", with 2.00 (1.80 to 2.20) times the baseline"), d.Why)
			}
		})
	}
}
