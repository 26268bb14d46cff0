package workload

import (
	"time"

	"github.com/otel-culprit/culprit/internal/process"
)

// Limits bound how many series are told one by one.
type Limits struct {
	Series int           // in all, the sum of the others among them; at least 1
	Top    int           // how many matter by each resource
	Hold   time.Duration // how long one that mattered stays; zero is a minute
}

// Candidate is a workload or a process that may get a series of its own.
type Candidate struct {
	Totals         *Totals // the same pointer from scan to scan
	Key            Key     // of the workload; one that changes begins another series
	Resident       int64   // bytes
	Processes      int
	Threads        int64
	Known, Partial process.Known
	Keep           bool // whatever it uses
}

// Others is the Index of the series that sums all that have none of their own.
const Others = -1

// Series is what to tell of a candidate or of the others. Its totals are what it
// used in the scans in which it was told like this, so they never go back, and
// those of all series together rise by what all candidates used: what goes over
// to the others and comes back misses what it used in between.
type Series struct {
	Index          int // of the candidate, or Others
	Totals         Totals
	Since          time.Time // when the totals started
	Resident       int64     // bytes
	Processes      int
	Threads        int64
	Known, Partial process.Known
}

// Selection decides who gets a series of its own: those to keep, and those that
// use most of a resource or did so a short time ago.
type Selection struct {
	limits  Limits
	members map[*Totals]*member
	now     []*member // of the candidates, by index
	before  []*member // at the scan before
	chosen  []*member
	top     []ranked
	others  Series
	out     []Series
	scan    int
	last    time.Time
}

type member struct {
	key   Key
	of    *Totals
	rate  rates
	same  bool   // nothing was used since the scan before
	read  Totals // at the scan before
	told  Totals // of its own series
	since time.Time
	until time.Time // of the hold
	place int       // the smaller, the sooner it is chosen
	scan  int
	own   bool
}

type ranked struct {
	value float64
	*member
}

// NewSelection makes a selection without members.
func NewSelection(limits Limits) *Selection {
	limits.Series = max(limits.Series, 1)
	if limits.Hold <= 0 {
		limits.Hold = time.Minute
	}
	return &Selection{limits: limits, members: map[*Totals]*member{}, others: Series{Index: Others}}
}

// Candidates appends the workloads to candidates; keep may be nil.
func Candidates(candidates []Candidate, workloads []*Workload, keep func(*Workload) bool) []Candidate {
	for _, w := range workloads {
		candidates = append(candidates, Candidate{
			Totals: &w.Totals, Key: w.Key, Resident: w.Resident, Processes: w.Processes, Threads: w.Threads,
			Known: w.Known, Partial: w.Partial, Keep: keep != nil && keep(w),
		})
	}
	return candidates
}

// absent is for how many scans a candidate may be missing.
const absent = 10

// Select is called once for each scan. The series are in the order of the
// candidates, those of the others last if there ever were any; they are valid
// until the next call.
func (s *Selection) Select(candidates []Candidate, at time.Time) []Series {
	s.scan++
	if s.last.IsZero() {
		s.last = at
	}
	s.before, s.now = s.now, s.before[:0]
	for i := range candidates {
		s.now = append(s.now, s.meet(i, &candidates[i]))
	}
	s.rank(at)
	s.choose(candidates, at)
	s.tell(candidates)
	if len(s.members) > len(candidates) {
		for totals, m := range s.members {
			if s.scan-m.scan > absent { // one that could not be read comes back
				delete(s.members, totals)
			}
		}
	}
	s.last = at
	return s.out
}

func (s *Selection) meet(i int, c *Candidate) *member {
	var m *member
	if i < len(s.before) && s.before[i].of == c.Totals {
		m = s.before[i] // The order seldom changes.
	} else {
		m = s.members[c.Totals]
	}
	if m == nil {
		m = &member{of: c.Totals, key: c.Key, since: s.last}
		s.members[c.Totals] = m
	}
	if m.key != c.Key {
		m.key, m.told, m.since = c.Key, Totals{}, s.last
	}
	m.scan, m.place = s.scan, 0
	if m.same = m.read == *c.Totals; m.same {
		m.rate = rates{memory: float64(c.Resident)}
	} else {
		m.rate = ratesOf(&m.read, c)
	}
	return m
}

// tell adds what each used to its own series or to that of the others.
func (s *Selection) tell(candidates []Candidate) {
	o := &s.others
	if o.Since.IsZero() {
		o.Since = s.last
	}
	o.Resident, o.Processes, o.Threads, o.Known, o.Partial = 0, 0, 0, 0, 0
	all, some := ^process.Known(0), false
	s.out = s.out[:0]
	for i, m := range s.now {
		c := &candidates[i]
		if m.own {
			if !m.same {
				m.told.rise(&m.read, c.Totals)
			}
			s.out = append(s.out, Series{i, m.told, m.since, c.Resident, c.Processes, c.Threads, c.Known, c.Partial})
		} else {
			some = true
			if !m.same {
				o.Totals.rise(&m.read, c.Totals)
			}
			o.Resident += c.Resident
			o.Processes += c.Processes
			o.Threads += c.Threads
			o.Known |= c.Known
			o.Partial |= c.Partial
			all &= c.Known
		}
		if !m.same {
			m.read = *c.Totals
		}
	}
	if some {
		o.Partial |= o.Known &^ all
	}
	if some || o.Totals != (Totals{}) {
		s.out = append(s.out, *o)
	}
}
