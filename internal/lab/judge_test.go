package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/scenario"
)

// roster knows jobs by PID.
type roster map[int64]string

func (r roster) job(workload string, pid int64) string {
	if name, ok := r[pid]; ok {
		return name
	}
	return workload
}

var (
	tarDidIt  = scenario.Truth{Cause: scenario.Contention, Suspect: "tar", Accomplices: []string{"rsync"}, Resource: "disk", Innocent: []string{"restic"}}
	surgeOnly = scenario.Truth{Cause: "traffic_surge", Innocent: []string{"restic"}}
	nothing   = scenario.Truth{Cause: scenario.Nothing, Innocent: []string{"restic"}}
	jobsOfRun = roster{10: "tar", 11: "rsync", 12: "restic"}
)

// said is a verdict that came after so many seconds.
func said(after int, state event.State, kind, resource string, pid int64) collector.Finding {
	v := event.Verdict{State: state, Cause: event.Suspect{Kind: kind, Resource: resource, Confidence: 0.9}}
	if pid != 0 {
		v.Cause.Workload, v.Cause.PID = "sh", pid
	}
	return collector.Finding{Received: time.Unix(int64(after), 0), Verdict: v}
}

// with is a finding that names another job together with the first.
func with(f collector.Finding, pid int64) collector.Finding {
	f.Verdict.Together = []event.Job{{Workload: "sh", PID: pid}}
	return f
}

func TestAVerdictIsRight(t *testing.T) {
	for name, c := range map[string]struct {
		truth    scenario.Truth
		findings []collector.Finding
		right    bool
		since    int64
	}{
		"named":              {tarDidIt, []collector.Finding{said(5, event.Named, "contention", "disk", 10)}, true, 5},
		"probable":           {tarDidIt, []collector.Finding{said(5, event.Probable, "contention", "disk", 10)}, true, 5},
		"an accomplice":      {tarDidIt, []collector.Finding{said(5, event.Named, "contention", "disk", 11)}, true, 5},
		"another resource":   {tarDidIt, []collector.Finding{said(5, event.Named, "contention", "cpu", 10)}, false, 5},
		"another job":        {tarDidIt, []collector.Finding{said(5, event.Named, "contention", "disk", 12)}, false, 5},
		"a stranger":         {tarDidIt, []collector.Finding{said(5, event.Named, "contention", "disk", 99)}, false, 5},
		"another cause":      {tarDidIt, []collector.Finding{said(5, event.Named, "faulty_disk", "", 0)}, false, 5},
		"unknown":            {tarDidIt, []collector.Finding{said(5, event.Unknown, "unknown", "", 0)}, false, 5},
		"silence":            {tarDidIt, nil, false, -62135596800},
		"taken back":         {tarDidIt, []collector.Finding{said(5, event.Named, "contention", "disk", 10), said(9, event.Unknown, "unknown", "", 0)}, false, 9},
		"at last":            {tarDidIt, []collector.Finding{said(5, event.Unknown, "unknown", "", 0), said(9, event.Named, "contention", "disk", 10)}, true, 9},
		"said again":         {tarDidIt, []collector.Finding{said(5, event.Named, "contention", "disk", 10), said(9, event.Named, "contention", "disk", 10)}, true, 5},
		"more sure":          {tarDidIt, []collector.Finding{said(5, event.Probable, "contention", "disk", 10), said(9, event.Named, "contention", "disk", 10)}, true, 5},
		"with an accomplice": {tarDidIt, []collector.Finding{with(said(5, event.Named, "contention", "disk", 10), 11)}, true, 5},
		"with an innocent":   {tarDidIt, []collector.Finding{with(said(5, event.Named, "contention", "disk", 10), 12)}, false, 5},
		"surge":              {surgeOnly, []collector.Finding{said(5, event.Named, "traffic_surge", "", 0)}, true, 5},
		"nothing wrong":      {nothing, nil, true, -62135596800},
		"nothing wrong, but": {nothing, []collector.Finding{said(5, event.Probable, "own_work", "", 0)}, false, 5},
		"nothing, unsure":    {nothing, []collector.Finding{said(5, event.Unknown, "contention", "disk", 10)}, true, 5},
	} {
		t.Run(name, func(t *testing.T) {
			verdict, since := verdictOf(c.findings, jobsOfRun)
			require.Equal(t, c.right, verdict.correct(c.truth))
			require.Equal(t, c.since, since.Unix())
		})
	}
}

func TestTheStrongestSuspectIsToldAlsoIfNobodyIsBlamed(t *testing.T) {
	require.Nil(t, strongestOf(nil, jobsOfRun))
	f := said(5, event.Unknown, "unknown", "", 0)
	f.Verdict.Suspects = []event.Suspect{
		{Kind: "unknown", Confidence: 0.5},
		{Kind: "contention", Resource: "disk", Workload: "sh", PID: 10, Confidence: 0.4},
	}
	require.Equal(t, &RunSuspect{Suspect: "tar", Cause: "contention", Resource: "disk", Confidence: 0.4}, strongestOf([]collector.Finding{f}, jobsOfRun))
	require.Equal(t, "tar", strongestOf([]collector.Finding{said(5, event.Named, "contention", "disk", 10)}, jobsOfRun).Suspect)
}

func TestBlame(t *testing.T) {
	charged := func(word string, pid int64) []collector.Finding {
		v := event.Verdict{State: event.Unknown, Backups: []event.Backup{{Finding: word, Workload: "sh", PID: pid}}}
		return []collector.Finding{{Verdict: v}}
	}
	for name, c := range map[string]struct {
		findings []collector.Finding
		blamed   bool
	}{
		"nobody":                  {nil, false},
		"the guilty":              {[]collector.Finding{said(5, event.Named, "contention", "disk", 10)}, false},
		"the innocent":            {[]collector.Finding{said(5, event.Probable, "contention", "disk", 12)}, true},
		"the innocent, for a bit": {[]collector.Finding{said(5, event.Named, "contention", "cpu", 12), said(6, event.Named, "contention", "disk", 10)}, true},
		"together":                {[]collector.Finding{with(said(5, event.Named, "contention", "disk", 10), 12)}, true},
		"suspected only":          {[]collector.Finding{said(5, event.Unknown, "contention", "disk", 12)}, false},
		"charged":                 {charged("charged", 12), true},
		"charged, and guilty":     {charged("charged", 10), false},
		"cleared":                 {charged("cleared", 12), false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.blamed, blames(c.findings, tarDidIt, jobsOfRun))
		})
	}
}
