package latency_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/latency"
	"github.com/otel-culprit/culprit/internal/params"
)

func bucket(low, high, count float64) fact.Bucket {
	return fact.Bucket{Low: low, High: high, Count: count}
}

func TestQuantile(t *testing.T) {
	tests := []struct {
		name    string
		buckets []fact.Bucket
		q, want float64
	}{
		{"nothing", nil, 0.5, math.NaN()},
		{"one value", []fact.Bucket{{Low: 3, High: 3, Count: 1}}, 0.95, 3},
		{"inside a bucket", []fact.Bucket{{Low: 0, High: 1, Count: 10}}, 0.5, 0.5},
		{"two facts with the same bounds", []fact.Bucket{bucket(0, 1, 5), bucket(1, 2, 5), bucket(0, 1, 5), bucket(1, 2, 5)}, 0.75, 1.5},
		{"the end", []fact.Bucket{bucket(0, 1, 1), bucket(1, 2, 1)}, 1, 2},
		{"counts that are none", []fact.Bucket{bucket(0, 1, math.NaN()), bucket(1, 2, -1), bucket(2, 3, 2)}, 0.5, 2.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := latency.Quantile(tt.buckets, tt.q)
			if math.IsNaN(tt.want) {
				require.True(t, math.IsNaN(got))
				return
			}
			require.InDelta(t, tt.want, got, 1e-9)
		})
	}
}

// The quantile of single values is that of the sorted list.
func TestQuantileOfValuesIsTheSortedOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		n := 1 + rng.IntN(200)
		values, buckets := make([]float64, n), make([]fact.Bucket, n)
		for i := range values {
			v := rng.ExpFloat64()
			values[i], buckets[i] = v, fact.Bucket{Low: v, High: v, Count: 1}
		}
		slices.Sort(values)
		q := rng.Float64()
		rank := max(int(math.Ceil(q*float64(n))), 1)
		require.InDelta(t, values[rank-1], latency.Quantile(buckets, q), 1e-12)
	}
}

func TestBaselineKnowsEachRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	b := latency.Baseline{HalfLife: 7 * 24 * 3600}
	require.False(t, b.At(0, 10).Learned)
	for second := range int64(4000) {
		rate, typical := 10.0, 0.010
		if second%2 == 0 {
			rate, typical = 500, 0.100
		}
		b.Learn(1_000_000+second, rate, typical*math.Exp(0.3*rng.NormFloat64()))
	}
	for rate, want := range map[float64]float64{10: 0.010, 500: 0.100} {
		band := b.At(1_004_000, rate)
		require.True(t, band.Learned)
		require.InEpsilon(t, want, math.Exp(band.Median), 0.05)
		require.InEpsilon(t, 0.3, band.Sigma, 0.15)
		require.InDelta(t, 1, band.Beyond, 0)
	}
	require.InDelta(t, 3, b.At(1_004_000, 1500).Beyond, 1e-9)
	require.Greater(t, b.Overall(1_004_000).Sigma, 0.8, "the two rates together are wide")
}

func TestBaselineForgets(t *testing.T) {
	const halfLife = 1000
	b := latency.Baseline{HalfLife: halfLife}
	for second := range int64(1000) {
		b.Learn(second+1, 10, 0.010)
	}
	for second := range int64(1000) {
		b.Learn(100*halfLife+second, 10, 0.100)
	}
	require.InEpsilon(t, 0.100, math.Exp(b.At(100*halfLife+1000, 10).Median), 0.05)
}

func TestBaselineIgnoresWhatIsNoLatency(t *testing.T) {
	b := latency.Baseline{HalfLife: 1000}
	for _, v := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		require.False(t, b.Learn(1, 10, v))
		require.False(t, b.Learn(1, v, v))
	}
	require.Zero(t, b.Overall(1).Weight)
}

func TestDetector(t *testing.T) {
	d := latency.Detector{Clip: 4, Drift: 0.5, Threshold: 10, Hold: 3}
	for second := range int64(100) {
		require.False(t, d.Step(second, 0.4))
	}
	require.False(t, d.Step(100, 1000), "one slow second is no incident, however slow")
	for second := int64(101); second < 120; second++ {
		require.False(t, d.Step(second, 0))
	}
	var alarm int64
	for second := int64(120); alarm == 0; second++ {
		if d.Step(second, 5) {
			alarm = second
		}
	}
	require.Equal(t, int64(124), alarm)
	require.Equal(t, int64(120), d.Onset())
}

