package rootcause

// use is what was used of a resource in each second that a scene looks at. One
// use is filled again and again: a verdict looks at some thousand.
type use struct {
	first  int64 // second of the first value
	values []float64
	before []float64 // in the usual seconds
	after  float64   // mean since the onset
}

// newUse has room for all that is asked of a use, from the first usual second to
// after the recovery.
func (e *Engine) newUse(sc *scene) *use {
	first := min(sc.onset-e.p.OnsetWithin, sc.since())
	if len(sc.usual) > 0 {
		first = min(first, sc.usual[0])
	}
	last := max(sc.onset, sc.to+pauseSeconds)
	return &use{first: first, values: make([]float64, last-first+1), before: make([]float64, len(sc.usual))}
}

// blank is as much room for another use.
func (u *use) blank() *use {
	return &use{first: u.first, values: make([]float64, len(u.values)), before: make([]float64, len(u.before))}
}

// at is the use in a second; zero outside of what the scene looks at.
func (u *use) at(second int64) float64 {
	if i := second - u.first; i >= 0 && i < int64(len(u.values)) {
		return u.values[i]
	}
	return 0
}

// read fills in what a workload used itself.
func (sc *scene) read(u *use, w *workload, r Shared) {
	clear(u.values)
	for _, part := range parts[r] {
		w.used[part].addTo(u.values, u.first)
	}
}

// compare fills in the use before and after the onset.
func (sc *scene) compare(u *use) {
	for i, second := range sc.usual {
		u.before[i] = u.at(second)
	}
	u.after = 0
	if sc.to < sc.from {
		return
	}
	for _, used := range u.values[sc.from-u.first : sc.to-u.first+1] {
		u.after += used
	}
	u.after /= float64(sc.to - sc.from + 1)
}

// What has under a tenth of all that is moved keeps nobody waiting who did not wait
// before, four tenths are the share of an equal.
const (
	smallPart = 0.1
	fairPart  = 0.4
)

// weighty tells from 0 to 1 whether a new part of all that is moved can keep others
// waiting.
func weighty(part float64) float64 { return ramp(part, smallPart, fairPart) }
