package trial

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/experiment"
)

// roundArms is how many arms a confirming round has: the baseline, the plain
// backup and the remedy.
const roundArms = 3

// rounds is how many confirming rounds there are at most.
func (o Options) rounds() int {
	if experiment.Coverage(o.Repeats) >= experiment.Confident {
		return 0
	}
	return o.Confirm
}

// confirm plays what was chosen again, as long as the time allows.
func (t *trial) confirm(ctx context.Context) error {
	if t.rounds() == 0 {
		return nil
	}
	arms := t.report(experiment.Done, "").ToConfirm()
	if len(arms) == 0 {
		return nil
	}
	t.Say("Confirming: %d rounds of no backup, the backup as it is, and %q.", t.rounds(), experiment.Label(arms[len(arms)-1]))
	for i, round := range experiment.Rounds(arms, t.rounds(), t.random.IntN) {
		if end, ok := ctx.Deadline(); ok && time.Until(end) < time.Duration(len(arms))*t.longest {
			t.Say("  no more confirming rounds: --limit-time would not hold")
			t.notes = append(t.notes, fmt.Sprintf("%d of %d confirming rounds were played: another would have passed --limit-time", i, t.rounds()))
			return nil
		}
		for _, arm := range round {
			if !slices.Contains(arms[:2], arm) && !slices.Contains(t.ids(), arm) {
				return nil // the backup failed with it: it is chosen no more
			}
			if err := t.block(ctx, arm, t.Repeats+i); err != nil {
				return err
			}
		}
	}
	return nil
}