// feed adds a second of requests, all of the same latency.
func feed(s *latency.Signal, second int64, n, seconds, oldest float64) {
	f := fact.Latency{At: time.Unix(second, 0), Over: time.Second, Service: "s", Signal: "server", Count: n, Oldest: oldest}
	if n > 0 {
		f.Buckets = []fact.Bucket{{Low: seconds, High: seconds, Count: n}}
	}
	s.Add(f, false)
}

func TestASilentServiceIsNotFast(t *testing.T) {
	for name, oldest := range map[string]float64{"silence": 0, "unfinished requests": 1} {
		t.Run(name, func(t *testing.T) {
			s := latency.NewSignal("server", 0, params.Default().Latency)
			for second := int64(1); second <= 60; second++ {
				feed(s, second, 50, 0.010, 0)
			}
			for second := int64(61); second <= 70; second++ {
				feed(s, second, 0, 0, oldest*float64(second-60))
			}
			v := s.View()
			require.True(t, v.Stalled)
			require.InDelta(t, 10, v.Latency, 0.5)
			require.True(t, v.Alarm)
			require.InDelta(t, 61, v.Onset, 1)
		})
	}
}

func TestASiteThatRefusesIsNotFast(t *testing.T) {
	s := latency.NewSignal("probe", 0, params.Default().Latency)
	for second := int64(1); second <= 60; second++ {
		feed(s, second, 1, 0.010, 0)
	}
	for second := int64(61); second <= 90; second++ {
		s.Add(fact.Latency{
			At: time.Unix(second, 0), Over: time.Second, Count: 1, Errors: 1,
			Buckets: []fact.Bucket{bucket(0.001, 0.001, 1)},
		}, false)
	}
	require.True(t, s.View().Stalled)
	require.True(t, s.View().Alarm)
	require.InEpsilon(t, 0.010, s.View().Baseline, 0.05, "refusals taught it nothing")
}

func TestAFewMillisecondsAreNoIncident(t *testing.T) {
	s := latency.NewSignal("server", 0, params.Default().Latency)
	for second := int64(1); second <= 60; second++ {
		feed(s, second, 50, 0.004, 0)
	}
	for second := int64(61); second <= 90; second++ {
		feed(s, second, 50, 0.010, 0)
	}
	require.False(t, s.View().Alarm)
}

func TestAnEpisodeClosesAfterHalfAMinute(t *testing.T) {
	s := latency.NewSignal("server", 0, params.Default().Latency)
	at := int64(0)
	seconds := func(n int, value float64) {
		for range n {
			at++
			feed(s, at, 50, value, 0)
		}
	}
	seconds(60, 0.010)
	seconds(20, 0.100)
	require.True(t, s.View().Alarm)
	require.True(t, s.View().Bad)
	seconds(15, 0.010)
	require.True(t, s.View().Alarm)
	require.False(t, s.View().Bad)
	seconds(1, 0.100) // a stray second does not prolong it by another half minute
	seconds(14, 0.010)
	require.False(t, s.View().Alarm)
	require.InEpsilon(t, 0.010, s.View().Baseline, 0.05, "the incident taught the baseline nothing")
}

func TestADayOfWorseLatencyIsTheNewUsual(t *testing.T) {
	s := latency.NewSignal("server", 0, params.Default().Latency)
	for second := int64(1); second <= 60; second++ {
		feed(s, second, 50, 0.010, 0)
	}
	for second := int64(61); second <= 61+24*3600+120; second++ {
		feed(s, second, 50, 0.100, 0)
	}
	require.False(t, s.View().Alarm)
	require.InEpsilon(t, 0.100, s.View().Baseline, 0.05)
}

func TestCoarseReadingsMeanTheSame(t *testing.T) {
	s := latency.NewSignal("server", 0, params.Default().Latency)
	at := int64(0)
	minute := func(value float64) {
		at += 60
		s.Add(fact.Latency{
			At: time.Unix(at, 0), Over: time.Minute, Count: 3000,
			Buckets: []fact.Bucket{{Low: value, High: value, Count: 3000}},
		}, false)
	}
	for range 10 {
		minute(0.010)
	}
	minute(0.100)
	require.True(t, s.View().Alarm)
	require.Equal(t, int64(601), s.View().Onset)
}

