package stage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// undoTime bounds each step of undoing.
const undoTime = 15 * time.Second

// undoAll undoes things, last first. It says in words what it undid, and returns
// what is left because it failed, with an error for each.
func undoAll(ctx context.Context, things []thing) (undone []string, left []thing, failure error) {
	var failed []error
	for _, t := range things {
		if r, ok := t.(resumer); ok {
			r.resume(ctx)
		}
	}
	for _, t := range things {
		k, ok := t.(killer)
		if !ok {
			continue
		}
		did, err := step(ctx, k.kill)
		if err != nil {
			failed = append(failed, fmt.Errorf("end the processes of %s: %w", t, err))
		}
		if did {
			undone = append(undone, fmt.Sprintf("ended the processes of %s", t))
		}
	}
	for _, t := range slices.Backward(things) {
		did, err := step(ctx, t.undo)
		if err != nil {
			failed = append(failed, fmt.Errorf("undo %s: %w", t, err))
			left = append(left, t)
			continue
		}
		if did {
			undone = append(undone, "removed "+t.String())
		}
	}
	slices.Reverse(left)
	return undone, left, errors.Join(failed...)
}

func step(ctx context.Context, do func(context.Context) (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, undoTime)
	defer cancel()
	return do(ctx)
}
