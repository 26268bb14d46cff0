// Package latency turns what was seen of a service's requests into one number a
// second, learns where that number usually lies, and tells when it left.
package latency

import (
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/fact"
)

// Params are the numbers of a Signal; times are in seconds. Package params has the
// shipped ones.
type Params struct {
	Quantile    float64 // of completed requests, such as 0.95
	MinRequests float64 // pooled over recent facts until a quantile is taken
	MaxPool     int64   // how far back facts are pooled at most
	HalfLife    float64 // of the baseline
	Clip        float64 // see Detector
	Drift       float64
	Threshold   float64
	Hold        int
	MinRatio    float64 // of latency to baseline under which nobody cares
	MinRise     float64 // of latency over baseline, seconds, under which nobody cares
	CloseSigma  float64 // over the median, under which latency is good again
	CloseAfter  int     // seconds over which it must be, on average, to end an episode
	BadSigma    float64 // over the median, above which latency is bad now
	BadOver     int     // seconds over which it must be, on average
	Pause       int64   // seconds that part two bad times of one alarm
	AcceptAfter int64   // seconds of alarm after which worse is the new usual
	Missed      float64 // requests that should have come until silence is a stall
}

// Signal follows one latency signal of one service: its indicator, baseline and
// detector. The indicator is the largest of the quantile of the completed
// requests, the age of the oldest unfinished one, and the time since the last
// completion when the usual rate says there should have been one: a service
// that answers nothing is not fast.
type Signal struct {
	Name string

	p         Params
	objective float64 // seconds; zero for none
	baseline  Baseline
	detector  Detector

	recent   []fact.Latency // of the last MaxPool seconds, oldest first
	pending  []sample       // seen, not yet trusted to be usual
	held     []sample       // seen in the present episode
	cursor   int64          // last second judged
	lastDone float64        // Unix seconds of the last completion
	usual    float64        // usual rate, per second
	learned  float64        // seconds behind it, at most usualMemory

	alarmed bool
	onset   int64
	bout    int64     // start of the present bad time: the onset, until it paused
	badAt   int64     // last bad second
	lately  []float64 // clipped z of the last CloseAfter seconds of the alarm
	now     View
}

type sample struct {
	second        int64
	rate, latency float64
}

// View is the present reading of a signal.
type View struct {
	Second   int64   // Unix seconds of the last judged second; zero for none
	Latency  float64 // seconds; NaN if nothing was seen
	Rate     float64 // requests per second
	Errors   float64 // per second
	Band     Band    // at this rate
	Z        float64 // how far over the band, the worse of with and without the rate
	ZAtRate  float64 // how far over the band at this rate
	Stalled  bool    // the indicator comes from unfinished requests or silence
	Missed   bool    // the objective is missed
	Alarm    bool
	Onset    int64   // Unix seconds; of the alarm
	Bout     int64   // Unix seconds; since when it is bad without a pause
	BadAt    int64   // Unix seconds; when it was bad last
	Bad      bool    // it is bad now
	Coarse   float64 // seconds that one fact covers
	Baseline float64 // seconds; NaN until learned
	Upper    float64 // seconds, end of the usual band; NaN until learned
}

// NewSignal is a signal without a past. An objective of zero means none.
func NewSignal(name string, objective float64, p Params) *Signal {
	return &Signal{
		Name: name, p: p, objective: objective,
		baseline: Baseline{HalfLife: p.HalfLife},
		detector: Detector{Clip: p.Clip, Drift: p.Drift, Threshold: p.Threshold, Hold: p.Hold},
		now:      View{Latency: math.NaN(), Baseline: math.NaN(), Upper: math.NaN()},
	}
}

// View is the present reading.
func (s *Signal) View() View { return s.now }

// Add judges the seconds that a fact covers and that were not judged yet.
// frozen says that an episode of the service is open: nothing is learned then.
func (s *Signal) Add(f fact.Latency, frozen bool) {
	end := f.At.Unix()
	s.keep(f, end)
	if s.lastDone == 0 && s.usual > 0 { // restored: silence counts from when it is listened to
		s.lastDone = unix(f) - f.Over.Seconds()
	}
	if f.Count > f.Errors {
		s.lastDone = max(s.lastDone, unix(f))
	}
	if end <= s.cursor {
		return
	}
	over := max(1, min(int64(math.Ceil(f.Over.Seconds())), maxOver))
	from := max(s.cursor+1, end-over+1)
	s.cursor = end
	reading := s.read(f)
	reading.Coarse = f.Over.Seconds()
	for second := from; second <= end; second++ {
		s.judge(second, reading, frozen)
	}
}

