package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/scenario"
)

func isBackup(job string) bool { return job == "restic" || job == "tar" }

// chargedVerdict names a backup, and charges it.
func chargedVerdict() event.Verdict {
	onset := time.Date(2026, 11, 21, 7, 41, 3, 0, time.UTC)
	return event.Verdict{
		ID: "v1", Phase: event.Opened, At: onset.Add(12 * time.Second), Host: "web1", Service: "shop",
		Onset: onset, State: event.Named, Latency: 0.133, Baseline: 0.022,
		Cause: event.Suspect{Kind: "contention", Resource: "cpu", Workload: "nightly-backup (pid 4711)", Confidence: 0.93},
		Backups: []event.Backup{{
			WindowID: "w1", Tool: "tar", Workload: "nightly-backup (pid 4711)", Finding: "charged",
			Reason: "It began to use the CPU 1 s before the latency rose.",
		}},
		For: []string{"The site's wait for a CPU rose from 0.11 to 0.67 s/s.", "The backup uses 0.52 cores, where it used none."},
		Remedies: []event.Remedy{
			{Title: "Lower the priority of the backup's session", Command: "echo 19 > /proc/4711/autogroup", Works: "yes", Why: "the scheduler groups tasks by session"},
			{Title: "Renice it", Command: "renice -n 19 -p 4711", Works: "no", Why: "nice values count inside a session only"},
		},
	}
}

func TestAccount(t *testing.T) {
	slow := chargedVerdict()
	slow.For = append(slow.For, "the third says no more")
	recovered := slow
	recovered.Phase, recovered.End = event.Closed, slow.At.Add(time.Minute)
	run := Run{Truth: RunTruth{Kind: scenario.Guilty, Cause: scenario.Contention, Suspect: "tar", Resource: "cpu"}}
	run.said = toldOf([]collector.Finding{{Verdict: slow}, {Verdict: recovered}})
	text := run.Account(isBackup)
	require.Equal(t, `  verdict    shop on web1 takes 133 ms instead of 22 ms; the cause is cpu contention by
             nightly-backup (pid 4711) (93 %).
  because    The site's wait for a CPU rose from 0.11 to 0.67 s/s.
             The backup uses 0.52 cores, where it used none.
  remedy     Lower the priority of the backup's session (works here): the scheduler groups tasks by
             session
             $ echo 19 > /proc/4711/autogroup
  backups    tar, nightly-backup (pid 4711): CHARGED. It began to use the CPU 1 s before the latency
             rose.
  true cause tar, a backup, took the CPU
`, text)

	run.Void, run.said = true, nil
	run.Truth = RunTruth{Cause: "faulty_disk", Innocent: []string{"restic", "copy"}}
	void := `  verdict    none came
  true cause the site's disk was slow or stood still; restic, a backup, and copy did no harm
  void       visitors did not wait twice as long as before, so the run proves nothing: was the host
             busy before it?
`
	require.Equal(t, void, run.Account(isBackup))
	require.Equal(t, void, run.Summary(isBackup))
}

func TestWhatIsToldIsWhatWasSaidLast(t *testing.T) {
	require.Nil(t, toldOf(nil))
	slow := chargedVerdict()
	over := slow
	over.Phase = event.Closed
	require.Equal(t, event.Opened, toldOf([]collector.Finding{{Verdict: slow}, {Verdict: over}}).Phase)
	over.State = event.Unknown
	require.Equal(t, event.Closed, toldOf([]collector.Finding{{Verdict: slow}, {Verdict: over}}).Phase, "it was taken back")
}

func TestTheTruthInWords(t *testing.T) {
	for want, truth := range map[string]RunTruth{
		"restic, a backup, took the disk":                      {Cause: "contention", Suspect: "restic", Resource: "disk"},
		"tar, a backup, and rsync took the disk":               {Cause: "contention", Suspect: "tar", Accomplices: []string{"rsync"}, Resource: "disk"},
		"search took the disk; restic, a backup, did no harm":  {Cause: "contention", Suspect: "search", Resource: "disk", Innocent: []string{"restic"}},
		"tar, a backup, pushed the site's files out of memory": {Cause: "contention", Suspect: "tar", Resource: "page_cache"},
		"more visitors came; restic, a backup, did no harm":    {Cause: "traffic_surge", Innocent: []string{"restic"}},
		"nothing was wrong; restic, a backup, did no harm":     {Cause: scenario.Nothing, Innocent: []string{"restic"}},
		"nothing was wrong":                                    {Cause: scenario.Nothing},
		"a service that the site asks was slow":                {Cause: "upstream"},
		"the site made itself slow":                            {Cause: "own_work"},
		"dump held a lock that the site waited for":            {Cause: "contention", Suspect: "dump", Resource: "lock"},
		"tar, a backup, filled the disk":                       {Cause: "contention", Suspect: "tar", Resource: "disk_space"},
		"tar, a backup, filled the link":                       {Cause: "contention", Suspect: "tar", Resource: "network"},
		"tar, a backup, took what the site needed":             {Cause: "contention", Suspect: "tar"},
	} {
		require.Equal(t, want, truth.sentence(isBackup))
	}
}
