package evaluate

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// Judged is a verdict on a case of known cause. Cases whose verdict has no right
// answer, such as those of which nothing was asked, are not among them.
type Judged struct {
	Set, ID string
	Group   string // cases of one group have the same culprit, or are moments of the same recording
	Path    string // of the recording
	Half    string // of the set that it is in, HalfFit or HalfHeld; empty if the set has no halves
	Verdict rootcause.Verdict
	Right   func(rootcause.Suspect) bool // whether a suspect is the cause
}

// trial is one case: what the engine makes of it, and what the baselines do.
type trial struct {
	id      string
	c       caseLine
	judge   func() (outcome, error)
	compare func() []observation
}

// outcome is what came of a trial.
type outcome struct {
	seen    []observation
	judged  []Judged
	answers []answer
}

// answer is what was said of a case beside the truth, for the list of mistakes.
type answer struct {
	group, question string
	truth, said     string
	right           bool
}

// observation is what one case adds to a measure of a method.
type observation struct {
	group, method, measure string
	stat                   stat
	value                  float64
}

// product is the method that is judged; the others are baselines.
const product = "culprit"

// yes and no as values of a proportion.
func share(ok bool) float64 {
	if ok {
		return 1
	}
	return 0
}

// trials are a set's cases in their order.
func (s *Set) trials(ctx context.Context, engine NewEngine) ([]trial, error) {
	switch s.mapping.Protocol {
	case protocolRank:
		return s.rankTrials(engine), nil
	case protocolDetect:
		return s.detectTrials(engine), nil
	case protocolPairs:
		return s.pairTrials(engine)
	default:
		return s.journalTrials(ctx, engine), nil
	}
}

// Cases asks the engine about each case of the set and gives the verdicts in the
// order of the cases; no baseline is computed. It is meant for fitting: engine
// may make engines with other parameters each time.
func (s *Set) Cases(ctx context.Context, engine NewEngine) iter.Seq2[Judged, error] {
	return func(yield func(Judged, error) bool) {
		trials, err := s.trials(ctx, engine)
		if err != nil {
			yield(Judged{}, err)
			return
		}
		outcomes, err := inOrder(ctx, trials, func(t trial) (outcome, error) { return t.judge() })
		if err != nil {
			yield(Judged{}, err)
			return
		}
		for i, o := range outcomes {
			for _, j := range o.judged {
				c := trials[i].c
				j.Group, j.Path, j.Half = c.group(), filepath.Join(s.dir, c.recording()), c.Half
				if !yield(j, nil) {
					return
				}
			}
		}
	}
}

// inOrder does all trials on all CPUs and gives the results in their order; the
// first error in that order ends it.
func inOrder[R any](ctx context.Context, trials []trial, do func(trial) (R, error)) ([]R, error) {
	results, failures := make([]R, len(trials)), make([]error, len(trials))
	var next atomic.Int64
	var stop atomic.Bool
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(trials)) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(trials) || stop.Load() {
					return
				}
				if failures[i] = ctx.Err(); failures[i] == nil {
					results[i], failures[i] = do(trials[i])
				}
				if failures[i] != nil {
					stop.Store(true)
				}
			}
		})
	}
	workers.Wait()
	for i, err := range failures {
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", trials[i].id, err)
		}
	}
	return results, nil
}
