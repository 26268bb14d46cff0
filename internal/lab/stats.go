package lab

import (
	"math"
	"slices"
	"sort"
	"time"
)

// Stats sums up the requests of a phase.
type Stats struct {
	Offered    int     // planned
	Unfinished int     // of them, without an answer yet
	Failed     int     // of them, with an error
	Rate       float64 // planned per second
	// Milliseconds; an unfinished request counts with its age; NaN if none was planned.
	P50, P95, P99 float64
}

// statsOf sums up the visits planned in [from, until), as it stands at now.
func statsOf(visits []visit, from, until, now time.Time) Stats {
	first := sort.Search(len(visits), func(i int) bool { return !visits[i].planned.Before(from) })
	var (
		s    Stats
		took []float64
	)
	for _, v := range visits[first:] {
		if !v.planned.Before(until) {
			break
		}
		s.Offered++
		duration := v.took
		if duration < 0 {
			s.Unfinished++
			duration = now.Sub(v.planned)
		}
		if v.failed {
			s.Failed++
		}
		took = append(took, float64(duration)/float64(time.Millisecond))
	}
	if span := until.Sub(from).Seconds(); span > 0 {
		s.Rate = float64(s.Offered) / span
	}
	slices.Sort(took)
	s.P50, s.P95, s.P99 = quantile(took, 0.5), quantile(took, 0.95), quantile(took, 0.99)
	return s
}

// quantile is the smallest of the sorted values that at least the fraction q of
// them do not exceed; NaN if there are none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