// maxOver bounds the seconds that one fact can stand for.
const maxOver = 3600

func unix(f fact.Latency) float64 { return float64(f.At.UnixMilli()) / 1000 }

func (s *Signal) keep(f fact.Latency, end int64) {
	s.recent = append(s.recent, f)
	drop := 0
	for drop < len(s.recent)-1 && s.recent[drop].At.Unix() <= end-s.p.MaxPool {
		drop++
	}
	drop = max(drop, len(s.recent)-maxRecent)
	if drop > 0 {
		s.recent = append(s.recent[:0], s.recent[drop:]...)
	}
}

// maxRecent bounds the facts that are kept, whatever their times.
const maxRecent = 200

// read makes the indicator from the latest facts.
func (s *Signal) read(f fact.Latency) View {
	var (
		pool                  []fact.Bucket
		count, bad, over, all float64
	)
	for _, r := range slices.Backward(s.recent) {
		if count >= s.p.MinRequests && all >= 1 {
			break
		}
		pool = append(pool, r.Buckets...)
		count += r.Count
		bad += r.Errors
		all += max(r.Over.Seconds(), 0)
		over = all
	}
	// One slow request among few is chance: at least two lie above the quantile.
	v := View{Latency: Quantile(pool, max(0.5, min(s.p.Quantile, 1-2/count)))}
	if over > 0 {
		v.Rate, v.Errors = count/over, bad/over
	}
	if f.Count > 0 && f.Errors >= f.Count {
		v.Latency = math.NaN() // a refusal is fast, and no answer
	}
	waited := f.Oldest
	if f.Count <= f.Errors && s.lastDone > 0 {
		if silent := unix(f) - s.lastDone; silent*s.usual >= s.p.Missed {
			waited = max(waited, silent+s.inFlight(f.At.Unix()))
		}
	}
	if waited > 0 && !(v.Latency >= waited) {
		v.Latency, v.Stalled = waited, true
	}
	return v
}

// inFlight is how old the oldest request was when the last one completed. By
// Little's law rate times latency are under way at any time; if that is more than
// one, the oldest of them has waited about as long as requests usually take.
func (s *Signal) inFlight(second int64) float64 {
	usual := math.Exp(s.baseline.Overall(second).Median)
	if s.usual*usual >= 1 {
		return usual
	}
	return 0
}

func (s *Signal) judge(second int64, v View, frozen bool) {
	v.Second = second
	v.Band = s.baseline.At(second, v.Rate)
	if v.Band.Learned {
		v.Baseline, v.Upper = math.Exp(v.Band.Median), math.Exp(v.Band.Median+3*v.Band.Sigma)
	} else {
		v.Baseline, v.Upper = math.NaN(), math.NaN()
	}
	if v.Band.Learned && v.Latency > 0 {
		ln := math.Log(v.Latency)
		overall := s.baseline.Overall(second)
		v.ZAtRate = (ln - v.Band.Median) / v.Band.Sigma
		v.Z = max(v.ZAtRate, (ln-overall.Median)/overall.Sigma)
	}
	v.Missed = s.objective > 0 && v.Latency > s.objective
	s.detect(second, &v)
	s.learn(second, v, frozen)
	s.now = v
}

func (s *Signal) detect(second int64, v *View) {
	worth := v.Latency >= s.p.MinRatio*v.Baseline && v.Latency-v.Baseline >= s.p.MinRise
	z := v.Z
	if !worth {
		z = min(z, 0)
	}
	if v.Missed {
		z = s.p.Clip
	}
	alarm := s.detector.Step(second, z)
	if !s.alarmed && alarm {
		s.alarmed, s.onset, s.lately = true, s.detector.Onset(), nil
		s.bout, s.badAt = s.onset, second
	}
	if s.alarmed {
		s.lately = append(s.lately, min(max(z, -s.p.Clip), s.p.Clip))
		s.lately = s.lately[max(0, len(s.lately)-s.p.CloseAfter):]
		s.bad(second, v)
		usual := second-s.onset > s.p.AcceptAfter
		if usual {
			s.baseline = Baseline{HalfLife: s.p.HalfLife}
		}
		if usual || s.recovered() {
			s.Reset()
		}
	}
	v.Alarm = s.alarmed
}

