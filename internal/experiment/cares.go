package experiment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// few is a number of requests below which a p95 rests on one or two of them.
const few = 40

// cares are what makes the figures doubtful.
func (r Report) cares() []string {
	var notes []string
	thin, failed := 0, 0
	for _, b := range r.Blocks {
		if b.Requests < few {
			thin++
		}
		if b.Failed*20 > b.Requests {
			failed++
		}
	}
	if thin > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d blocks had fewer than %d requests, so that their p95 rests on one or two of them: raise --rate or --block", thin, len(r.Blocks), few))
	}
	if least, most := r.ends(); least*muchLess < most {
		notes = append(notes, fmt.Sprintf("the backup read and wrote %s in one block and %s in another, and ended both times: if the rest was done already, the blocks cannot be compared; --prepare and --cleanup let it begin anew",
			bytes(most), bytes(least)))
	}
	if varies := r.varies(); varies != "" {
		notes = append(notes, varies+": something else troubles the site, and the figures are not good; end it and repeat")
	}
	if r.Restless > 0 {
		notes = append(notes, r.uncalm()+": something else troubles it")
	}
	if r.Broke != "" {
		notes = append(notes, "the chosen remedy failed in a confirming round: "+r.Broke)
	}
	if failed > 0 {
		notes = append(notes, fmt.Sprintf("in %d of %d blocks more than one request in twenty failed", failed, len(r.Blocks)))
	}
	return notes
}

// muchLess is how many times less a backup does that found its work done.
const muchLess = 3

// ends is how many bytes the backup read and wrote in blocks in which it came to
// its end: the fewest and the most.
func (r Report) ends() (least, most float64) {
	const little = 1e6 // bytes: a backup of less is all overhead
	least = math.Inf(1)
	for _, b := range r.Blocks {
		if b.Arm != Baseline && b.Backup.Ended {
			least, most = min(least, b.Backup.Bytes), max(most, b.Backup.Bytes)
		}
	}
	if most < little {
		return 0, 0
	}
	return least, most
}

// bytes writes a number of them.
func bytes(n float64) string { return fmt.Sprintf("%.3g MB", n/1e6) }

// unsteady is a spread of the baseline from which on it is told.
const unsteady = 2

// unrest says what shows that the site is slow without a backup, too; it is empty
// if nothing does.
func (r Report) unrest() string {
	const seldom = 4 // one block in so many without calm before it is much
	switch varies := r.varies(); {
	case varies != "":
		return varies
	case r.Restless > 0 && r.Restless*seldom >= len(r.Blocks):
		return r.uncalm()
	}
	return ""
}

// varies says by how much the baseline does, if that is much.
func (r Report) varies() string {
	by := spread(of(r.Blocks, Baseline))
	if by < unsteady {
		return ""
	}
	return fmt.Sprintf("without a backup the p95 of one block is %s times that of another", Figure(by))
}

// uncalm says before how many blocks the site never became calm.
func (r Report) uncalm() string {
	return fmt.Sprintf("before %d of %d blocks the site did not become as calm as in the baseline", r.Restless, len(r.Blocks))
}

// spread is how many times the largest p95 is the smallest.
func spread(blocks []Block) float64 {
	if len(blocks) == 0 {
		return 1
	}
	byP95 := func(a, b Block) int { return cmp.Compare(a.P95, b.P95) }
	return slices.MaxFunc(blocks, byP95).P95 / slices.MinFunc(blocks, byP95).P95
}
