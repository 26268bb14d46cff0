package trial

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/lab/wait"
)

const (
	// looking is how often the site is looked at.
	looking = 250 * time.Millisecond
	// recent is how far back a look reaches.
	recent = 5 * time.Second
	// enough requests tell how the site is.
	enough = 10
)

// tooSlowError ends an experiment.
type tooSlowError struct{ why string }

func (e *tooSlowError) Error() string { return e.why }

// look returns an error if the site must not be troubled any further; when says
// what is going on.
func (t *trial) look(now time.Time, when string) error {
	took, failed := t.load.Took(now.Add(-recent), now)
	if len(took) < enough {
		return nil
	}
	slices.Sort(took)
	p95 := experiment.Quantile(took, 0.95)
	switch {
	case p95 > float64(t.AbortAbove.Milliseconds()):
		return &tooSlowError{fmt.Sprintf("p95 of the last %v was %.0f ms %s, above the bound of %v (--abort-above)", recent, p95, when, t.AbortAbove)}
	case failed > len(took)/2:
		return &tooSlowError{fmt.Sprintf("%d of the last %d requests failed %s, %s", failed, len(took), when, t.commonest(now.Add(-recent), now))}
	}
	return nil
}

// awaitCalm returns when the site was about as fast as in the baseline for the
// time to settle. calm is false if it did not become so.
func (t *trial) awaitCalm(ctx context.Context, arm string) (calm bool, err error) {
	const tolerated = 2 // times the p95 of the baseline
	began := time.Now()
	for {
		if err := wait.Sleep(ctx, looking); err != nil {
			return false, err
		}
		now := time.Now()
		if err := t.look(now, fmt.Sprintf("before the block %q", experiment.Label(arm))); err != nil {
			t.leave()
			return false, err
		}
		if now.Sub(began) < t.Settle {
			continue
		}
		took, _ := t.load.Took(now.Add(-t.Settle), now)
		slices.Sort(took)
		baseline := t.baseline()
		if baseline == 0 || experiment.Quantile(took, 0.95) <= tolerated*baseline {
			return true, nil
		}
		if now.Sub(began) > t.Settle+calming {
			return false, nil
		}
	}
}

// baseline is the usual p95 without a backup; zero if it is not known yet.
func (t *trial) baseline() float64 {
	var p95 []float64
	for _, b := range t.blocks {
		if b.Arm == experiment.Baseline {
			p95 = append(p95, b.P95)
		}
	}
	if len(p95) == 0 {
		return 0
	}
	return slices.Max(p95)
}
