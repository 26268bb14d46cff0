package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/lab"
	"github.com/otel-culprit/culprit/internal/scenario"
)

// arm is one whose p95 over the baseline is so.
func arm(id string, over, low, high, slowdown float64) experiment.Arm {
	return experiment.Arm{
		ID: id, Blocks: 3, OverBaseline: experiment.Effects{P95: experiment.Interval{Value: over, Low: low, High: high}},
		Slowdown: experiment.Interval{Value: slowdown, Low: slowdown, High: slowdown},
	}
}

// limited is the report of an experiment that ended so, on a backup that a limit of
// the disk's rate restores.
func limited(state experiment.State, d experiment.Decision) experiment.Report {
	return experiment.Report{State: state, Decision: d, Arms: []experiment.Arm{
		arm(experiment.Without, 18.3, 10.9, 21, 1), arm("io_limit_4", 1.02, .84, 1.09, 5.6),
	}}
}

func TestTableOfTryouts(t *testing.T) {
	seen := func(value, low, high float64) *experiment.Interval {
		return &experiment.Interval{Value: value, Low: low, High: high}
	}
	var done []tryout
	for _, one := range []struct {
		name  string
		state experiment.State
		experiment.Decision
	}{
		{"sure", experiment.Done, experiment.Decision{Remedy: "io_limit_4", Confirmed: seen(1.1, .9, 1.2), Sure: true}},
		{"confirmed", experiment.Done, experiment.Decision{Remedy: "io_limit_4", Confirmed: seen(1.3, .9, 1.8)}},
		{"not-confirmed", experiment.Done, experiment.Decision{Remedy: "io_limit_4", Confirmed: seen(1.6, 1.1, 2)}},
		{"repeats", experiment.Done, experiment.Decision{Remedy: "io_limit_4"}},
		{"no-remedy", experiment.Done, experiment.Decision{}},
		{"cut-short", experiment.Aborted, experiment.Decision{Remedy: "io_limit_4"}},
	} {
		done = append(done, summed(scenario.Plan{Name: one.name, Seed: 7}, limited(one.state, one.Decision)))
	}
	done = append(done, summed(scenario.Plan{Name: "nothing", Seed: 7}, experiment.Report{State: experiment.Done}))
	var out bytes.Buffer
	require.NoError(t, writeTryouts(&out, done))
	require.Equal(t, `
scenario       seed  plain p95, times the baseline  recommended           p95 with it, times the baseline  the backup takes     within 1.5
sure           7     18.3 (10.9 to 21.0)            1/4 of its disk rate  1.10 (0.90 to 1.20)              5.60 (5.60 to 5.60)  yes, surely
confirmed      7     18.3 (10.9 to 21.0)            1/4 of its disk rate  1.30 (0.90 to 1.80)              5.60 (5.60 to 5.60)  yes, not surely
not-confirmed  7     18.3 (10.9 to 21.0)            1/4 of its disk rate  1.60 (1.10 to 2.00)              5.60 (5.60 to 5.60)  no
repeats        7     18.3 (10.9 to 21.0)            1/4 of its disk rate  1.02 (0.84 to 1.09)              5.60 (5.60 to 5.60)  yes, not surely
no-remedy      7     18.3 (10.9 to 21.0)            nothing               -                                -                    no
cut-short      7     18.3 (10.9 to 21.0)            1/4 of its disk rate  1.02 (0.84 to 1.09)              5.60 (5.60 to 5.60)  no
nothing        7     -                              nothing               -                                -                    no
`, out.String())

	text, err := json.Marshal(done[0])
	require.NoError(t, err)
	require.Contains(t, string(text), `"remedy":"io_limit_4","restored_over_baseline":{"value":1.1,"low":0.9,"high":1.2,`)
	require.Contains(t, string(text), `"within":true,"sure":true`)
	text, err = json.Marshal(done[4])
	require.NoError(t, err)
	require.Contains(t, string(text), `"remedy":"","restored_over_baseline":null,"slowdown":null,"within":false,"sure":false`)
}

// ending is how the experiment on one scenario ends.
type ending struct {
	report *experiment.Report // nil for none
	err    error
}

// endings are experiments whose tryouts end so, one after the other. The whole of
// it is interrupted in the last one, if it is to be.
func endings(t *testing.T, interrupted bool, list ...ending) (out string, err error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var (
		printed bytes.Buffer
		plans   []scenario.Plan
	)
	l := labExperiments{streams: streams{out: &printed, err: io.Discard}}
	l.tryOut = func(context.Context, scenario.Plan, lab.TryoutOptions) ([]byte, error) {
		one := list[0]
		if list = list[1:]; len(list) == 0 && interrupted {
			cancel(errors.New("interrupt signal received"))
		}
		if one.report == nil {
			return nil, one.err
		}
		text, bad := json.Marshal(*one.report)
		require.NoError(t, bad)
		return text, one.err
	}
	for i := range list {
		plans = append(plans, scenario.Plan{Name: "scenario-" + string(rune('a'+i)), Seed: 7})
	}
	err = l.tryAll(ctx, plans)
	return printed.String(), err
}

func TestAReportIsToldWhateverHappens(t *testing.T) {
	restored := limited(experiment.Done, experiment.Decision{Remedy: "io_limit_4"})
	cut := limited(experiment.Interrupted, experiment.Decision{})

	out, err := endings(t, false, ending{report: &restored}, ending{report: &restored})
	require.NoError(t, err)
	require.Regexp(t, `(?m)^scenario-b .* yes, not surely$`, out)

	out, err = endings(t, false, ending{err: errors.New("no disk")}, ending{report: &restored})
	require.ErrorIs(t, err, errSaid, "one is broken")
	require.NotContains(t, out, "scenario-a ")
	require.Regexp(t, `(?m)^scenario-b .* yes, not surely$`, out)

	out, err = endings(t, false, ending{&restored, errors.New("not all was undone")})
	require.ErrorIs(t, err, errSaid, "not all was undone")
	require.Contains(t, out, "scenario-a, seed 7")
	require.Regexp(t, `(?m)^scenario-a .* yes, not surely$`, out)

	why := errors.New("interrupt signal received")
	out, err = endings(t, true, ending{report: &restored}, ending{&cut, why})
	require.ErrorIs(t, err, why)
	require.Regexp(t, `(?m)^scenario-a .* yes, not surely$`, out)
	require.Contains(t, out, "scenario-b, seed 7")
	require.Regexp(t, `(?m)^scenario-b .* no$`, out)

	out, err = endings(t, true, ending{report: &restored}, ending{err: why})
	require.ErrorIs(t, err, why)
	require.Regexp(t, `(?m)^scenario-a .* yes, not surely$`, out)
	require.NotContains(t, out, "scenario-b")
}
