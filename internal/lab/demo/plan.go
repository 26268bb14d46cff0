package demo

import "time"

// Plan says how long each part of the demo takes.
type Plan struct {
	Warm     time.Duration // to find out what a request costs
	Learn    time.Duration // quiet, while the usual latency is learned
	Verdict  time.Duration // at most, from the start of trouble to its verdict
	During   time.Duration // at least, from the start of trouble to what ends it
	Settle   time.Duration // after a change, before measuring again
	Measure  time.Duration // of the site while the remedy works, and after the surge
	Recover  time.Duration // at least, after the backup was stopped
	Close    time.Duration // at most, before an act, until an open incident is closed
	Drain    time.Duration // at most, until what the surge left behind is served
	Overlap  time.Duration // the gentle backup alone, before the surge
	Utilised float64       // share of the site's CPU that the usual load takes
	Surge    float64       // factor of the load
	DataSet  int           // MiB that the backups have to do: more than they get through
	Limit    time.Duration // of the whole, after which it is broken off
}

// DefaultPlan lasts about three minutes and never four.
func DefaultPlan() Plan {
	return Plan{
		Warm:     5 * time.Second,
		Learn:    45 * time.Second,
		Verdict:  30 * time.Second,
		During:   15 * time.Second,
		Settle:   2 * time.Second,
		Measure:  15 * time.Second,
		Recover:  10 * time.Second,
		Close:    30 * time.Second,
		Drain:    20 * time.Second,
		Overlap:  6 * time.Second,
		Utilised: 0.45,
		Surge:    3,
		DataSet:  256,
		Limit:    235 * time.Second,
	}
}

// ending is what it takes to stop everything and to write the report.
const ending = 10 * time.Second

// Longest is the time of the plan when everything takes as long as it may,
// without starting and stopping. Only one wait for an incident counts: the time
// for another is what others have left over, see patience.
func (p Plan) Longest() time.Duration {
	return p.Warm + p.Learn + p.guilty() + p.Close + p.innocent()
}

// guilty is the longest time of the first act, innocent of the second.
func (p Plan) guilty() time.Duration {
	return max(p.Verdict, p.During) + p.Settle + p.Measure + p.Recover
}

func (p Plan) innocent() time.Duration {
	return p.Overlap + max(p.Verdict, p.During) + p.Drain + p.Settle + p.Measure
}

// patience is how long an act may wait for an incident to close, so that the
// limit is kept: left is the time until then, rest what is still to be played
// at most.
func (p Plan) patience(left, rest time.Duration) time.Duration {
	return max(0, min(p.Close, left-rest-ending))
}
