package fit

import (
	"errors"
	"math"
	"slices"
)

const (
	maxSteps = 20_000
	settled  = 1e-7 // slope under which nothing is gained any more
	memory   = 10   // steps over which the loss must fall
)

// descend finds the weights of the least loss near the start: spectral projected
// gradient (Birgin, Martínez and Raydan, SIAM J. Optim. 2000). A step goes as far
// as the change of the slope over the last one suggests, is put back to where
// weights may be, and is halved until the loss is less than the worst of the last
// few.
func (p *problem) descend() ([]float64, error) {
	x := slices.Clone(p.start)
	value, slope := p.loss(x)
	recent := []float64{value}
	stride := 1.0
	for range maxSteps {
		if p.steps(x, slope, 1).largest < settled {
			return x, nil
		}
		way := p.steps(x, slope, stride)
		downhill := dot(way.by, slope)
		next, nextValue, nextSlope := p.search(x, way.by, slices.Max(recent)+1e-15, downhill)
		if next == nil { // the rest is rounding
			return x, nil
		}
		var length, bend float64
		for i := range x {
			step := next[i] - x[i]
			length += step * step
			bend += step * (nextSlope[i] - slope[i])
		}
		stride = 1e6
		if bend > 0 {
			stride = min(max(length/bend, 1e-6), 1e6)
		}
		x, slope = next, nextSlope
		recent = append(recent, nextValue)
		recent = recent[max(0, len(recent)-memory):]
	}
	return nil, errors.New("the weights do not settle: raise the ridge")
}

// search halves a way until it leads low enough; nil if it does not.
func (p *problem) search(x, way []float64, ceiling, downhill float64) (next []float64, value float64, slope []float64) {
	for part := 1.0; part > 1e-12; part /= 2 {
		next = slices.Clone(x)
		for i := range next {
			next[i] += part * way[i]
		}
		p.project(next) // against rounding
		if value, slope = p.loss(next); value <= ceiling+1e-4*part*downhill {
			return next, value, slope
		}
	}
	return nil, 0, nil
}

type way struct {
	by      []float64
	largest float64
}

// steps is where a stride down the slope leads to.
func (p *problem) steps(x, slope []float64, stride float64) way {
	w := way{by: slices.Clone(x)}
	for i := range x {
		w.by[i] -= stride * slope[i]
	}
	p.project(w.by)
	for i := range x {
		w.by[i] -= x[i]
		w.largest = max(w.largest, math.Abs(w.by[i]))
	}
	return w
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
