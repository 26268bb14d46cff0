package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/lab/output"
)

// shortPlan plays everything in a few seconds; its figures mean nothing.
func shortPlan() Plan {
	return Plan{
		Warm: time.Second, Learn: time.Second, Verdict: 5 * time.Second, During: time.Second, Settle: 100 * time.Millisecond,
		Measure: time.Second, Recover: 500 * time.Millisecond, Close: 5 * time.Second, Drain: 5 * time.Second,
		Overlap: 500 * time.Millisecond, Utilised: 0.2, Surge: 2, DataSet: 32, Limit: time.Minute,
	}
}

func shortDemo(t *testing.T) (opts Options, progress *bytes.Buffer) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	self, err := os.Executable()
	require.NoError(t, err)
	progress = new(bytes.Buffer)
	return Options{Collector: self, Config: "unused", Progress: progress, Seed: 1, Plan: shortPlan()}, progress
}

func requireNothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestDemoPlaysBothActsAndLeavesNothing(t *testing.T) {
	opts, progress := shortDemo(t)
	opts.HTML = "report.html"
	var truth []Truth
	opts.Report = func(_ context.Context, journal, html string, told []Truth) error {
		facts, err := os.ReadFile(journal)
		require.NoError(t, err)
		require.Equal(t, "facts\n", string(facts))
		require.Equal(t, "report.html", html)
		truth = told
		return nil
	}
	result, err := Run(t.Context(), opts)
	require.NoError(t, err, progress.String())
	require.True(t, result.Right(), progress.String())
	require.Len(t, truth, 2)
	for i, act := range result.Acts {
		require.Equal(t, act.Truth, act.Verdict)
		require.Positive(t, float64(act.P95.Before))
		require.Positive(t, float64(act.P95.During))
		require.Positive(t, float64(act.P95.After))
		require.Equal(t, act.Name, truth[i].Name)
		require.True(t, truth[i].From.Before(truth[i].To))
	}
	require.Contains(t, progress.String(), "REMEDY")
	require.Contains(t, progress.String(), "The report is in report.html:")
	requireNothingLeft(t)
}

func TestDemoEndsEarlyAndLeavesNothing(t *testing.T) {
	opts, _ := shortDemo(t)
	opts.Plan.Learn = time.Minute
	ctx, cancel := context.WithTimeoutCause(t.Context(), 4*time.Second, context.Canceled)
	defer cancel()
	result, err := Run(ctx, opts)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, result.Right())
	requireNothingLeft(t)
}

func TestDemoTellsWhyTheCollectorEnded(t *testing.T) {
	opts, _ := shortDemo(t)
	program := filepath.Join(t.TempDir(), "collector")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho no such key: tick\nexit 1\n"), 0o700))
	opts.Collector = program
	_, err := Run(t.Context(), opts)
	require.ErrorContains(t, err, "the collector ended early (exit status 1)")
	require.ErrorContains(t, err, "no such key: tick")
	requireNothingLeft(t)
}

func TestDemoNeedsACollectorThatCanBeRun(t *testing.T) {
	_, err := Run(t.Context(), Options{Collector: "no/such/collector"})
	require.ErrorContains(t, err, "cannot be run (no such file or directory)")
	require.ErrorContains(t, err, "no/such/collector")
}

func TestDemoNeedsACollector(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Run(t.Context(), Options{})
	require.ErrorContains(t, err, "otelcol-culprit is neither beside this program nor in the PATH")
}

func TestPlanFitsItsLimit(t *testing.T) {
	p := DefaultPlan()
	const startAndStop = 25 * time.Second
	require.LessOrEqual(t, p.Longest()+startAndStop, p.Limit)
	require.Less(t, p.Limit, 4*time.Minute)
	require.Equal(t, p.Close, p.patience(p.Limit-p.Warm-p.Learn-startAndStop/2, p.guilty()+p.innocent()), "act 1 can wait")
	require.Equal(t, p.Close, p.patience(time.Hour, p.innocent()))
	require.Equal(t, 3*time.Second, p.patience(p.innocent()+ending+3*time.Second, p.innocent()), "the limit is kept")
	require.Zero(t, p.patience(p.innocent(), p.innocent()))
	require.Greater(t, p.Utilised*p.Surge, 1.0, "the surge must be more than the site can serve")
}

func TestResultAsJSON(t *testing.T) {
	result := Result{Acts: []Act{{
		Name: "guilty_backup", Truth: truthCharged, Verdict: truthCharged, Cause: "contention", trueCause: "contention",
		Confidence: 0.93125, OnsetToVerdict: 12.3456, P95: Percentiles{Before: 22.5, During: 180, After: 24}, answered: true,
	}, {
		Name: "innocent_backup", Truth: truthCleared, Verdict: "none", Cause: "none", trueCause: "traffic_surge",
		Confidence: output.Unknown(), OnsetToVerdict: output.Unknown(), P95: Percentiles{Before: output.Unknown()},
	}}}
	text, err := json.Marshal(result)
	require.NoError(t, err)
	require.JSONEq(t, `{"acts": [
		{"name": "guilty_backup", "truth": "charged:cpu", "verdict": "charged:cpu", "cause": "contention", "confidence": 0.931,
		 "onset_to_verdict_s": 12.346, "p95_ms": {"before": 22.5, "during": 180, "after": 24}},
		{"name": "innocent_backup", "truth": "cleared", "verdict": "none", "cause": "none", "confidence": null,
		 "onset_to_verdict_s": null, "p95_ms": {"before": null, "during": 0, "after": 0}}]}`, string(text))
	require.False(t, result.Right())
	require.True(t, result.Acts[0].Right())
	result.Acts[1] = result.Acts[0]
	require.True(t, result.Right())
	result.Acts = result.Acts[:1]
	require.False(t, result.Right(), "an act that was not played is not right")
}
