package procscan

import (
	"fmt"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// sleepers starts processes that do nothing, and waits until they do.
func sleepers(tb testing.TB, n int) {
	tb.Helper()
	for range n {
		cmd := exec.CommandContext(tb.Context(), "sleep", "600")
		require.NoError(tb, cmd.Start())
		tb.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, n := range []int{500, 2000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			sleepers(b, n)
			for _, o := range []Options{{}, {Switches: true, CommandLine: true}} {
				b.Run(fmt.Sprintf("switches=%t", o.Switches), func(b *testing.B) { benchmark(b, openHost(b, o), func() {}) })
			}
		})
	}
}

// Here each process has run each time, as far as the scanner can tell.
func BenchmarkScanBusy(b *testing.B) {
	sleepers(b, 500)
	for name, o := range map[string]Options{
		"kept": {Switches: true}, "opened": {Switches: true, MaxOpen: -1}, "kept,noswitches": {},
	} {
		b.Run(name, func(b *testing.B) {
			s := openHost(b, o)
			benchmark(b, s, func() {
				for _, e := range s.entries {
					e.clock, e.running = -1, -1
				}
			})
		})
	}
}

// BenchmarkScanForeign is without CPU clocks, as for the host of a container.
func BenchmarkScanForeign(b *testing.B) {
	sleepers(b, 2000)
	for name, o := range map[string]Options{"kept": {}, "opened": {MaxOpen: -1}} {
		b.Run(name, func(b *testing.B) {
			s := openHost(b, o)
			s.own, s.clock = false, false
			benchmark(b, s, func() {})
		})
	}
}

// benchmark scans after change.
func benchmark(b *testing.B, s *Scanner, change func()) {
	b.Helper()
	processes := 0
	for range describeEvery {
		processes = len(scan(b, s).Processes)
		change()
	}
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if _, err := s.Scan(); err != nil {
			b.Fatal(err)
		}
		change()
	}
	each := float64(b.N) * float64(processes)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/each, "ns/proc")
	b.ReportMetric((cpu(b)-before)/each, "cpu-ns/proc")
}

// cpu is the ns of CPU of this process.
func cpu(tb testing.TB) float64 {
	tb.Helper()
	var u unix.Rusage
	require.NoError(tb, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano() + u.Stime.Nano())
}
