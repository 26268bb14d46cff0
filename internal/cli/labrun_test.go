package cli

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/lab"
	"github.com/otel-culprit/culprit/internal/scenario"
)

func TestASingleRunIsToldWithoutATally(t *testing.T) {
	quiet := lab.Run{Scenario: "quiet", Seed: 7, Truth: lab.RunTruth{Cause: scenario.Nothing, Innocent: []string{"tar"}}, Correct: true}
	for total, want := range map[int]string{
		1: "quiet                seed 7  right  no verdict, 0 s after the symptom; p95 0.0 -> 0.0 ms\n" +
			"  verdict    none came\n  true cause nothing was wrong; tar, a backup, did no harm\n",
		2: "  1/2  quiet                seed 7  right  no verdict, 0 s after the symptom; p95 0.0 -> 0.0 ms\n" +
			"  verdict    none came\n  true cause nothing was wrong; tar, a backup, did no harm\n" +
			"of 1: 1 right, 0 wrong, 0 void, 0 broken; 0 cannot be played here\n",
	} {
		var text bytes.Buffer
		l := labRun{streams: streams{out: &text, err: &text}, total: total, done: 1, keep: "here", isBackup: func(string) bool { return true }}
		l.tell(quiet)
		require.NoError(t, l.verdict())
		require.Equal(t, want, text.String())
	}
}

func TestAnInterruptedRunSaysNothingMore(t *testing.T) {
	require.ErrorIs(t, interrupted(errors.New("interrupt signal received")), errSaid)
}
