package trial

import (
	"context"
	"fmt"
	"time"

	"github.com/otel-culprit/culprit/internal/experiment"
)

// player plays an arm once. failure is how the backup failed with it; err is what
// ends the experiment.
type player func(ctx context.Context, arm string, repeat int) (failure, err error)

// confirm plays the remedy that was chosen again, as long as the time allows. If
// the backup fails with it, no more rounds are played.
func (t *trial) confirm(ctx context.Context, play player) error {
	remedy := t.report(experiment.Done, "").Decision.Remedy
	if remedy == "" || t.Confirm == 0 {
		return nil
	}
	t.Say("Confirming, %d times: no backup, the backup as it is, and %q.", t.Confirm, experiment.Label(remedy))
	for i, round := range experiment.Rounds(remedy, t.Confirm, t.random.IntN) {
		if end, ok := ctx.Deadline(); ok && time.Until(end) < time.Duration(len(round))*t.longest {
			t.Say("  no more confirming rounds: --limit-time would not hold")
			t.notes = append(t.notes, fmt.Sprintf("%d of %d confirming rounds were played: another would have passed --limit-time", i, t.Confirm))
			return nil
		}
		for _, arm := range round {
			failure, err := play(ctx, arm, t.Repeats+i)
			switch {
			case err != nil:
				return err
			case failure != nil && arm == remedy:
				t.Say("  no more confirming rounds: with %q, %v", experiment.Label(arm), failure)
				t.broke = failure.Error()
				return nil
			case failure != nil:
				return failure
			}
		}
	}
	return nil
}
