package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/scenario"
)

func isBackup(job string) bool { return job == "restic" || job == "tar" }

func TestAccount(t *testing.T) {
	slow := chargedVerdict()
	slow.For = append(slow.For, "the third says no more")
	recovered := slow
	recovered.Phase, recovered.End = event.Closed, slow.At.Add(time.Minute)
	run := Run{Truth: RunTruth{Kind: scenario.Guilty, Cause: scenario.Contention, Suspect: "tar", Resource: "cpu"}}
	run.said = toldOf([]finding{{verdict: slow}, {verdict: recovered}})
	text := run.Account(isBackup)
	golden(t, "account.txt", text)

	run.Void, run.said = true, nil
	run.Truth = RunTruth{Cause: "faulty_disk", Innocent: []string{"restic", "copy"}}
	golden(t, "account-void.txt", run.Account(isBackup)+run.Summary(isBackup))
}

func TestWhatIsToldIsWhatWasSaidLast(t *testing.T) {
	require.Nil(t, toldOf(nil))
	slow := chargedVerdict()
	over := slow
	over.Phase = event.Closed
	require.Equal(t, event.Opened, toldOf([]finding{{verdict: slow}, {verdict: over}}).Phase)
	over.State = event.Unknown
	require.Equal(t, event.Closed, toldOf([]finding{{verdict: slow}, {verdict: over}}).Phase, "it was taken back")
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
