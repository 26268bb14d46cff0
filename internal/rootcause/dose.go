package rootcause

import (
	"fmt"
	"math"
)

const (
	doseSteps  = 12 // readings that must be seen until an order among them means anything
	doseLag    = 10 // seconds by which latency may follow
	doseChance = 0.05
	steady     = 0.2 // coefficient of variation under which a use has no ups and downs to follow
)

// dose tells whether the latency follows the ups and downs of a use after the
// onset. That it rose with it is not asked here, for that is what made it a
// candidate. Latency is taken less what the request rate explains; how likely
// such an agreement is by chance is found by turning one of the two round.
func (sc *scene) dose(at func(int64) float64) (Evidence, bool) {
	step := max(1, int64(math.Ceil(sc.interval)))
	var use, excess []float64
	for second := sc.since(); second+step-1 <= sc.to; second += step {
		var u, x float64
		for s := second; s < second+step; s++ {
			u += at(s)
			x += sc.ep.signal.excess.at(s)
		}
		use, excess = append(use, u/float64(step)), append(excess, x/float64(step))
	}
	varies := variation(use)
	if len(use) < doseSteps || varies < steady {
		return Evidence{}, false
	}
	use, excess = ranks(use), ranks(excess)
	lag, rho := 0, 0.0
	for l := 0; int64(l)*step <= doseLag && len(use)-l >= doseSteps; l++ {
		if r := correlation(use[:len(use)-l], excess[l:]); r > rho {
			lag, rho = l, r
		}
	}
	chance := turned(use, excess, lag, rho)
	ev := Evidence{Name: "dose_response", Value: rho, Unit: "1"}
	switch {
	case rho > 0.2 && chance <= doseChance:
		ev.Term, ev.Strength = TermDose, rho
		ev.Sentence = fmt.Sprintf("the latency follows its ups and downs: rank correlation %.2f, by chance in %s of cases", rho, percent(chance))
	case rho < 0.1 && len(use) >= 2*doseSteps:
		ev.Term, ev.Strength = TermNoDose, clamp01(varies)
		ev.Sentence = fmt.Sprintf("its use went up and down and the latency did not follow: rank correlation %.2f", rho)
	default:
		return Evidence{}, false
	}
	return ev, true
}

// since is from when ups and downs are looked at: the onset of all, for between
// two bad times of one alarm the latency was down.
func (sc *scene) since() int64 { return min(sc.from, max(sc.ep.onset, sc.to-window/2)) }

// variation is the coefficient of variation of values that are not negative.
func variation(values []float64) float64 {
	var mean, square float64
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		square += (v - mean) * (v - mean) / float64(len(values))
	}
	if !(mean > 0) {
		return 0
	}
	return math.Sqrt(square) / mean
}

// turned is how often two series agree at least as well when one of them is
// turned round by more than the lag: what they have in common by their own slow
// ways.
func turned(use, excess []float64, lag int, rho float64) float64 {
	n := len(use) - lag
	tried, as := 1, 1
	other := make([]float64, n)
	for by := lag + 2; by <= n-2; by++ {
		for i := range other {
			other[i] = excess[lag+(i+by)%n]
		}
		tried++
		if correlation(use[:n], other) >= rho {
			as++
		}
	}
	return float64(as) / float64(tried)
}

// paused compares the latency while a use paused with while it went on, after
// the onset.
func (sc *scene) paused(at func(int64) float64, s shift) (Evidence, bool) {
	peak := s.before
	for second := sc.since(); second <= sc.to; second++ {
		peak = max(peak, at(second))
	}
	low, high := s.before+(peak-s.before)/5, s.before+(peak-s.before)*3/5
	var during, without mean
	quiet := int64(0) // seconds of the present pause
	for second := sc.since(); second <= sc.to; second++ {
		excess := sc.ep.signal.excess.at(second)
		switch u := at(second); {
		case u > low:
			quiet = 0
			if u >= high {
				during.add(excess)
			}
		case quiet < settles+sc.slack:
			quiet++ // queues empty
		default:
			quiet++
			without.add(excess)
		}
	}
	if during.n < pauseSeconds || without.n < pauseSeconds || !(during.value() > 0) {
		return Evidence{}, false
	}
	left := clamp01(without.value() / during.value())
	ev := Evidence{Name: "recovery", Value: 1 - left, Unit: "1"}
	switch {
	case left <= 0.5:
		ev.Term, ev.Strength = TermRecovery, 1-left
		ev.Sentence = fmt.Sprintf("while it paused, %.0f s in all, %s of the slowness went away", without.n, percent(1-left))
	case left >= 0.8:
		ev.Term, ev.Strength = TermNoRecovery, left
		ev.Sentence = fmt.Sprintf("while it paused, %.0f s in all, the latency stayed", without.n)
	default:
		return Evidence{}, false
	}
	return ev, true
}

const (
	settles      = 3 // seconds until a pause can be felt
	pauseSeconds = 5 // seconds of either kind to compare
)

// mean is a running mean.
type mean struct{ sum, n float64 }

func (m *mean) add(x float64) { m.sum, m.n = m.sum+x, m.n+1 }

func (m *mean) value() float64 { return m.sum / max(m.n, 1) }

// ended tells whether a use ended when the latency recovered; it is asked once
// that is over.
func (sc *scene) ended(at func(int64) float64, s shift, heard int64) (Evidence, bool) {
	if !sc.over || heard < sc.to+pauseSeconds {
		return Evidence{}, false
	}
	level := s.before + (s.after-s.before)/2
	if at(sc.to+pauseSeconds) >= level {
		return Evidence{
			Name: "outlasted", Value: float64(heard - sc.to), Unit: "s", Term: TermNoRecovery, Strength: 0.5,
			Sentence: "it went on as before when the latency had recovered",
		}, true
	}
	last := sc.to + pauseSeconds
	for last > sc.from && at(last) < level {
		last--
	}
	early := sc.to - last
	if early > doseLag+sc.slack {
		return Evidence{}, false // paused has its say
	}
	return Evidence{
		Name: "ended_together", Value: float64(early), Unit: "s", Term: TermRecovery,
		// Where readings are far apart, much ends at the same time.
		Strength: closeness(max(0, early-sc.slack)) * min(1, doseLag/float64(sc.slack)),
		Sentence: "the latency recovered when it ended",
	}, true
}
