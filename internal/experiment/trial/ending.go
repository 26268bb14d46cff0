package trial

import (
	"errors"
	"slices"

	"github.com/otel-culprit/culprit/internal/experiment"
)

// ending tells how the blocks ended. What failed beside the reason is noted.
func (t *trial) ending(err error) (state experiment.State, stopped string, failure error) {
	if err == nil {
		return experiment.Done, "", nil
	}
	var slow *tooSlowError
	switch {
	case errors.As(err, &slow) && len(t.blocks) > 0:
		state, stopped = experiment.Aborted, slow.Error()
	case errors.Is(err, errTime) && len(t.blocks) > 0:
		state, stopped = experiment.OutOfTime, errTime.Error()
	case errors.Is(err, errInterrupted) && len(t.blocks) > 0:
		state, stopped = experiment.Interrupted, errInterrupted.Error()
	case slices.ContainsFunc(t.blocks, func(b experiment.Block) bool { return b.Arm == experiment.Without }):
		t.Say("STOPPED: %v", err)
		return experiment.Failed, err.Error(), nil
	default: // there is nothing to compare
		return "", "", err
	}
	t.Say("STOPPED: %s", stopped)
	for _, other := range parts(err) {
		if !errors.As(other, &slow) && !errors.Is(other, errTime) && !errors.Is(other, errInterrupted) {
			t.Say("%v", other)
			t.notes = append(t.notes, other.Error())
		}
	}
	return state, stopped, nil
}

// parts are the errors that were joined.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, one := range joined.Unwrap() {
		list = append(list, parts(one)...)
	}
	return list
}
