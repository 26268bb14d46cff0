package experiment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Interval is the median of repeats with a range that holds the true one.
//
// Of n independent values the range from the k-th smallest to the k-th largest
// holds the median of what they were drawn from with a probability that follows
// from n and k alone, whatever the distribution: 1 - 2·P(X < k), where X is
// binomial with n throws of a coin. Source: order statistics of the median, such
// as in Conover, Practical Nonparametric Statistics, on the sign test.
type Interval struct {
	Value    float64 `json:"value"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Coverage float64 `json:"coverage"` // the probability with which the range holds the true median, from 0 to 1
	Repeats  int     `json:"repeats"`  // how many values it is of
}

// Confident is the coverage from which on a range counts as sure, and
// confidentFrom is the smallest number of repeats that reaches it.
const (
	Confident     = 0.95
	confidentFrom = 6
)

// interval is the median with the narrowest range that is confident; if there is
// none, with the range of all values.
func interval(values []float64) Interval {
	n := len(values)
	if n == 0 {
		return Interval{}
	}
	sorted := slices.Sorted(slices.Values(values))
	k := rank(n)
	return Interval{Value: middle(sorted), Low: sorted[k-1], High: sorted[n-k], Coverage: coverage(n, k), Repeats: n}
}

// Coverage is that of so many repeats.
func Coverage(repeats int) float64 { return coverage(repeats, rank(repeats)) }

// rank is the largest k of which the range is confident, or else 1.
func rank(n int) int {
	k := 1
	for coverage(n, k+1) >= Confident {
		k++
	}
	return k
}

// coverage is the probability that the median lies between the k-th smallest and
// the k-th largest of n values; it is 0 if there is no such range.
func coverage(n, k int) float64 {
	if n < 2*k {
		return 0
	}
	chance := 1.0 // of i heads in n throws
	for range n {
		chance /= 2
	}
	below := 0.0
	for i := range k {
		below += chance
		chance *= float64(n-i) / float64(i+1)
	}
	return 1 - 2*below
}

// Told is "2.1 (1.9 to 2.6)".
func (i Interval) Told() string {
	return fmt.Sprintf("%s (%s to %s)", Figure(i.Value), Figure(i.Low), Figure(i.High))
}

// doubt says how sure the range is if it is not confident; else it is empty.
func (i Interval) doubt() string {
	if i.Coverage >= Confident {
		return ""
	}
	return span(i.Repeats) + "; " + surer()
}

// surer says what it takes for a range to be confident.
func surer() string {
	return fmt.Sprintf("--repeats %d makes it %s", confidentFrom, percent(Coverage(confidentFrom)))
}

// span is "the range of 3 repeats, which holds the true value with 75 %".
func span(repeats int) string {
	what := fmt.Sprintf("the range of %d repeats", repeats)
	switch out := rank(repeats) - 1; {
	case repeats == 1:
		return "one repeat, which says nothing about chance"
	case out == 1:
		what += " without the lowest and the highest"
	case out > 1:
		what += fmt.Sprintf(" without the %d lowest and the %d highest", out, out)
	}
	return what + ", which holds the true value with " + percent(Coverage(repeats))
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", share*100) }

// Ranges says what the ranges of the arms are. What is said of how often they hold
// does not go for the remedy to take: the choice was made by some of its repeats.
func (r Report) Ranges() string {
	var counts []int
	byRepeats := map[int][]string{}
	for _, a := range r.Arms {
		n := a.OverBaseline.P95.Repeats
		if a.ID == Baseline || a.ID == r.Decision.Remedy || n == 0 {
			continue
		}
		if byRepeats[n] == nil {
			counts = append(counts, n)
		}
		byRepeats[n] = append(byRepeats[n], strconv.Quote(a.Label()))
	}
	if len(counts) == 0 {
		return ""
	}
	slices.Sort(counts)
	var parts []string
	for i, n := range slices.Backward(counts) {
		part := span(n)
		if len(counts) > 1 {
			whose := strings.Join(byRepeats[n], " and ")
			if i == 0 {
				whose = "the others"
			}
			part = "for " + whose + " " + part
		}
		parts = append(parts, part)
	}
	text := "In brackets: " + strings.Join(parts, "; ")
	if counts[len(counts)-1] < confidentFrom {
		text += "; " + surer()
	}
	if r.Decision.Remedy != "" {
		text += ". That of the remedy to take promises less, for it was chosen for being low"
	}
	if r.Decision.Confirmed != nil {
		text += ": what counts are the confirming rounds"
	}
	return text + "."
}