func TestAnObjectiveIsAnAlarmWithoutABaseline(t *testing.T) {
	s := latency.NewSignal("server", 0.3, params.Default().Latency)
	for second := int64(1); second <= 6; second++ {
		feed(s, second, 50, 0.5, 0)
	}
	require.True(t, s.View().Missed)
	require.True(t, s.View().Alarm)
}

func TestLoadShare(t *testing.T) {
	s := latency.NewSignal("server", 0, params.Default().Latency)
	at := int64(0)
	seconds := func(n int, rate, value float64) {
		for range n {
			at++
			feed(s, at, rate, value, 0)
		}
	}
	seconds(1000, 400, 0.100)
	seconds(1000, 20, 0.010)
	seconds(5, 400, 0.100)
	share, known := s.LoadShare(20)
	require.True(t, known)
	require.InDelta(t, 1, share, 0.05)
	seconds(1, 4000, 0.5)
	_, known = s.LoadShare(20)
	require.False(t, known, "nothing was learned at that rate")
}

// halfLife of the shipped numbers, seconds.
const halfLife = 7 * 24 * 3600

func taught(seconds int64) *latency.Signal {
	s := latency.NewSignal("server", 0, params.Default().Latency)
	for second := int64(1); second <= seconds; second++ {
		feed(s, 1_000_000+second, 50, 0.010, 0)
	}
	return s
}

func TestAStateIsWhatWasLearned(t *testing.T) {
	s := taught(600)
	state := s.State()
	require.NoError(t, state.Validate())
	require.Equal(t, int64(1_000_600), state.Until)
	require.InDelta(t, 50, state.Rate, 1e-9)
	require.Len(t, state.Bins, 1)

	recalled := latency.NewSignal("server", 0, params.Default().Latency)
	require.Empty(t, recalled.State().Bins)
	recalled.Recall(1_000_600, state)
	require.Equal(t, state, recalled.State())
	feed(s, 1_000_601, 50, 0.010, 0)
	feed(recalled, 1_000_601, 50, 0.010, 0)
	require.InEpsilon(t, s.View().Band.Weight, recalled.View().Band.Weight, 1e-4)
	require.InDelta(t, s.View().Band.Median, recalled.View().Band.Median, 0)
	require.InEpsilon(t, s.View().Band.Sigma, recalled.View().Band.Sigma, 1e-4)
}

func TestWhatIsNotTrustedYetIsNoState(t *testing.T) {
	s := taught(100)
	before := s.State()
	for second := int64(1_000_101); second <= 1_000_102; second++ {
		feed(s, second, 50, 0.100, 0)
	}
	require.False(t, s.View().Alarm)
	require.Equal(t, before, s.State())
}

func TestAStateFadesWhileNobodyListens(t *testing.T) {
	state := taught(600).State()
	s := latency.NewSignal("server", 0, params.Default().Latency)
	s.Recall(1_000_600+halfLife, state)
	feed(s, 1_000_600+halfLife, 50, 0.010, 0)
	require.InEpsilon(t, 300, s.View().Band.Weight, 0.01)

	s = latency.NewSignal("server", 0, params.Default().Latency)
	s.Recall(1_000_600+100*halfLife, state)
	feed(s, 1_000_600+100*halfLife, 50, 0.010, 0)
	require.False(t, s.View().Band.Learned, "after so long nothing is known")
}

// What is seen after the clock went back weighs as much as it would have.
func TestSamplesDoNotAgeWhenTheClockGoesBack(t *testing.T) {
	s := latency.NewSignal("server", 0, params.Default().Latency)
	s.Recall(0, taught(600).State())
	for second := range int64(600) {
		feed(s, 1000+second, 50, 0.010, 0)
	}
	require.InEpsilon(t, 1200, s.View().Band.Weight, 0.01)
	require.Equal(t, int64(1599), s.State().Until)
}

func TestAStateIsShort(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	s := latency.NewSignal("server", 0, params.Default().Latency)
	for second := range int64(24 * 3600) {
		feed(s, 1_000_000+second, 50*(2+math.Sin(float64(second)/1e4)), 0.010*math.Exp(0.1*rng.NormFloat64()), 0)
	}
	text, err := json.Marshal(s.State())
	require.NoError(t, err)
	require.Less(t, len(text), 2000)
}