// recovered is whether latency has been good for long enough, on average: with
// few requests a second, single seconds stray however well the service is.
func (s *Signal) recovered() bool {
	return len(s.lately) == s.p.CloseAfter && mean(s.lately) <= s.p.CloseSigma
}

// bad tells whether it is bad at a second of the alarm, and since when.
func (s *Signal) bad(second int64, v *View) {
	v.Bad = mean(s.lately[max(0, len(s.lately)-s.p.BadOver):]) > s.p.BadSigma
	if v.Bad {
		if second-s.badAt > s.p.Pause {
			s.bout = second - int64(s.p.BadOver) + 1
		}
		s.badAt = second
	}
	v.Onset, v.Bout, v.BadAt = s.onset, s.bout, s.badAt
}

func mean(list []float64) float64 {
	var sum float64
	for _, x := range list {
		sum += x
	}
	return sum / float64(max(len(list), 1))
}

// learn holds samples back until nothing speaks for a rise any more, so that
// the first seconds of an incident do not become usual.
func (s *Signal) learn(second int64, v View, frozen bool) {
	if s.alarmed || frozen {
		s.held = append(s.held, s.pending...)
		s.pending = s.pending[:0]
		if v.Latency > 0 {
			s.held = append(s.held, sample{second, v.Rate, v.Latency})
		}
		s.held = append(s.held[:0], s.held[max(0, len(s.held)-maxHeld):]...)
		return
	}
	s.held = s.held[:0]
	if v.Latency > 0 {
		s.pending = append(s.pending, sample{second, v.Rate, v.Latency})
	}
	if !s.detector.Calm() && len(s.pending) < maxPending {
		return
	}
	s.adopt(s.pending)
	s.pending = s.pending[:0]
}

func (s *Signal) adopt(samples []sample) {
	for _, p := range samples {
		if s.baseline.Learn(p.second, p.rate, p.latency) {
			s.learned = min(s.learned+1, usualMemory)
			s.usual += (p.rate - s.usual) / s.learned
		}
	}
}

// LearnEpisode learns what was held back in an episode that is over: nothing was
// wrong but that there were so many requests, and so it is at that rate.
func (s *Signal) LearnEpisode() {
	s.adopt(s.held)
	s.held = s.held[:0]
}

const (
	maxPending  = 60  // seconds held back at most
	maxHeld     = 600 // seconds of an episode that are kept until its cause is known
	usualMemory = 120 // seconds over which the usual rate is averaged
)

// Rebased is the signal after the clock went back: the baseline is kept, what
// was seen lately is not.
func (s *Signal) Rebased() *Signal {
	fresh := NewSignal(s.Name, s.objective, s.p)
	fresh.baseline, fresh.usual, fresh.learned = s.baseline, s.usual, s.learned
	return fresh
}

// SetObjective changes the latency that may not be exceeded, seconds; zero for
// none.
func (s *Signal) SetObjective(seconds float64) { s.objective = seconds }

// Reset ends the alarm without waiting for recovery.
func (s *Signal) Reset() {
	s.alarmed = false
	s.detector.Reset()
}

// LoadShare is the part of the present rise, from 0 to 1, that the request rate
// explains, as compared with a usual rate. It is not known beyond the rates
// that were learned.
func (s *Signal) LoadShare(usualRate float64) (share float64, known bool) {
	v := s.now
	if !v.Band.Learned || v.Band.Beyond > 1.1 || !(v.Latency > 0) {
		return 0, false
	}
	usual := s.baseline.At(v.Second, usualRate)
	rise := math.Log(v.Latency) - usual.Median
	if !usual.Learned || rise <= 0 {
		return 0, false
	}
	return min(max((v.Band.Median-usual.Median)/rise, 0), 1), true
}
