package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/event"
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
func said(after int, state event.State, kind, resource string, pid int64) finding {
	v := event.Verdict{State: state, Cause: event.Suspect{Kind: kind, Resource: resource, Confidence: 0.9}}
	if pid != 0 {
		v.Cause.Workload, v.Cause.PID = "sh", pid
	}
	return finding{received: time.Unix(int64(after), 0), verdict: v}
}

// with is a finding that names another job together with the first.
func with(f finding, pid int64) finding {
	f.verdict.Together = []event.Job{{Workload: "sh", PID: pid}}
	return f
}

func TestAVerdictIsRight(t *testing.T) {
	for name, c := range map[string]struct {
		truth    scenario.Truth
		findings []finding
		right    bool
		since    int64
	}{
		"named":              {tarDidIt, []finding{said(5, event.Named, "contention", "disk", 10)}, true, 5},
		"probable":           {tarDidIt, []finding{said(5, event.Probable, "contention", "disk", 10)}, true, 5},
		"an accomplice":      {tarDidIt, []finding{said(5, event.Named, "contention", "disk", 11)}, true, 5},
		"another resource":   {tarDidIt, []finding{said(5, event.Named, "contention", "cpu", 10)}, false, 5},
		"another job":        {tarDidIt, []finding{said(5, event.Named, "contention", "disk", 12)}, false, 5},
		"a stranger":         {tarDidIt, []finding{said(5, event.Named, "contention", "disk", 99)}, false, 5},
		"another cause":      {tarDidIt, []finding{said(5, event.Named, "faulty_disk", "", 0)}, false, 5},
		"unknown":            {tarDidIt, []finding{said(5, event.Unknown, "unknown", "", 0)}, false, 5},
		"silence":            {tarDidIt, nil, false, -62135596800},
		"taken back":         {tarDidIt, []finding{said(5, event.Named, "contention", "disk", 10), said(9, event.Unknown, "unknown", "", 0)}, false, 9},
		"at last":            {tarDidIt, []finding{said(5, event.Unknown, "unknown", "", 0), said(9, event.Named, "contention", "disk", 10)}, true, 9},
		"said again":         {tarDidIt, []finding{said(5, event.Named, "contention", "disk", 10), said(9, event.Named, "contention", "disk", 10)}, true, 5},
		"more sure":          {tarDidIt, []finding{said(5, event.Probable, "contention", "disk", 10), said(9, event.Named, "contention", "disk", 10)}, true, 5},
		"with an accomplice": {tarDidIt, []finding{with(said(5, event.Named, "contention", "disk", 10), 11)}, true, 5},
		"with an innocent":   {tarDidIt, []finding{with(said(5, event.Named, "contention", "disk", 10), 12)}, false, 5},
		"surge":              {surgeOnly, []finding{said(5, event.Named, "traffic_surge", "", 0)}, true, 5},
		"nothing wrong":      {nothing, nil, true, -62135596800},
		"nothing wrong, but": {nothing, []finding{said(5, event.Probable, "own_work", "", 0)}, false, 5},
		"nothing, unsure":    {nothing, []finding{said(5, event.Unknown, "contention", "disk", 10)}, true, 5},
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
	f.verdict.Suspects = []event.Suspect{
		{Kind: "unknown", Confidence: 0.5},
		{Kind: "contention", Resource: "disk", Workload: "sh", PID: 10, Confidence: 0.4},
	}
	require.Equal(t, &RunSuspect{Suspect: "tar", Cause: "contention", Resource: "disk", Confidence: 0.4}, strongestOf([]finding{f}, jobsOfRun))
	require.Equal(t, "tar", strongestOf([]finding{said(5, event.Named, "contention", "disk", 10)}, jobsOfRun).Suspect)
}

func TestBlame(t *testing.T) {
	charged := func(word string, pid int64) []finding {
		v := event.Verdict{State: event.Unknown, Backups: []event.Backup{{Finding: word, Workload: "sh", PID: pid}}}
		return []finding{{verdict: v}}
	}
	for name, c := range map[string]struct {
		findings []finding
		blamed   bool
	}{
		"nobody":                  {nil, false},
		"the guilty":              {[]finding{said(5, event.Named, "contention", "disk", 10)}, false},
		"the innocent":            {[]finding{said(5, event.Probable, "contention", "disk", 12)}, true},
		"the innocent, for a bit": {[]finding{said(5, event.Named, "contention", "cpu", 12), said(6, event.Named, "contention", "disk", 10)}, true},
		"together":                {[]finding{with(said(5, event.Named, "contention", "disk", 10), 12)}, true},
		"suspected only":          {[]finding{said(5, event.Unknown, "contention", "disk", 12)}, false},
		"charged":                 {charged("charged", 12), true},
		"charged, and guilty":     {charged("charged", 10), false},
		"cleared":                 {charged("cleared", 12), false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.blamed, blames(c.findings, tarDidIt, jobsOfRun))
		})
	}
}

func TestTheSymptomBeginsWhenVisitsAreSlow(t *testing.T) {
	start := time.Unix(1000, 0)
	var visits []visit
	for i := range 200 { // one each 100 ms; slow from 10 s on, and one slow at 4 s
		took := 10 * time.Millisecond
		if i >= 100 || i == 40 {
			took = 100 * time.Millisecond
		}
		visits = append(visits, visit{planned: start.Add(time.Duration(i) * 100 * time.Millisecond), took: took})
	}
	end := start.Add(20 * time.Second)
	at, ok := slowFrom(visits, start.Add(5*time.Second), end, end, 20)
	require.True(t, ok)
	require.Equal(t, start.Add(10*time.Second), at)
	_, ok = slowFrom(visits, start, end, end, 200)
	require.False(t, ok, "none was so slow")
	visits[199].took = -1
	at, ok = slowFrom(visits, start.Add(19900*time.Millisecond), end, end.Add(time.Minute), 20_000)
	require.True(t, ok, "an unfinished visit counts with its age")
	require.Equal(t, visits[199].planned, at)
}
