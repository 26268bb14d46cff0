package sockets

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// connected is a table with n sockets in the hands of two processes.
func connected(b *testing.B, n int) (*Table, []*process.Process) {
	b.Helper()
	server, client := newChild(b), newChild(b)
	address := server.do("listen tcp4 127.0.0.1:0")
	client.do("dial tcp4 %s %d", address, n/2)
	client.do("send %d", n/2)
	for server.number("received") < int64(n/2) { // until all are accepted
	}
	h := newHost(b, Options{Descriptors: 2 * n})
	h.scan()
	procs := []*process.Process{h.by[server.pid], h.by[client.pid]}
	for range 3 {
		for _, p := range procs {
			p.Ran = true
		}
		_, err := h.table.Update(procs)
		require.NoError(b, err)
	}
	require.Equal(b, n, h.table.holders[client.pid].owned+h.table.holders[server.pid].owned-1)
	return h.table, procs
}

// BenchmarkUpdate is an update in the steady state.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{0, 1000, 5000} {
		b.Run(fmt.Sprintf("sockets=%d", n), func(b *testing.B) {
			table, procs := connected(b, max(2, n))
			begin := cpuTime(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.Update(procs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-begin).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}

// cpuTime is what this process used, which other programs of a busy machine
// disturb less than the time on the wall.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkProcesses is an update with many idle processes.
func BenchmarkProcesses(b *testing.B) {
	table, procs := connected(b, 2)
	for i := range 2000 {
		p := *procs[0]
		p.PID = int64(10_000_000 + i)
		procs = append(procs, &p)
	}
	for _, p := range procs {
		p.Ran = false
	}
	_, err := table.Update(procs)
	require.NoError(b, err)
	begin := cpuTime(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Update(procs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Microseconds())/float64(b.N), "cpu-us/op")
}

// BenchmarkDescriptors reads 1000 descriptors of a process.
func BenchmarkDescriptors(b *testing.B) {
	for _, kind := range []string{"sockets", "files"} {
		b.Run(kind, func(b *testing.B) {
			table, procs := connected(b, 2000)
			pid := procs[1].PID
			if kind == "files" {
				pid = int64(os.Getpid())
				for range 1000 {
					f, err := os.Open("/dev/null")
					require.NoError(b, err)
					defer f.Close()
				}
			}
			v := &holdersCount{}
			b.ReportAllocs()
			for b.Loop() {
				if err := table.reader.all(pid, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type holdersCount struct{ n int }

func (c *holdersCount) holds(uint32, uint64) { c.n++ }

// BenchmarkOpening reads the descriptors of a process that has hardly any.
func BenchmarkOpening(b *testing.B) {
	c := newChild(b)
	h := newHost(b, Options{})
	v := &holdersCount{}
	b.ReportAllocs()
	for b.Loop() {
		if err := h.table.reader.all(c.pid, v); err != nil {
			b.Fatal(err)
		}
	}
}
