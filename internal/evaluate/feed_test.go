package evaluate

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
)

const feedMapping = `
protocol: rank
host: h
cores: 2
rank: {before_s: 10, after_s: 10}
victim: {service: s, units: [own], latency: lat, latency_scale: 0.001, requests: '^done$'}
columns:
  - {match: '^(.+)_cpu$', to: use.cpu, name: $1, as: rate, scale: 0.01}
  - {match: '^(.+)_bytes$', to: use.memory, name: $1, as: level}
  - {match: '^host_(a|b)$', to: cpu.busy, as: total}
  - {match: '^sectors$', to: disk.write_bytes, as: counter, scale: 512}
  - {match: '^waiting$', to: locks.waiting, as: level}
`

// feedOf makes a feed of some rows, ten seconds apart.
func feedOf(t *testing.T, columns []string, values ...[]float64) *feed {
	t.Helper()
	m, err := ParseMapping("test", []byte(feedMapping))
	require.NoError(t, err)
	tab := &table{path: "x", columns: columns, values: values}
	for i := range values {
		tab.t = append(tab.t, 1_700_000_000+10*float64(i))
	}
	f, err := newFeed(m, tab, caseLine{Period: 10})
	require.NoError(t, err)
	return f
}

func TestRowsBecomeFacts(t *testing.T) {
	nan := math.NaN()
	f := feedOf(t, []string{"own_cpu", "own_bytes", "job_cpu", "host_a", "host_b", "sectors", "waiting", "lat", "done"},
		[]float64{50, 1e6, nan, 1, 2, 100, 3, 20, 5},
		[]float64{50, 1e6, 200, nan, 2, 108, 4, 0, 0})
	at, over := unixTime(1_700_000_000), 10*time.Second

	amounts := fact.Unknown()
	amounts[fact.CPU], amounts[fact.Memory] = 5, 1e6
	first := f.facts(0, -1, 1_700_000_000)
	require.Len(t, first, 4, "what is missing makes no fact, and a counter needs a row before")
	use, ok := first[0].(fact.Use)
	require.True(t, ok)
	require.Equal(t, fact.Workload{Type: "unit", Name: "own"}, use.Workload)
	require.InDelta(t, 5, use.Amounts[fact.CPU], 1e-9, "half a CPU for ten seconds")
	require.InDelta(t, 1e6, use.Amounts[fact.Memory], 0)
	require.True(t, math.IsNaN(use.Amounts[fact.DiskRead]))
	require.Equal(t, fact.CPUTime{At: at, Over: over, Host: "h", Busy: 3, Cores: 2}, first[1], "columns that mean the same are added up")
	require.Equal(t, fact.Locks{At: at, Over: over, Host: "h", Service: "s", Waiting: 3}, first[2])
	require.Equal(t, fact.Latency{
		At: at, Over: over, Service: "s", Host: "h", Signal: "server", Count: 5, Buckets: []fact.Bucket{{Low: 0.02, High: 0.02, Count: 5}},
	}, first[3])

	second := f.facts(1, 0, 1_700_000_010)
	require.Len(t, second, 6)
	require.Contains(t, second, fact.Disk{At: unixTime(1_700_000_010), Over: over, Host: "h", Device: "disk0", WriteBytes: 8 * 512})
	require.Equal(t, fact.Latency{At: unixTime(1_700_000_010), Over: over, Service: "s", Host: "h", Signal: "server"}, second[5], "no request is a stall")
}

func TestVictimIsIntroduced(t *testing.T) {
	f := feedOf(t, []string{"own_cpu", "job_cpu", "lat", "done"}, []float64{1, 1, 1, 1})
	list := f.introduction(5)
	require.Len(t, list, 2)
	require.Equal(t, fact.Service{At: unixTime(5), Name: "s", Processes: []string{"own"}}, list[0])
	described, ok := list[1].(fact.Described)
	require.True(t, ok)
	require.Equal(t, fact.Workload{Type: "unit", Name: "own"}, described.Workload)
}

func TestATickEachSecond(t *testing.T) {
	f := feedOf(t, []string{"own_cpu", "lat", "done"}, []float64{1, 20, 1}, []float64{1, 20, 1})
	p := player{engine: shippedEngine(t)()}
	require.NoError(t, p.play(f, 0, 1, 0))
	require.InDelta(t, 1_700_000_010, p.now, 0)
	p.tick(1_700_000_013)
	require.InDelta(t, 1_700_000_013, p.now, 0)
	require.ErrorContains(t, p.play(f, 0, 0, 0), "row 0 is not later than the one before it: sort the rows by t")
}
