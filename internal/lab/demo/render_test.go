package demo

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/output"
)

// golden compares text with a file of testdata, which -update rewrites.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run the tests with -update to make it")
	require.Equal(t, string(want), got)
}

func chargedVerdict() event.Verdict {
	onset := time.Date(2026, 11, 21, 7, 41, 3, 0, time.UTC)
	rival := event.Suspect{Kind: "traffic_surge", Confidence: 0.03, Why: "the request rate stayed at 61 per second"}
	return event.Verdict{
		ID: "v1", Phase: event.Opened, Reason: "cause_named", At: onset.Add(12 * time.Second), Host: "web1", Service: "shop",
		Onset: onset, State: event.Named, Latency: 0.133, Baseline: 0.022, RequestRate: 61,
		Cause: event.Suspect{
			Kind: "contention", Resource: "cpu", Workload: "nightly-backup (pid 4711)", Confidence: 0.93,
			Why: "the site waited 669 ms per second for a CPU on which the backup ran, and 113 ms per second before",
		},
		Rival:    rival,
		Suspects: []event.Suspect{rival},
		Backups: []event.Backup{{
			WindowID: "w1", Tool: "tar", Workload: "nightly-backup (pid 4711)", Finding: "charged",
			Reason: "It began to use the CPU 1 s before the latency rose.",
		}},
		For:     []string{"The site's wait for a CPU rose from 0.11 to 0.67 s/s.", "The backup uses 0.52 cores, where it used none."},
		Against: []string{"The site's CPU has been shared with one other job before."},
		Missing: []string{"Bytes that the processes sent over the network."},
		Remedies: []event.Remedy{
			{Title: "Lower the priority of the backup's session", Command: "echo 19 > /proc/4711/autogroup", Works: "yes", Why: "the scheduler groups tasks by session"},
			{Title: "Renice it", Command: "renice -n 19 -p 4711", Works: "no", Why: "nice values count inside a session only"},
			{Title: "Move the backup to another hour", Works: "unknown"},
		},
	}
}

func TestRenderVerdict(t *testing.T) {
	golden(t, "charged.txt", renderVerdict(chargedVerdict(), 60, time.UTC))
	golden(t, "unknown.txt", renderVerdict(event.Verdict{
		Phase: event.Opened, Service: "shop", State: event.Unknown, Cause: event.Suspect{Kind: "unknown"},
		Onset: chargedVerdict().Onset, At: chargedVerdict().At,
	}, 60, time.UTC))
}

func TestRenderVerdictLeavesOutWhatIsNotKnown(t *testing.T) {
	v := chargedVerdict()
	v.Rival.Why, v.Backups[0].Reason, v.Backups[0].Workload, v.Remedies[0].Why = "", "", "", ""
	text := renderVerdict(v, 0, time.UTC)
	require.Contains(t, text, "  rival      a surge of traffic, 3 %\n")
	require.Contains(t, text, "  backup     tar: CHARGED.\n")
	require.Contains(t, text, "  remedies   1. Lower the priority of the backup's session (works here)\n")
	require.Contains(t, text, "  requests   61 per second\n")
	v.RequestRate = math.NaN()
	require.NotContains(t, renderVerdict(v, 60, time.UTC), "requests")
}

func TestCommandsAreNeverWrapped(t *testing.T) {
	v := chargedVerdict()
	v.Remedies[0].Command = strings.TrimSpace(strings.Repeat("systemctl set-property ", 12))
	require.Contains(t, renderVerdict(v, 0, time.UTC), "                $ "+v.Remedies[0].Command+"\n")
}

func TestRenderPhasesAndSummary(t *testing.T) {
	right := Act{
		Name: "guilty_backup", Truth: truthCharged, Verdict: truthCharged, Cause: "contention", trueCause: "contention",
		Confidence: 0.93, OnsetToVerdict: 12, P95: Percentiles{22, 133, 24}, answered: true,
	}
	silent := Act{Name: "innocent_backup", Truth: truthCleared, Verdict: "none", Cause: "none", trueCause: "traffic_surge", OnsetToVerdict: output.Unknown()}
	golden(t, "phases.txt", renderPhases([]phaseStats{
		{"before", load.Stats{Offered: 600, Rate: 61, P50: 9.04, P95: 22.2}},
		{"backup", load.Stats{Offered: 600, Unfinished: 7, Rate: 60, P50: 45, P95: 133}},
		{"nobody came", load.Stats{P50: math.NaN(), P95: math.NaN()}},
	})+renderSummary(Result{Acts: []Act{right, silent}}))
}

func TestJudge(t *testing.T) {
	mine := func(id string) bool { return id == "mine" }
	backups := func(findings ...string) event.Verdict {
		v := event.Verdict{State: event.Named, Cause: event.Suspect{Resource: "cpu"}}
		for i := 0; i < len(findings); i += 2 {
			v.Backups = append(v.Backups, event.Backup{WindowID: findings[i], Finding: findings[i+1]})
		}
		return v
	}
	require.Equal(t, "charged:cpu", judge(backups("other", "cleared", "mine", "charged"), mine))
	require.Equal(t, "cleared", judge(backups("other", "charged", "mine", "cleared"), mine))
	require.Equal(t, "undecided", judge(backups("other", "charged"), mine))
	require.Equal(t, "undecided", judge(backups("mine", "undecided"), mine))

	require.True(t, settled(backups("mine", "cleared"), mine))
	require.False(t, settled(backups("mine", "undecided"), mine))
	probable := backups("mine", "charged")
	probable.State = event.Probable
	require.False(t, settled(probable, mine))
}
