package rootcause

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
)

// What is fast here is compared with what is obvious.

// obviousShift is newShift as its formula says: sorted copies, one pass for each
// number.
func obviousShift(before []float64, after, unit float64) shift {
	if len(before) == 0 {
		return shift{after: after, z: after / unit}
	}
	median := obviousQuantile(before, 0.5)
	var mean, variance float64
	deviations := make([]float64, len(before))
	for i, v := range before {
		mean += v / float64(len(before))
		deviations[i] = math.Abs(v - median)
	}
	for _, v := range before {
		variance += (v - mean) * (v - mean) / float64(len(before))
	}
	scale := unit
	for _, s := range []float64{
		1.4826 * obviousQuantile(deviations, 0.5),
		(obviousQuantile(before, 0.75) - obviousQuantile(before, 0.25)) / 1.349,
		0.1 * math.Sqrt(variance), 0.05 * math.Abs(median),
	} {
		scale = max(scale, s)
	}
	return shift{before: median, after: after, z: (after - median) / scale}
}

func obviousQuantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below, above := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
	return below + (above-below)*(at-math.Floor(at))
}

// draw makes values of the kinds that machines make: mostly nothing, few levels,
// noise, rare peaks.
func draw(rng *rand.Rand, n int) []float64 {
	values := make([]float64, n)
	kind, scale := rng.IntN(5), math.Exp(20*rng.Float64()-5)
	for i := range values {
		switch kind {
		case 0:
			values[i] = scale * rng.NormFloat64()
		case 1:
			values[i] = scale * float64(rng.IntN(3))
		case 2:
			values[i] = 0
		case 3:
			values[i] = scale * math.Exp(4*rng.NormFloat64())
		default:
			if rng.IntN(20) == 0 {
				values[i] = scale * rng.ExpFloat64()
			}
		}
	}
	return values
}

func requireSameShift(t *testing.T, before []float64, after, unit float64) {
	t.Helper()
	given := slices.Clone(before)
	got, want := newShift(before, after, unit), obviousShift(before, after, unit)
	require.Equal(t, given, before, "what is compared is not changed")
	require.InDelta(t, want.before, got.before, 0, "%v", before)
	require.InDelta(t, want.after, got.after, 0)
	require.InDelta(t, want.z, got.z, 1e-6*max(1, math.Abs(want.z)), "%v", before)
}

func TestShiftIsTheObviousOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for range 3000 {
		before := draw(rng, rng.IntN(320))
		after := 0.0
		if len(before) > 0 {
			after = before[0] * (1 + 5*rng.Float64())
		}
		requireSameShift(t, before, after, math.Exp(10*rng.Float64()-5))
	}
	requireSameShift(t, draw(rng, 2*window), 1, 1) // longer than what is usual
}

func FuzzShift(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 7}, 4.0)
	f.Add([]byte{0, 0, 0, 0}, 1.0)
	f.Add([]byte{}, 0.0)
	f.Fuzz(func(t *testing.T, raw []byte, after float64) {
		if math.IsNaN(after) || math.Abs(after) > absurd || len(raw) > 2*window {
			return
		}
		before := make([]float64, len(raw))
		for i, b := range raw {
			before[i] = float64(int8(b)) * math.Pow(10, float64(i%7)-3)
		}
		requireSameShift(t, before, after, 0.02)
	})
}

func TestNthIsThatOfTheSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for range 3000 {
		values := draw(rng, 1+rng.IntN(100))
		keys := make([]uint64, len(values))
		for i, v := range values {
			keys[i] = keyOfFloat(v)
			require.Equal(t, math.Float64bits(v), math.Float64bits(floatOfKey(keys[i])))
		}
		k := rng.IntN(len(keys))
		got := nth(keys, k)
		slices.Sort(values)
		require.InDelta(t, values[k], floatOfKey(got), 0)
		for i, key := range keys {
			require.True(t, i >= k || key <= got, "before")
			require.True(t, i <= k || key >= got, "after")
		}
	}
	top := []uint64{math.MaxUint64, 5, math.MaxUint64}
	require.Equal(t, uint64(math.MaxUint64), nth(top, 2))
}

