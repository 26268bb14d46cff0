package latency

// Detector is a one-sided CUSUM on clipped robust z-scores, one a second:
//
//	S = max(0, S + min(z, Clip) - Drift),  alarm at S > Threshold for Hold seconds
//
// The onset is the last second at which S was zero. It finds a lasting rise in
// a few seconds and forgets a single slow second.
type Detector struct {
	Clip, Drift, Threshold float64
	Hold                   int

	sum   float64
	above int
	onset int64
	known bool // whether onset was ever set
}

// Step takes the z-score of a second, in Unix seconds, and reports whether the
// alarm is on.
func (d *Detector) Step(second int64, z float64) bool {
	if !d.known {
		d.onset, d.known = second, true
	}
	d.sum = max(0, d.sum+min(z, d.Clip)-d.Drift)
	if d.sum == 0 {
		d.onset = second
	}
	if d.sum > d.Threshold {
		d.above++
	} else {
		d.above = 0
	}
	return d.above >= d.Hold
}

// Onset is the second after which the sum left zero.
func (d *Detector) Onset() int64 { return d.onset }

// Calm reports whether nothing speaks for a rise at present.
func (d *Detector) Calm() bool { return d.sum == 0 }

// Reset forgets what was seen.
func (d *Detector) Reset() { d.sum, d.above, d.known = 0, 0, false }
