package evaluate

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScores(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name         string
		c            compared
		nsigma, baro float64
	}{
		// Mean 3, deviation sqrt(2); median 3, quartiles 2 and 4.
		{"a rise", compared{before: []float64{1, 2, 3, 4, 5}, after: []float64{3, 9, 4}}, 6 / math.Sqrt2, 3},
		{"a fall is no rise", compared{before: []float64{1, 2, 3, 4, 5}, after: []float64{-90, 3}}, 0, 0},
		{"what is missing counts nowhere", compared{before: []float64{1, 2, nan, 3, 4, 5}, after: []float64{nan, 9}}, 6 / math.Sqrt2, 3},
		{"a constant has a scale of one", compared{before: []float64{7, 7, 7}, after: []float64{9}}, 2, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.InDelta(t, tt.nsigma, nSigma(tt.c), 1e-12)
			require.InDelta(t, tt.baro, robustScore(tt.c), 1e-12)
		})
	}
	nothing := compared{before: []float64{nan}, after: []float64{nan}}
	require.True(t, math.IsNaN(nSigma(nothing)) && math.IsNaN(robustScore(nothing)))
}

func TestCorrelations(t *testing.T) {
	require.InDelta(t, 1.0, pearson([]float64{1, 2, 3}, []float64{10, 20, 30}), 1e-12)
	require.InDelta(t, -1.0, pearson([]float64{1, 2, math.NaN(), 3}, []float64{3, 2, 50, 1}), 1e-12)
	require.InDelta(t, 0.5, pearson([]float64{1, 2, 3}, []float64{1, 3, 2}), 1e-12)
	require.True(t, math.IsNaN(pearson([]float64{1, 1}, []float64{1, 2})), "what does not vary goes with nothing")

	// Bad is over 1 + 2 x 0; use is 1, 1, 5, 5 and bad is 0, 0, 1, 1.
	latency := compared{before: []float64{1, 1}, after: []float64{2, 9}}
	require.InDelta(t, 1.0, badLatencyCorrelation(compared{before: []float64{1, 1}, after: []float64{5, 5}}, latency), 1e-12)
}

func TestOwnersRankByTheirBestColumn(t *testing.T) {
	data := comparison{columns: []compared{
		{owner: "a", before: []float64{1, 2, 3}, after: []float64{2}},
		{owner: "b", before: []float64{1, 2, 3}, after: []float64{9}},
		{owner: "a", before: []float64{1, 2, 3}, after: []float64{30}},
		{owner: "c", before: []float64{math.NaN()}, after: []float64{math.NaN()}},
	}}
	require.Equal(t, []string{"a", "b"}, data.rank(func(c, _ compared) float64 { return robustScore(c) }))
}

func TestStatistics(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	require.InDelta(t, 2.5, mean.of(values), 1e-12)
	require.InDelta(t, 10, sum.of(values), 1e-12)
	require.InDelta(t, 4, count.of(values), 1e-12)
	require.InDelta(t, 2.5, median.of(values), 1e-12)
	require.InDelta(t, 3.7, p90.of(values), 1e-12)
	require.Equal(t, []float64{4, 1, 3, 2}, values, "nobody's values are sorted in place")
}

func TestIntervals(t *testing.T) {
	low, high := interval([]float64{1, 1, 1, 1}, mean, 500)
	require.InDelta(t, 1.0, low, 0)
	require.InDelta(t, 1.0, high, 0)

	// 100 cases, half of them right: the deviation of the mean is 0.05.
	half := make([]float64, 100)
	for i := range 50 {
		half[i] = 1
	}
	low, high = interval(half, mean, 4000)
	require.InDelta(t, 0.5-1.96*0.05, low, 0.015)
	require.InDelta(t, 0.5+1.96*0.05, high, 0.015)
	low, high = interval(half, sum, 4000)
	require.InDelta(t, 40, low, 1.5)
	require.InDelta(t, 60, high, 1.5)

	again, top := interval(half, mean, 4000)
	same, alike := interval(half, mean, 4000)
	require.InDelta(t, again, same, 0)
	require.InDelta(t, top, alike, 0)

	none, _ := interval(nil, mean, 10)
	require.True(t, math.IsNaN(none))
}

func TestCausesMayBeSeveral(t *testing.T) {
	m, err := mappingOf("dbsherlock", nil)
	require.NoError(t, err)
	for cause, want := range map[string][]string{
		"DB Backup":                             {"network", "disk"},
		"CPU Saturation + I/O Saturation":       {"cpu", "disk"},
		"Workload Spike, Lock Contention":       {"workload", "lock"},
		"IO saturation, and Flush Log/Table":    {"disk", "disk"},
		"Poorly Written Query":                  nil,
		"Poor Physical Design + Workload Spike": {"workload"},
		"Workload Spike + Cosmic Rays":          {"workload"},
	} {
		got, failure := m.answers(cause)
		require.NoError(t, failure, cause)
		require.Equal(t, want, got, cause)
	}
	_, err = m.answers("Cosmic Rays")
	require.ErrorContains(t, err, `cause "Cosmic Rays": add it to detect.causes`)
}

func TestShippedMappingsKnowTheirColumns(t *testing.T) {
	for name, columns := range map[string][]string{
		"acmeair":      {"acme_web_cpu", "web_host_cpu", "total_time", "request_rate"},
		"dbsherlock":   {"AvgCpuUser", "dbmsCommittedCommands", "osNetworkSendKB"},
		"nezha":        {"ts-a-0|CpuUsage(m)", "ts-a-0|MemoryUsage(Mi)", "SLI|LatencyP95(s)"},
		"rcd-sockshop": {"carts_cpu", "user_mem", "carts_lat_90"},
	} {
		m, err := mappingOf(t.TempDir(), columns)
		require.NoError(t, err)
		require.Equal(t, name, m.name)
	}
}

func TestColumnsOfTwoMachines(t *testing.T) {
	m, err := mappingOf("acmeair", nil)
	require.NoError(t, err)
	owners := func(columns ...string) (own, others []string) {
		tab := &table{path: "x", columns: append(columns, "total_time", "request_rate"), t: []float64{2e9}, values: [][]float64{make([]float64, len(columns)+2)}}
		f, err := newFeed(m, tab, caseLine{})
		require.NoError(t, err)
		for _, in := range f.inputs {
			if in.own {
				own = append(own, tab.columns[in.column])
			} else {
				others = append(others, tab.columns[in.column])
			}
		}
		return own, others
	}
	own, others := owners("acme_web_cpu", "acme_db_cpu", "host_cpu")
	require.Equal(t, []string{"acme_web_cpu", "acme_db_cpu"}, own)
	require.Equal(t, []string{"host_cpu"}, others)
	own, others = owners("acme_web_cpu", "acme_db_cpu", "web_host_cpu", "db_host_cpu")
	require.Equal(t, []string{"acme_web_cpu"}, own)
	require.Equal(t, []string{"web_host_cpu"}, others)
}