// The map holds what the series should: amounts by second.
func TestSeriesIsAMapOfSeconds(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	for range 60 {
		var s series
		obvious, head := map[int64]float64{}, int64(0)
		now := 1_790_000_000 + rng.Float64()
		for range 300 {
			switch rng.IntN(20) {
			case 0:
				now += 800 * rng.Float64() // silence
			default:
				now += 3 * rng.Float64()
			}
			end, over, amount := now-30*rng.Float64()*float64(rng.IntN(2)), 70*rng.Float64(), 1000*rng.ExpFloat64()
			s.spread(end, over, amount)
			for second := int64(end-over) - 1; float64(second) < end; second++ {
				overlap := max(0, min(end, float64(second+1))-max(end-over, float64(second)))
				obvious[second] += amount * overlap / over
			}
			head = max(head, int64(math.Ceil(end))-1)
		}
		for second := head - 2*window; second <= head+10; second++ {
			want := obvious[second]
			if second <= head-window {
				want = 0
			}
			require.InDelta(t, want, s.at(second), 1e-5*want+1e-3)
		}
	}
}

func TestSeriesHoldsLevels(t *testing.T) {
	rng := rand.New(rand.NewPCG(27, 28))
	var s series
	obvious := map[int64]float64{}
	second := int64(5000)
	for range 4000 {
		second += int64(rng.IntN(4)) - 1
		value := float64(rng.IntN(1000))
		if second > s.head-window {
			obvious[second] = value
		}
		s.hold(second, value)
		probe := s.head - int64(rng.IntN(window))
		require.InDelta(t, obvious[probe], s.at(probe), 0)
	}
}

func TestSoftmaxIsTheObviousOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(29, 30))
	for range 1000 {
		scores := make([]float64, 1+rng.IntN(20))
		var sum float64
		for i := range scores {
			scores[i] = 20 * rng.NormFloat64()
			sum += math.Exp(scores[i])
		}
		var all float64
		for i, p := range softmax(scores) {
			require.InDelta(t, math.Exp(scores[i])/sum, p, 1e-12)
			all += p
		}
		require.InDelta(t, 1, all, 1e-12)
	}
}

func TestWhatDidNotRiseIsToldWithoutQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	roses := 0
	for range 20000 {
		before := draw(rng, rng.IntN(320))
		after := 0.0
		if len(before) > 0 {
			after = before[rng.IntN(len(before))] * (1 + rng.Float64())
		}
		unit, least := math.Exp(10*rng.Float64()-5), 6*rng.Float64()
		want := newShift(before, after, unit)
		got, ok := rose(before, after, unit, least)
		require.Equal(t, want.z >= least, ok, "%v", before)
		if ok {
			require.Equal(t, want, got)
			roses++
		}
	}
	require.Greater(t, roses, 1000)
}

// A use is read as a whole, and second by second the obvious way.
func TestAUseIsThatOfEachSecond(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	for range 200 {
		h := newHost("web1")
		var w, other workload
		w.host, other.host = h, h
		head := 5000 + int64(rng.IntN(2000))
		for _, one := range []*workload{&w, &other} {
			for r := range one.used {
				for second := head - int64(rng.IntN(window)); rng.IntN(9) > 0 && second <= head; second++ {
					one.series(fact.Resource(r)).hold(second, 1000*rng.Float64())
				}
			}
		}
		from := head - 500 + int64(rng.IntN(900))
		if rng.IntN(2) > 0 {
			h.lent = []lent{{server: &w, client: &other, from: from, seen: from + int64(rng.IntN(90))}}
		}
		onset := head - int64(rng.IntN(window)) + 20
		sc := &scene{ep: &episode{onset: onset - int64(rng.IntN(400))}, onset: onset, from: onset, to: onset + int64(rng.IntN(80)) - 10, usualOf: map[lentUse]float64{}}
		for second := onset - 300; second < onset; second += 1 + int64(rng.IntN(2)) {
			sc.usual = append(sc.usual, second)
		}
		u := testEngine(t, DefaultParams()).newUse(sc)
		for r := SharedCPU; r < SharedLock; r++ {
			obvious := func(second int64) float64 {
				use := w.usedOf(r, second)
				for i, l := range h.lent {
					if second >= l.from && second <= l.seen+h.lentFor() {
						use = max(0, use-max(0, use-sc.usually(h, i, r)))
					}
				}
				return use
			}
			sc.used(u, &w, r)
			for second := min(onset, sc.since()); second <= sc.to+pauseSeconds; second++ { // an alarm may have had a bad time before
				require.Equal(t, obvious(second), u.at(second)) //nolint:testifylint // the same to the last bit
			}
			for i, second := range sc.usual {
				require.Equal(t, obvious(second), u.before[i]) //nolint:testifylint // the same to the last bit
			}
			require.Equal(t, sc.mean(obvious), u.after) //nolint:testifylint // the same to the last bit
		}
	}
}
