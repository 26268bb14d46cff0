package rootcauseprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

var (
	onset  = time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	restic = backup.Workload{Host: "web1", Name: "restic", PID: 7, Start: 1}
	night  = backup.Window{ID: "w1", Tool: "restic", Workload: restic, Start: onset.Add(-time.Second)}
)

func verdict(state rootcause.State, suspects ...rootcause.Suspect) rootcause.Verdict {
	return rootcause.Verdict{
		ID: "v1", Phase: rootcause.Updated, Reason: rootcause.ReasonCauseNamed, At: onset.Add(9 * time.Second),
		Victim: rootcause.Victim{Service: "shop", Host: "web1"}, Onset: onset, State: state, Suspects: suspects,
		Backups:  []rootcause.Backup{{Window: night, Finding: rootcause.Charged, Sentence: "it reads most"}},
		Missing:  []string{"no PSI"},
		Remedies: []rootcause.Remedy{{Title: "Slow it down", Command: "renice 19 -p 7", Works: rootcause.DoesNotWork, Why: "autogroup"}},
		Latency:  2, Baseline: 0.5, RequestRate: 10,
	}
}

var (
	guilty = rootcause.Suspect{
		Cause: rootcause.Contention, Resource: rootcause.SharedDisk, Workload: restic, Probability: 0.9,
		Evidence: []rootcause.Evidence{
			{Weight: 1, Sentence: "it started when the latency rose"},
			{Weight: -0.5, Sentence: "its share did not grow"},
			{Weight: 3, Sentence: "the site waits for the disk"},
			{Weight: 2, Sentence: "it reads more than before"},
			{Weight: 0, Sentence: "this says nothing"},
		},
	}
	surge = rootcause.Suspect{
		Cause: rootcause.TrafficSurge, Probability: 0.05,
		Evidence: []rootcause.Evidence{{Weight: 0.1, Sentence: "there are requests"}, {Weight: -2, Sentence: "the request rate is as before"}},
	}
	unknown = rootcause.Suspect{Cause: rootcause.UnknownCause, Probability: 0.05}
)

func TestVerdictEvent(t *testing.T) {
	blamed := event.Suspect{
		Kind: "contention", Resource: "disk", Workload: "restic", PID: 7, Confidence: 0.9,
		Why: "the site waits for the disk; it reads more than before",
	}
	lost := event.Suspect{Kind: "traffic_surge", Confidence: 0.05, Why: "the request rate is as before"}
	require.Equal(t, event.Verdict{
		ID: "v1", Phase: event.Updated, Reason: "cause_named", At: onset.Add(9 * time.Second), Host: "web1", Service: "shop",
		Onset: onset, State: event.Named, Cause: blamed, Rival: lost,
		Suspects: []event.Suspect{blamed, lost, {Kind: "unknown", Confidence: 0.05}},
		Backups:  []event.Backup{{WindowID: "w1", Tool: "restic", Workload: "restic", PID: 7, Finding: "charged", Reason: "it reads most"}},
		For:      []string{"the site waits for the disk", "it reads more than before", "it started when the latency rose"},
		Against:  []string{"its share did not grow"},
		Missing:  []string{"no PSI"},
		Remedies: []event.Remedy{{Title: "Slow it down", Command: "renice 19 -p 7", Works: "no", Why: "autogroup"}},
		Latency:  2, Baseline: 0.5, RequestRate: 10,
	}, verdictEvent(verdict(rootcause.StateNamed, guilty, surge, unknown)))
}

// Those that are named together are told together, with the confidence of all; none
// of them is the rival.
func TestVerdictEventOfSomeTogether(t *testing.T) {
	one, other := guilty, guilty
	one.Probability, one.Together = 0.5, true
	other.Probability, other.Together = 0.375, true
	other.Workload = backup.Workload{Host: "web1", Name: "borg", PID: 8, Start: 1}
	v := verdictEvent(verdict(rootcause.StateNamed, one, other, surge, unknown))
	require.InDelta(t, 0.875, v.Cause.Confidence, 1e-12)
	require.Equal(t, []event.Job{{Workload: "borg", PID: 8}}, v.Together)
	require.Equal(t, "traffic_surge", v.Rival.Kind)
	require.InDelta(t, 0.5, v.Suspects[0].Confidence, 0, "each suspect keeps its own")

	v = verdictEvent(verdict(rootcause.StateUnknown, one, other, unknown))
	require.Empty(t, v.Together, "nobody is named")
	require.Equal(t, "restic", v.Rival.Workload)
}

// When nothing stands out, the strongest suspect is a rival and no cause.
func TestVerdictEventWithoutCause(t *testing.T) {
	for name, suspects := range map[string][]rootcause.Suspect{
		"a suspect leads":   {guilty, surge, unknown},
		"unknown leads":     {unknown, guilty},
		"unknown is absent": {guilty},
	} {
		t.Run(name, func(t *testing.T) {
			v := verdictEvent(verdict(rootcause.StateUnknown, suspects...))
			require.Equal(t, event.Unknown, v.State)
			require.Equal(t, "unknown", v.Cause.Kind)
			require.Empty(t, v.Cause.Workload)
			require.Equal(t, "restic", v.Rival.Workload)
			require.EqualValues(t, 7, v.Rival.PID)
			require.Empty(t, v.For)
		})
	}
	require.Empty(t, verdictEvent(verdict(rootcause.StateUnknown, unknown)).Rival)
}

func TestLogsOfEvents(t *testing.T) {
	ld := newLogs([]rootcause.Event{
		rootcause.Window{Phase: rootcause.Opened, Reason: rootcause.ReasonBackupStarted, At: onset, Window: night},
		rootcause.Episode{
			ID: "e1", Phase: rootcause.Closed, At: onset.Add(time.Minute), Victim: rootcause.Victim{Service: "shop"},
			Onset: onset, End: onset.Add(time.Minute), Latency: 3, Baseline: 1,
		},
		verdict(rootcause.StateNamed, guilty),
	})
	records := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, 3, records.Len())
	for i, want := range []string{event.NameBackupWindow, event.NameEpisode, event.NameVerdict} {
		require.Equal(t, want, records.At(i).EventName())
		require.NotZero(t, records.At(i).ObservedTimestamp())
		require.NotEmpty(t, records.At(i).Body().Str())
	}
	require.Equal(t, event.Window{
		ID: "w1", Phase: event.Opened, At: onset, Host: "web1", Tool: "restic", Workload: "restic", PID: 7, Start: night.Start,
	}, windowEvent(rootcause.Window{Phase: rootcause.Opened, At: onset, Window: night}))
	require.Equal(t, onset.Add(time.Minute), records.At(1).Timestamp().AsTime())
}
