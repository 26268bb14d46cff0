package latency

// Detector is a one-sided CUSUM on clipped robust z-scores, one a second:
//
//	S = max(0, S + min(z, Clip) - Drift),  alarm at S > Threshold for Hold seconds
//
// It finds a lasting rise in a few seconds and forgets a single slow second.
type Detector struct {
	Clip, Drift, Threshold float64
	Hold                   int

	sum    float64
	above  int
	second int64     // the last one
	since  []float64 // clipped z of the seconds since S was zero, at most maxSince
}

// maxSince bounds how far back an onset can lie, seconds.
const maxSince = 600

// Step takes the z-score of a second, in Unix seconds, and reports whether the
// alarm is on.
func (d *Detector) Step(second int64, z float64) bool {
	z = min(z, d.Clip)
	d.second = second
	d.sum = max(0, d.sum+z-d.Drift)
	switch {
	case d.sum == 0:
		d.since = d.since[:0]
	case len(d.since) < maxSince:
		d.since = append(d.since, z)
	default:
		d.since = append(d.since[1:], z)
	}
	if d.sum > d.Threshold {
		d.above++
	} else {
		d.above = 0
	}
	return d.above >= d.Hold
}

// Onset is the first second of the rise: where a step of the size seen lately fits
// the seconds best. The last zero of S would often be a little too early, for a
// chance rise right before the true one keeps S above zero.
func (d *Detector) Onset() int64 {
	n := len(d.since)
	lately := d.since[max(0, n-max(d.Hold, 1)):]
	var mean float64
	for _, z := range lately {
		mean += z / float64(len(lately))
	}
	var sum, best float64
	length := 0
	for i := n - 1; i >= 0; i-- {
		sum += d.since[i] - mean/2
		if sum > best {
			best, length = sum, n-i
		}
	}
	return d.second - int64(max(length, 1)) + 1
}

// Calm reports whether nothing speaks for a rise at present.
func (d *Detector) Calm() bool { return d.sum == 0 }

// Reset forgets what was seen.
func (d *Detector) Reset() { d.sum, d.above, d.since = 0, 0, nil }
