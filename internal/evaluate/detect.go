package evaluate

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// resourceAnswers are what may be named as the resource at fault.
var resourceAnswers = []string{"cpu", "disk", "network", "lock", "workload"}

// detectTrials watch a file live, and ask for the resource in its first seconds.
func (s *Set) detectTrials(engine NewEngine) []trial {
	list := make([]trial, 0, len(s.cases))
	taught := [2]func() (lesson, error){}
	for half := range taught {
		taught[half] = sync.OnceValues(func() (lesson, error) { return s.teach(engine, half) })
	}
	for i, c := range s.cases {
		list = append(list, trial{
			id:      c.ID,
			c:       c,
			judge:   func() (outcome, error) { return s.judgeDetect(c, engine, taught[1-s.half(i)]) },
			compare: func() []observation { return s.compareDetect(c) },
		})
	}
	return list
}

// anomaly finds the rows of a case: those before it, from the end of the
// warm-up, and those of its beginning.
func (s *Set) anomaly(c caseLine) (f *feed, before, after []int, err error) {
	if f, err = s.feed(c); err != nil {
		return nil, nil, nil, err
	}
	if len(c.Abnormal) != 2 {
		return nil, nil, nil, fmt.Errorf("%s: case %s needs abnormal, the first and the last row", f.tab.path, c.ID)
	}
	first, last := c.Abnormal[0], c.Abnormal[1]
	if c.WarmupRows < 0 || c.WarmupRows >= first || last < first || first >= len(f.at) {
		return nil, nil, nil, fmt.Errorf("%s: abnormal of case %s must be rows of the file after its warm-up", f.tab.path, c.ID)
	}
	until := f.at[first] - f.period + s.mapping.Detect.Answer
	for row := c.WarmupRows; row < len(f.at) && f.at[row] <= until; row++ {
		if row < first {
			before = append(before, row)
		} else {
			after = append(after, row)
		}
	}
	return f, before, after, nil
}

// half tells in which half of the repetitions of its cause a case is.
func (s *Set) half(i int) int {
	n := 0
	for _, c := range s.cases[:i] {
		if c.Truth.Cause == s.cases[i].Truth.Cause {
			n++
		}
	}
	return n % 2
}

// teach lets an engine see the normal rows of one half of the cases, and gives
// what it learned: a service that was watched for a while before.
func (s *Set) teach(engine NewEngine, half int) (lesson, error) {
	p := player{engine: engine()}
	for i, c := range s.cases {
		if s.half(i) != half {
			continue
		}
		f, err := s.feed(c)
		if err != nil {
			return lesson{}, err
		}
		first, last, err := c.normal(f)
		if err != nil {
			return lesson{}, err
		}
		if err = p.follow(f, run{from: first, to: last}); err != nil {
			return lesson{}, err
		}
	}
	return p.lesson()
}

// normal are the rows in which nothing was wrong before the anomaly: those that
// the case names, else all before it, after the warm-up.
func (c caseLine) normal(f *feed) (first, last int, err error) {
	if len(c.Abnormal) != 2 {
		return 0, 0, fmt.Errorf("%s: case %s needs abnormal, the first and the last row", f.tab.path, c.ID)
	}
	first, last = c.WarmupRows, c.Abnormal[0]-1
	if len(c.Normal) == 2 {
		first, last = max(first, c.Normal[0]), min(last, c.Normal[1])
	}
	if first > last || first < 0 {
		return 0, 0, fmt.Errorf("%s: case %s has no normal rows before its abnormal ones", f.tab.path, c.ID)
	}
	return first, last, nil
}

