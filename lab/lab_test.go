package lab_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/lab"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestPlans holds what each scenario does against a golden file, so that a change
// to a scenario is seen in words.
func TestPlans(t *testing.T) {
	list, err := lab.Scenarios()
	require.NoError(t, err)
	var b strings.Builder
	for _, s := range list {
		var plan scenario.Plan
		plan, err = s.Draw(1)
		require.NoError(t, err)
		b.WriteString(plan.Describe() + "\n")
	}
	golden := filepath.Join("testdata", "plans.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "run the test with -update if this is what the scenarios should do")
}

func TestEverySeedMakesAPlan(t *testing.T) {
	list, err := lab.Scenarios()
	require.NoError(t, err)
	kinds := map[scenario.Kind]int{}
	for _, s := range list {
		for seed := range uint64(20) {
			plan, err := s.Draw(seed * 0x9e3779b97f4a7c15)
			require.NoError(t, err)
			require.NotEmpty(t, plan.Describe())
			if seed == 0 {
				kinds[plan.Kind]++
			}
		}
	}
	require.GreaterOrEqual(t, len(list), 24)
	require.GreaterOrEqual(t, kinds[scenario.Innocent], 8)
	require.GreaterOrEqual(t, kinds[scenario.Guilty], 12)
}
