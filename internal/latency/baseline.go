package latency

import "math"

// Baseline remembers how slow requests usually are at each request rate.
//
// Requests are slower when there are more of them, so one number would call
// every busy hour an incident. A rate falls into one of rateBins, an eighth of a decade
// each; a bin is a histogram of the logarithm of the latency, from which the
// median and a robust deviation are read. Old samples fade: each weighs half
// as much after HalfLife.
type Baseline struct {
	// HalfLife of a sample, seconds.
	HalfLife float64

	bins  [rateBins]*histogram // nil until something is learned at the rate
	epoch int64                // Unix seconds at which a sample weighs 1
	until int64                // Unix seconds of the last sample
}

// Band is where latency usually lies, as the natural logarithm of seconds.
type Band struct {
	Median  float64
	Sigma   float64 // never under minSigma
	Weight  float64 // seconds of samples behind it
	Learned bool    // whether there are enough of them to judge by
	// Beyond is how far the asked rate is over the highest rate learned, as a
	// factor; 1 if it is inside.
	Beyond float64
}

const (
	rateBins    = 48
	binsADecade = 8
	rateLowest  = 0.1 // requests per second, lower end of the first bin

	lnLowest = -11.5 // about 10 us
	lnWidth  = 0.05  // 5 % a bucket
	lnBins   = 380   // up to about 1,800 s

	minSigma    = 0.1 // ten per cent: less is not worth a person's time
	minWeight   = 20  // seconds until a baseline can judge
	poolWeight  = 300 // seconds that a bin needs to stand without its neighbours
	madToSigma  = 1.4826
	fewSamples  = 10 // seconds: so few tell little, so that the band is twice as wide
	maxExponent = 60 // forward decay is rescaled before it overflows
)

type histogram struct {
	weight  float64
	maxRate float64
	counts  [lnBins]float64
}

func rateBin(rate float64) int {
	if !(rate > rateLowest) {
		return 0
	}
	return int(min(rateBins-1, binsADecade*math.Log10(rate/rateLowest))) // an infinite one is in the last bin
}

// Learn adds one second in which requests came at a rate per second and the
// indicator read a latency in seconds, and reports whether it did. Values that are
// not positive and finite are ignored, absurd rates too.
func (b *Baseline) Learn(second int64, rate, latency float64) bool {
	if !(latency > 0) || math.IsInf(latency, 0) || !(rate >= 0 && rate <= maxNumber) {
		return false
	}
	if b.epoch == 0 {
		b.epoch = second
	}
	if second < b.until { // the clock went back: the samples are as old as they were
		b.epoch -= b.until - second
	}
	b.until = second
	exponent := float64(second-b.epoch) / b.HalfLife
	if exponent > maxExponent {
		b.rescale(exponent)
		b.epoch, exponent = second, 0
	}
	w := math.Exp2(max(exponent, -maxExponent))
	h := b.bin(rateBin(rate))
	i := int((math.Log(latency) - lnLowest) / lnWidth)
	h.counts[min(max(i, 0), lnBins-1)] += w
	h.weight += w
	h.maxRate = max(h.maxRate, rate)
	return true
}

func (b *Baseline) rescale(exponent float64) {
	f := math.Exp2(-exponent)
	for _, h := range b.bins {
		if h == nil {
			continue
		}
		h.weight *= f
		for j := range h.counts {
			h.counts[j] *= f
		}
	}
}

// bin is a bin to learn in.
func (b *Baseline) bin(i int) *histogram {
	if b.bins[i] == nil {
		b.bins[i] = new(histogram)
	}
	return b.bins[i]
}

// unit is the weight of a sample that is made at a time.
func (b *Baseline) unit(second int64) float64 {
	return math.Exp2(min(float64(second-b.epoch)/b.HalfLife, maxExponent))
}

// At is the usual band at a request rate, at a time in Unix seconds. Bins with
// too few samples borrow from their neighbours, the nearest first. More requests
// never make a service faster: where what was learned says so, it is because few
// clients wait for their answers before they ask again, so that slow seconds have
// few requests. Then what is usual up to that rate counts.
func (b *Baseline) At(second int64, rate float64) Band {
	center := rateBin(rate)
	at := b.near(second, rate, center)
	upTo := b.band(second, rate, func(yield func(int) bool) {
		for i := center; i >= 0 && yield(i); i-- {
		}
	}, math.Inf(1))
	if at.Learned && upTo.Learned && upTo.Median > at.Median {
		return upTo
	}
	return at
}

// near is the band of the bins around one.
func (b *Baseline) near(second int64, rate float64, center int) Band {
	return b.band(second, rate, func(yield func(int) bool) {
		for d := range rateBins {
			if i := center - d; i >= 0 && !yield(i) {
				return
			}
			if i := center + d; d > 0 && i < rateBins && !yield(i) {
				return
			}
		}
	}, poolWeight)
}

// Overall is the usual band whatever the rate.
func (b *Baseline) Overall(second int64) Band {
	return b.band(second, 0, func(yield func(int) bool) {
		for i := range rateBins {
			if !yield(i) {
				return
			}
		}
	}, math.Inf(1))
}

func (b *Baseline) band(second int64, rate float64, order func(func(int) bool), enough float64) Band {
	unit := b.unit(max(second, b.until))
	var pool histogram
	for i := range order {
		h := b.bins[i]
		if h == nil || h.weight == 0 {
			continue
		}
		pool.weight += h.weight
		for j, c := range h.counts {
			pool.counts[j] += c
		}
		if pool.weight/unit >= enough {
			break
		}
	}
	var highest float64
	for _, h := range b.bins {
		if h != nil {
			highest = max(highest, h.maxRate)
		}
	}
	band := Band{Median: math.NaN(), Sigma: math.NaN(), Weight: pool.weight / unit, Beyond: 1}
	if highest > 0 && rate > highest {
		band.Beyond = rate / highest
	}
	if pool.weight == 0 {
		return band
	}
	band.Median = pool.median()
	band.Sigma = max(minSigma, madToSigma*pool.deviation(band.Median)) * (1 + fewSamples/band.Weight)
	band.Learned = band.Weight >= minWeight
	return band
}

func lnOf(i int) float64 { return lnLowest + (float64(i)+0.5)*lnWidth }

func (h *histogram) median() float64 {
	var seen float64
	for i, c := range h.counts {
		seen += c
		if seen >= h.weight/2 {
			return lnOf(i)
		}
	}
	return lnOf(lnBins - 1)
}

// deviation is the median distance from the median: it walks outwards from it,
// one bucket on each side at a time.
func (h *histogram) deviation(median float64) float64 {
	center := int((median - lnLowest) / lnWidth)
	seen := h.counts[center]
	for d := 1; d < lnBins; d++ {
		if seen >= h.weight/2 {
			return float64(d-1) * lnWidth
		}
		if i := center - d; i >= 0 {
			seen += h.counts[i]
		}
		if i := center + d; i < lnBins {
			seen += h.counts[i]
		}
	}
	return lnBins * lnWidth
}
