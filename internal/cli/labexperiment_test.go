package cli

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/scenario"
)

// arm is one whose p95 over the baseline is so.
func arm(id string, over, low, high, slowdown float64) experiment.Arm {
	return experiment.Arm{
		ID: id, Blocks: 3, OverBaseline: experiment.Effects{P95: experiment.Interval{Value: over, Low: low, High: high}},
		Slowdown: experiment.Interval{Value: slowdown, Low: slowdown, High: slowdown},
	}
}

func TestTableOfTryouts(t *testing.T) {
	plain, limited := arm(experiment.Without, 18.3, 10.9, 21, 1), arm("io_limit_4", 1.02, .84, 1.09, 5.6)
	of := func(state experiment.State, remedy string) experiment.Report {
		return experiment.Report{State: state, Arms: []experiment.Arm{plain, limited}, Decision: experiment.Decision{Remedy: remedy}}
	}
	done := []tryout{
		summed(scenario.Plan{Name: "disk-restic", Seed: 7}, of(experiment.Done, "io_limit_4")),
		summed(scenario.Plan{Name: "disk-rsync", Seed: 7}, of(experiment.Done, "")),
		summed(scenario.Plan{Name: "net-rsync", Seed: 7}, of(experiment.Aborted, "io_limit_4")),
		summed(scenario.Plan{Name: "cpu-xz", Seed: 7}, experiment.Report{State: experiment.Done}),
	}
	var out, said bytes.Buffer
	require.NoError(t, writeTryouts(&out, done))
	require.Equal(t, `
scenario     seed  plain p95 over baseline  recommended  p95 over baseline with it  the backup takes     within 1.5
disk-restic  7     18.3 (10.9 to 21.0)      io_limit_4   1.02 (0.84 to 1.09)        5.60 (5.60 to 5.60)  yes
disk-rsync   7     18.3 (10.9 to 21.0)      nothing      -                          -                    no
net-rsync    7     18.3 (10.9 to 21.0)      io_limit_4   1.02 (0.84 to 1.09)        5.60 (5.60 to 5.60)  no
cpu-xz       7     -                        nothing      -                          -                    no
`, out.String())

	require.NoError(t, restoredAll(&said, done[:1], 0))
	require.ErrorIs(t, restoredAll(&said, done[:1], 1), errSaid)
	require.ErrorIs(t, restoredAll(&said, done, 0), errSaid)
	require.Contains(t, said.String(), "of 4: 1 brought back, 3 not, 0 broken")

	text, err := json.Marshal(done[1])
	require.NoError(t, err)
	require.Contains(t, string(text), `"remedy":"","restored_over_baseline":null,"slowdown":null,"within":false`)
}
