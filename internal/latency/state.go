package latency

import (
	"fmt"
	"strconv"
)

// State is what a Signal has learned, as of the last second that taught it
// something. What was seen lately and what is not trusted yet are no part of it.
// It does not depend on the half-life with which it was learned.
type State struct {
	Until   int64   `json:"until"`   // Unix seconds of the last sample
	Rate    float64 `json:"rate"`    // usual, requests per second
	Seconds float64 `json:"seconds"` // behind the usual rate
	Bins    []Bin   `json:"bins"`    // ascending, without empty ones
}

// Bin is what was learned at one request rate.
type Bin struct {
	Rate    int       `json:"rate"`     // which, from 0 to 47
	MaxRate float64   `json:"max_rate"` // highest rate seen, per second
	First   int       `json:"first"`    // bucket of latency of the first weight
	Weights []float64 `json:"weights"`  // of consecutive buckets, in seconds as they weigh at Until
}

const (
	// MaxSecond is the last second, in the year 2262, that fits into nanoseconds.
	MaxSecond = 9_223_372_036
	// maxNumber is more than any weight or rate can become.
	maxNumber = 1e12
	// leastWeight is what a bucket must weigh to be kept, in seconds.
	leastWeight = 0.001
)

// State is what the signal has learned. It has no bins if that is nothing.
func (s *Signal) State() State {
	state := State{Until: s.baseline.until, Rate: FiveDigits(s.usual), Seconds: s.learned}
	unit := s.baseline.unit(s.baseline.until)
	for i, h := range s.baseline.bins {
		if h == nil {
			continue
		}
		if bin, ok := h.state(unit); ok {
			bin.Rate = i
			state.Bins = append(state.Bins, bin)
		}
	}
	return state
}

func (h *histogram) state(unit float64) (bin Bin, ok bool) {
	last := -1
	for i, c := range h.counts {
		if c/unit < leastWeight {
			continue
		}
		if last < 0 {
			bin.First = i
		}
		last = i
	}
	if last < 0 {
		return Bin{}, false
	}
	bin.MaxRate = FiveDigits(h.maxRate)
	for _, c := range h.counts[bin.First : last+1] {
		bin.Weights = append(bin.Weights, FiveDigits(c/unit))
	}
	return bin, true
}

// FiveDigits rounds to so many significant digits, so that a state stays short.
func FiveDigits(x float64) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 5, 64), 64) // what FormatFloat writes can be parsed
	return short
}

// Recall makes the signal know a State, which must be valid, unless what it has
// learned itself weighs at least as much at a time in Unix seconds.
func (s *Signal) Recall(second int64, state State) {
	b := Baseline{HalfLife: s.p.HalfLife, epoch: state.Until, until: state.Until}
	for _, bin := range state.Bins {
		h := b.bin(bin.Rate)
		h.maxRate = bin.MaxRate
		copy(h.counts[bin.First:], bin.Weights)
		for _, w := range bin.Weights {
			h.weight += w
		}
	}
	if b.Overall(second).Weight <= s.baseline.Overall(second).Weight {
		return
	}
	s.baseline, s.usual, s.learned = b, state.Rate, state.Seconds
	s.pending = s.pending[:0]
}

// Validate says what a signal can not have learned.
func (s State) Validate() error {
	if s.Until < 0 || s.Until > MaxSecond {
		return fmt.Errorf("until: %d is no time between the years 1970 and 2262", s.Until)
	}
	if err := number("rate", s.Rate, maxNumber); err != nil {
		return err
	}
	if err := number("seconds", s.Seconds, usualMemory); err != nil {
		return err
	}
	before := -1
	for i, bin := range s.Bins {
		if bin.Rate <= before || bin.Rate >= rateBins {
			return fmt.Errorf("bins[%d].rate: %d is not between %d and %d", i, bin.Rate, before+1, rateBins-1)
		}
		before = bin.Rate
		if err := bin.validate(); err != nil {
			return fmt.Errorf("bins[%d].%w", i, err)
		}
	}
	return nil
}

func (b Bin) validate() error {
	if err := number("max_rate", b.MaxRate, maxNumber); err != nil {
		return err
	}
	if b.First < 0 || b.First >= lnBins || len(b.Weights) > lnBins-b.First {
		return fmt.Errorf("first: %d weights from bucket %d on are not within %d buckets", len(b.Weights), b.First, lnBins)
	}
	for i, w := range b.Weights {
		if err := number("weights["+strconv.Itoa(i)+"]", w, maxNumber); err != nil {
			return err
		}
	}
	return nil
}

func number(name string, x, most float64) error {
	if !(x >= 0 && x <= most) { // NaN is not either
		return fmt.Errorf("%s: %v is not between 0 and %v", name, x, most)
	}
	return nil
}
