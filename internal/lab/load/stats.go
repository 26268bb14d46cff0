package load

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
	var (
		s    Stats
		took []float64
	)
	for _, v := range planned(visits, from, until) {
		s.Offered++
		if v.took < 0 {
			s.Unfinished++
		}
		if v.failed {
			s.Failed++
		}
		took = append(took, v.milliseconds(now))
	}
	if span := until.Sub(from).Seconds(); span > 0 {
		s.Rate = float64(s.Offered) / span
	}
	slices.Sort(took)
	s.P50, s.P95, s.P99 = quantile(took, 0.5), quantile(took, 0.95), quantile(took, 0.99)
	return s
}

// planned are the visits planned in [from, until).
func planned(visits []visit, from, until time.Time) []visit {
	at := func(t time.Time) int {
		return sort.Search(len(visits), func(i int) bool { return !visits[i].planned.Before(t) })
	}
	first := at(from)
	return visits[first:max(first, at(until))]
}

// milliseconds is how long the visit took, or its age at now if it is not
// finished.
func (v visit) milliseconds(now time.Time) float64 {
	took := v.took
	if took < 0 {
		took = now.Sub(v.planned)
	}
	return float64(took) / float64(time.Millisecond)
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

// symptomOver is the time over which a p95 must be bad to be a symptom.
const symptomOver = 2 * time.Second

// slowFrom finds the first visit planned in [from, until) that took the given
// milliseconds or more, at the head of a time in which the p95 was as bad.
func slowFrom(visits []visit, from, until, now time.Time, bad float64) (at time.Time, ok bool) {
	for _, v := range planned(visits, from, until) {
		if v.milliseconds(now) < bad {
			continue
		}
		if statsOf(visits, v.planned, v.planned.Add(symptomOver), now).P95 >= bad {
			return v.planned, true
		}
	}
	return time.Time{}, false
}
