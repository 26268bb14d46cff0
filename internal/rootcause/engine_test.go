package rootcause_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

var xz = job{pid: 500, command: "tar", args: []string{"tar", "-cJf", "/srv/b.txz", "/srv"}, from: 120, to: 160, cpu: 0.55}

func contended(seed uint64) *world {
	w := newWorld(seed)
	w.jobs = []job{xz}
	w.latency = during(120, 160, 0.010, 0.050)
	w.runDelay = during(120, 160, 0.15, 0.65)
	return w
}

func TestBackupThatTakesTheCPUIsCharged(t *testing.T) {
	got := verdicts(run(t, newEngine(t, nil), contended(1).facts(260)))
	require.NotEmpty(t, got)

	first := got[0]
	require.Equal(t, rootcause.Opened, first.Phase)
	require.Equal(t, rootcause.StateNamed, first.State)
	require.Equal(t, rootcause.Contention, first.Top().Cause)
	require.Equal(t, rootcause.SharedCPU, first.Top().Resource)
	require.Equal(t, "tar", first.Top().Tool)
	require.Len(t, first.Backups, 1)
	require.Equal(t, rootcause.Charged, first.Backups[0].Finding)
	require.NotEmpty(t, first.Remedies)
	require.Equal(t, "echo 19 > /proc/500/autogroup", first.Remedies[0].Command)
	require.Equal(t, rootcause.DoesWork, first.Remedies[0].Works)

	last := got[len(got)-1]
	require.Equal(t, rootcause.Closed, last.Phase)
	require.Equal(t, rootcause.ReasonLatencyRecovered, last.Reason)
	require.Equal(t, first.ID, last.ID)
	require.False(t, last.End.Before(last.Onset))
}

func TestSurgeClearsTheHarmlessBackup(t *testing.T) {
	w := newWorld(2)
	w.jobs = []job{
		{pid: 500, command: "tar", args: []string{"tar", "-cf", "/srv/b.tar", "/srv"}, from: 110, to: 170, cpu: 0.03, disk: 300e3, cpus: "0"},
		{pid: 600, command: "loadgen", from: 0, to: 300, cpu: 0.05, cpus: "0"},
	}
	w.rate = during(120, 160, 60, 180)
	w.siteCPU = during(120, 160, 0.45, 0.95)
	w.latency = during(120, 160, 0.010, 0.7)
	w.runDelay = during(120, 160, 0.15, 0.05)

	got := verdicts(run(t, newEngine(t, nil), w.facts(260)))
	require.NotEmpty(t, got)
	require.Equal(t, rootcause.TrafficSurge, got[0].Top().Cause)
	require.Equal(t, rootcause.StateNamed, got[0].State)
	require.Len(t, got[0].Backups, 1)
	require.Equal(t, rootcause.Cleared, got[0].Backups[0].Finding)
}

func TestOtherJobIsNamedAndTheBackupIsNot(t *testing.T) {
	w := contended(3)
	w.jobs = []job{
		{pid: 700, command: "compile", from: 120, to: 160, cpu: 0.55},
		{pid: 500, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 100, to: 170, cpu: 0.03, disk: 300e3},
	}
	got := verdicts(run(t, newEngine(t, nil), w.facts(260)))
	require.NotEmpty(t, got)
	require.Equal(t, "compile", got[0].Top().Workload.Name)
	require.Empty(t, got[0].Top().Tool)
	require.Equal(t, rootcause.Cleared, got[0].Backups[0].Finding)
}

func TestBackupAfterTheOnsetIsCleared(t *testing.T) {
	w := newWorld(4)
	w.latency = during(120, 170, 0.010, 0.060)
	late := xz
	late.from, late.to = 140, 170
	w.jobs = []job{late}
	w.runDelay = during(140, 170, 0.15, 0.3)
	got := verdicts(run(t, newEngine(t, nil), w.facts(170)))
	require.NotEmpty(t, got)
	last := got[len(got)-1]
	require.NotEqual(t, rootcause.StateNamed, last.State)
	require.Len(t, last.Backups, 1)
	require.Equal(t, rootcause.Cleared, last.Backups[0].Finding)
	require.Contains(t, last.Backups[0].Sentence, "after the latency rose")
}

func TestNothingWrongTellsNothing(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(100 + seed)
		w.jobs = []job{{pid: 500, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 60, to: 500, cpu: 0.2, disk: 5e6}}
		require.Empty(t, verdicts(run(t, newEngine(t, nil), w.facts(600))))
	}
}