func (s *Set) judgeDetect(c caseLine, engine NewEngine, taught func() (lesson, error)) (outcome, error) {
	var o outcome
	f, before, after, err := s.anomaly(c)
	if err != nil {
		return o, err
	}
	right, err := s.mapping.answers(c.Truth.Cause)
	if err != nil {
		return o, err
	}
	learned, err := taught()
	if err != nil {
		return o, err
	}
	live, err := learned.recalled(engine)
	if err != nil {
		return o, err
	}
	// Rows between the normal and the abnormal ones are neither, and are left out.
	first, last, err := c.normal(f)
	if err != nil {
		return o, err
	}
	if err = live.follow(f, run{from: first, to: last}); err != nil {
		return o, err
	}
	start := live.now
	if err = live.follow(f, run{from: c.Abnormal[0], to: len(f.at) - 1}); err != nil {
		return o, err
	}
	o.seen = observeAlarms(live.events, start, start+f.at[min(c.Abnormal[1], len(f.at)-1)]-f.at[c.Abnormal[0]]+f.period)
	o.answers = append(o.answers, answer{
		"", "detected", "alarm in rows of " + c.Truth.Cause, "no alarm",
		slices.Contains(o.seen, observation{"", product, "detected", sum, 1}),
	})
	if len(right) == 0 {
		return o, nil
	}
	asked := player{engine: engine()}
	if len(before) == 0 || len(after) == 0 {
		return o, fmt.Errorf("%s: case %s has no rows before its anomaly, or none within detect.answer_s of its onset", f.tab.path, c.ID)
	}
	if err = asked.play(f, before[0], after[len(after)-1], 0); err != nil {
		return o, err
	}
	onset := f.at[c.Abnormal[0]] - f.period
	v, err := asked.ask(f, onset, onset+s.mapping.Detect.Answer)
	if err != nil {
		return o, err
	}
	said := "nothing"
	for _, suspect := range v.Suspects {
		if r := resourceOf(suspect); slices.Contains(resourceAnswers, r) {
			said = r
			break
		}
	}
	ok := slices.Contains(right, said)
	o.seen = append(o.seen, resourceSeen(product, ok)...)
	o.answers = append(o.answers, answer{"", "resource", c.Truth.Cause + " (" + strings.Join(right, ", ") + ")", said, ok})
	o.judged = append(o.judged, Judged{Set: s.Name, ID: c.ID, Verdict: v, Right: func(suspect rootcause.Suspect) bool {
		return slices.Contains(right, resourceOf(suspect))
	}})
	return o, nil
}

// resourceOf is the resource that a suspect names; empty if none.
func resourceOf(s rootcause.Suspect) string {
	switch s.Cause {
	case rootcause.TrafficSurge:
		return "workload"
	default:
		return s.Resource.String()
	}
}

func resourceSeen(method string, ok bool) []observation {
	return []observation{
		{"", method, "resource_top1", mean, share(ok)},
		{"", method, "resource_cases", count, 1},
	}
}

// observeAlarms counts the alarms of a file that was watched live and whose
// anomaly lasted from start to end, Unix seconds. An anomaly is detected if the
// alarm is on at some time within it; how long that took is known only of alarms
// that were raised within it.
func observeAlarms(events []rootcause.Event, start, end float64) []observation {
	var detected, early, anew bool
	var delay float64
	for _, event := range events {
		ep, ok := event.(rootcause.Episode)
		if !ok {
			continue
		}
		at := float64(ep.At.UnixMilli()) / 1000
		switch {
		case ep.Phase == rootcause.Opened && at <= start:
			early, detected = true, true
		case ep.Phase == rootcause.Opened && at <= end && !anew:
			detected, anew, delay = true, true, at-start
		case ep.Phase == rootcause.Closed && at <= start:
			detected = false
		}
	}
	seen := []observation{
		{"", product, "detected", sum, share(detected)},
		{"", product, "cases", count, 1},
		{"", product, "false_alarm_cases", sum, share(early)},
	}
	if anew {
		seen = append(seen, observation{"", product, "delay_median_s", median, delay}, observation{"", product, "delay_p90_s", p90, delay})
	}
	return seen
}

func (s *Set) compareDetect(c caseLine) []observation {
	f, before, after, err := s.anomaly(c)
	if err != nil {
		return nil // the engine's trial told it
	}
	right, err := s.mapping.answers(c.Truth.Cause)
	if err != nil || len(right) == 0 {
		return nil
	}
	data := f.comparison(before, after, func(in input) string { return in.rule.to.resource })
	data.addRequests(f, before, after, "workload")
	var seen []observation
	for _, b := range columnBaselines {
		said := "nothing"
		for _, r := range data.rank(b.score) {
			if slices.Contains(resourceAnswers, r) {
				said = r
				break
			}
		}
		seen = append(seen, resourceSeen(b.name, slices.Contains(right, said))...)
	}
	return seen
}
