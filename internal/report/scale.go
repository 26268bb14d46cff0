package report

import (
	"math"
	"strconv"
	"time"
)

// The drawing's units; the page stretches them to what the screen has.
const (
	plotWidth  = 1000.0
	plotHeight = 100.0
)

// span is the shared time axis.
type span struct {
	start, end time.Time
}

// x places Unix nanoseconds on the drawing; what lies outside is at the edge.
func (s span) x(at int64) float64 {
	from, to := s.start.UnixNano(), s.end.UnixNano()
	f := float64(at-from) / float64(to-from)
	return math.Min(1, math.Max(0, f)) * plotWidth
}

// percent places a time on the axis, in percent of its length.
func (s span) percent(t time.Time) float64 {
	if t.Before(s.start) {
		return 0
	}
	if t.After(s.end) {
		return 100
	}
	return round2(s.x(t.UnixNano()) / plotWidth * 100)
}

func round2(v float64) float64 { return math.Round(v*100) / 100 }

// timeTick is one label of the time axis.
type timeTick struct {
	X     float64 // percent
	Label string
	Spare bool // left out on narrow screens
}

var timeSteps = [...]time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// ticks are at most ten round times.
func (s span) ticks() []timeTick {
	const most = 10
	length := s.end.Sub(s.start)
	step := timeSteps[len(timeSteps)-1]
	for _, candidate := range timeSteps {
		if length/candidate <= most {
			step = candidate
			break
		}
	}
	for length/step > most {
		step *= 2
	}
	layout := "15:04"
	switch {
	case step < time.Minute:
		layout = "15:04:05"
	case step >= 24*time.Hour:
		layout = "Jan 2"
	}
	var ticks []timeTick
	for t := s.start.Truncate(step); !t.After(s.end); t = t.Add(step) {
		if t.Before(s.start) {
			continue
		}
		label := t.Format(layout)
		if len(ticks) > 0 && step < 24*time.Hour && t.Equal(t.Truncate(24*time.Hour)) {
			label = t.Format("Jan 2")
		}
		ticks = append(ticks, timeTick{X: s.percent(t), Label: label, Spare: len(ticks)%3 != 0})
	}
	return ticks
}

// scale places values on a drawing's height.
type scale struct {
	lo, hi float64
	log    bool
}

// y is 0 at the top.
func (s scale) y(v float64) float64 {
	lo, hi := s.lo, s.hi
	if s.log {
		lo, hi, v = math.Log10(lo), math.Log10(hi), math.Log10(math.Max(v, s.lo))
	}
	f := (v - lo) / (hi - lo)
	return (1 - math.Min(1, math.Max(0, f))) * plotHeight
}

// valueTick is one label of a value axis.
type valueTick struct {
	Y     float64 // percent from the top
	Label string
}

// logScale covers positive values with some air, at least a factor of five.
func logScale(lo, hi float64) scale {
	const least = 1e-6
	lo, hi = math.Max(lo, least), math.Max(hi, least)
	lo, hi = lo/1.25, hi*1.25
	if hi/lo < 5 {
		middle := math.Sqrt(lo * hi)
		lo, hi = middle/math.Sqrt(5), middle*math.Sqrt(5)
	}
	return scale{lo: lo, hi: hi, log: true}
}

// logTicks are powers of ten, with twos and fives if there is room.
func (s scale) logTicks(label func(float64) string) []valueTick {
	steps := []float64{1, 2, 5}
	switch decades := math.Log10(s.hi / s.lo); {
	case decades > 2.2:
		steps = []float64{1}
	case decades > 1.4:
		steps = []float64{1, 3}
	}
	var ticks []valueTick
	for e := math.Floor(math.Log10(s.lo)); e <= math.Log10(s.hi); e++ {
		for _, m := range steps {
			if v := m * math.Pow(10, e); v >= s.lo && v <= s.hi {
				ticks = append(ticks, valueTick{Y: round2(s.y(v)), Label: label(v)})
			}
		}
	}
	return ticks
}

// linearScale starts at zero and ends at a round number not below hi or floor.
func linearScale(hi, floor float64) (s scale, step float64) {
	hi = math.Max(hi*1.05, floor)
	if hi <= 0 {
		hi = 1
	}
	power := math.Pow(10, math.Floor(math.Log10(hi)))
	for _, m := range [...]float64{0.2, 0.25, 0.5, 1, 2, 2.5, 5} {
		step = m * power
		if hi/step <= 4 {
			break
		}
	}
	return scale{hi: step * math.Ceil(hi/step)}, step
}

// linearTicks are the multiples of a step.
func (s scale) linearTicks(step float64, label func(float64) string) []valueTick {
	var ticks []valueTick
	for i := 0; float64(i)*step <= s.hi*1.0001; i++ {
		v := float64(i) * step
		ticks = append(ticks, valueTick{Y: round2(s.y(v)), Label: label(v)})
	}
	return ticks
}

// plain formats a number for attributes that the page's script reads.
func plain(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
