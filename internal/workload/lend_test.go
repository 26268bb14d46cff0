package workload_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/workload"
)

// While a dump runs, the backend that reads for it is the dump's.
func TestABackendIsLentToItsClient(t *testing.T) {
	const unit = "/system.slice/postgresql.service"
	server := proc(100, 1, 100, "postgres", unit)
	backend := proc(101, 100, 100, "postgres", unit)
	dump := proc(200, 1, 200, "pg_dump", "/")
	for _, p := range []*process.Process{server, backend, dump} {
		p.Known = process.KnowsIO
	}
	b := workload.New(workload.Options{})
	at := start
	post := func(read int64) {
		at = at.Add(time.Second)
		backend.ReadBytes += read
		backend.Ran = true
		b.Post(process.Snapshot{Processes: []*process.Process{server, backend, dump}}, at)
	}
	read := func(pid int64) int64 { return b.Of(pid).Totals.ReadBytes }
	post(0)
	post(10)
	require.EqualValues(t, 10, read(100))

	b.Lend(map[int64]int64{101: 200})
	require.Same(t, b.Of(200), b.Of(101))
	post(70)
	require.EqualValues(t, 10, read(100), "what it did for the dump is not the server's")
	require.EqualValues(t, 70, read(200))
	require.Equal(t, 2, b.Of(200).Processes)
	backend.Described++
	post(7)
	require.EqualValues(t, 77, read(200), "whatever else changes")

	b.Lend(nil)
	post(3)
	require.EqualValues(t, 13, read(100))
	require.EqualValues(t, 77, read(200))
	require.Equal(t, 2, b.Of(100).Processes)
}

// Relations of processes that are gone, or to oneself, do nothing.
func TestLendingToNobodyDoesNothing(t *testing.T) {
	server := proc(100, 1, 100, "postgres", "/")
	b := workload.New(workload.Options{})
	b.Post(process.Snapshot{Processes: []*process.Process{server}}, start)
	home := b.Of(100)
	for _, lent := range []map[int64]int64{{100: 999}, {999: 100}, {100: 100}} {
		b.Lend(lent)
		b.Post(process.Snapshot{Processes: []*process.Process{server}}, start.Add(time.Second))
		require.Same(t, home, b.Of(100))
		require.Equal(t, 1, home.Processes)
	}
}

// Bytes of workloads that ended stay in the sum.
func TestPassedNeverGoesBack(t *testing.T) {
	server, client := proc(100, 1, 100, "nginx", "/"), proc(200, 1, 200, "curl", "/")
	for _, p := range []*process.Process{server, client} {
		p.Known, p.Ran = process.KnowsTCP|process.KnowsUDP, true
	}
	b := workload.New(workload.Options{})
	b.Post(process.Snapshot{Processes: []*process.Process{server, client}}, start)
	client.Network.TCP = process.Traffic{Received: 5, Transmitted: 7}
	server.Network.UDP = process.Traffic{Received: 1, Transmitted: 2}
	b.Post(process.Snapshot{Processes: []*process.Process{server, client}}, start.Add(time.Second))
	require.Equal(t, process.Traffic{Received: 6, Transmitted: 9}, b.Passed())
	for i := range 10 {
		b.Post(process.Snapshot{Processes: []*process.Process{server}}, start.Add(time.Duration(2+i)*time.Second))
		require.Equal(t, process.Traffic{Received: 6, Transmitted: 9}, b.Passed())
	}
	require.Len(t, b.Workloads(), 1)
}
