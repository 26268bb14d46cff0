package procscan

import (
	"fmt"

	"os/exec"
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

// spinners starts processes that use the CPU now and then: they run in every
// scan.
func spinners(tb testing.TB, n int) {
	tb.Helper()
	for range n {
		cmd := exec.CommandContext(tb.Context(), "sh", "-c", "while :; do read -t 0.01 x; done", "x")
		cmd.Path, cmd.Args = "/bin/bash", []string{"bash", "-c", "while :; do read -t 0.005 x <> <(:); done"}
		require.NoError(tb, cmd.Start())
		tb.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, n := range []int{500, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sleepers(b, n)
			for _, o := range []Options{{}, {Switches: true, CommandLine: true}} {
				b.Run(fmt.Sprintf("switches=%t", o.Switches), func(b *testing.B) { benchmark(b, o) })
			}
		})
	}
}

func benchmark(b *testing.B, o Options) {
	b.Helper()
	o.Root = "/proc"
	s, err := Open(o)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	processes := len(scan(b, s).Processes)
	for range describeEvery {
		scan(b, s)
	}
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if _, err := s.Scan(); err != nil {
			b.Fatal(err)
		}
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
