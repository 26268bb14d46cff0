package rootcause

import "math"

// window is how many seconds a series remembers: before and after an onset,
// with room between.
const window = 660

// absurd is more than any machine does in a second, in any unit here.
const absurd = 1e18

// series holds one value for each of the last seconds. A second that nothing
// was said of is zero.
type series struct {
	head   int64 // Unix seconds of the newest value; zero if empty
	newest int   // where that is in values
	values [window]float32
}

// spread adds an amount evenly over the interval that ends at end, both in Unix
// seconds.
func (s *series) spread(end, over, amount float64) {
	if amount == 0 || !(math.Abs(amount) < absurd) || !(over > 0) {
		return
	}
	over = min(over, window)
	start := end - over
	for second := int64(math.Floor(start)); float64(second) < end; second++ {
		part := min(end, float64(second+1)) - max(start, float64(second))
		if slot := s.slot(second); slot != nil {
			*slot += float32(amount * part / over)
		}
	}
}

// hold sets the value of a second.
func (s *series) hold(second int64, value float64) {
	if slot := s.slot(second); slot != nil && math.Abs(value) < absurd {
		*slot = float32(value)
	}
}

// slot is the place of a second; nil if it is forgotten already.
func (s *series) slot(second int64) *float32 {
	if s.head == 0 || second > s.head+window {
		*s = series{head: second}
	}
	for s.head < second {
		s.head++
		if s.newest++; s.newest == window {
			s.newest = 0
		}
		s.values[s.newest] = 0
	}
	if second <= s.head-window {
		return nil
	}
	return &s.values[s.place(second)]
}

// place is where a second that is remembered stands in values: a division for
// each would be most of the cost of a verdict.
func (s *series) place(second int64) int {
	i := s.newest - int(s.head-second)
	if i < 0 {
		i += window
	}
	return i
}

// at is the value of a second; zero if nothing is known of it. A nil series is
// always zero.
func (s *series) at(second int64) float64 {
	if s == nil || s.head == 0 || second > s.head || second <= s.head-window {
		return 0
	}
	return float64(s.values[s.place(second)])
}

// addTo adds the values of as many seconds as the list is long, from one on.
func (s *series) addTo(list []float64, from int64) {
	if s == nil || s.head == 0 {
		return
	}
	first, last := max(from, s.head-window+1), min(from+int64(len(list))-1, s.head)
	if first > last {
		return
	}
	i := s.place(first)
	for n := range list[first-from : last-from+1] {
		list[int(first-from)+n] += float64(s.values[i])
		if i++; i == window {
			i = 0
		}
	}
}

// mean over seconds from to to, both included; zero if there are none.
func (s *series) mean(from, to int64) float64 {
	if to < from {
		return 0
	}
	var sum float64
	for second := from; second <= to; second++ {
		sum += s.at(second)
	}
	return sum / float64(to-from+1)
}
