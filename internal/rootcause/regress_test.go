package rootcause_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

func TestABackupThatStallsOnItsOwnReadsIsNotNamed(t *testing.T) {
	// The host's io pressure is the backup's own: the site does not use the disk.
	w := newWorld(41)
	w.jobs = []job{{pid: 500, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 120, to: 200, cpu: 0.1, disk: 80e6}}
	w.latency, w.io = during(120, 200, 0.010, 0.150), during(120, 200, 0.01, 0.6)
	var facts []fact.Fact
	for _, f := range w.facts(180) {
		if u, ok := f.(fact.Use); ok && u.Process.PID == 100 {
			u.Amounts[fact.DiskRead] = 0
			f = u
		}
		facts = append(facts, f)
	}
	v := last(t, run(t, newEngine(t, nil), facts))
	require.NotEqual(t, rootcause.StateNamed, v.State)
}

func TestAWorkloadIsNotNamedWithoutTheWaitForItsResource(t *testing.T) {
	// The run-queue delay is known, but no pressure: nothing tells of disk waits.
	w := newWorld(42)
	w.jobs = []job{{pid: 500, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 120, to: 200, cpu: 0.1, disk: 80e6}}
	w.latency = during(120, 200, 0.010, 0.150)
	var facts []fact.Fact
	for _, f := range w.facts(180) {
		if _, ok := f.(fact.Pressure); !ok {
			facts = append(facts, f)
		}
	}
	v := last(t, run(t, newEngine(t, nil), facts))
	require.NotEqual(t, rootcause.StateNamed, v.State)
}

func TestLateReadingsOpenOneWindow(t *testing.T) {
	w := contended(43)
	var events []rootcause.Event
	e := newEngine(t, nil)
	var late []fact.Fact
	for _, f := range w.facts(260) {
		switch f.(type) {
		case fact.Tick, fact.Latency:
			got, err := e.Step(f)
			require.NoError(t, err)
			events = append(events, got...)
			for len(late) > 0 && f.When().Sub(late[0].When()) > 7*time.Second {
				_, err := e.Step(late[0])
				require.NoError(t, err)
				late = late[1:]
			}
		default:
			late = append(late, f)
		}
	}
	windows := 0
	for _, ev := range events {
		if _, ok := ev.(rootcause.Window); ok {
			windows++
		}
	}
	require.Equal(t, 2, windows)
}

func TestAClockThatGoesBackClosesWhatIsOpen(t *testing.T) {
	e := newEngine(t, nil)
	w := contended(44)
	run(t, e, w.facts(150))
	events, err := e.Step(fact.Tick{At: w.start.Add(-time.Hour)})
	require.ErrorContains(t, err, "by 1h2m30")
	var window, verdict bool
	for _, ev := range events {
		switch ev := ev.(type) {
		case rootcause.Window:
			window = ev.Phase == rootcause.Closed
		case rootcause.Verdict:
			verdict = ev.Phase == rootcause.Closed
			require.False(t, ev.End.After(ev.At))
		}
	}
	require.True(t, window)
	require.True(t, verdict)
}

func TestAWildFirstTimeIsSurvived(t *testing.T) {
	for _, wild := range []time.Time{time.Unix(0, 0), time.Unix(4_000_000_000, 0)} {
		e := newEngine(t, nil)
		_, _ = e.Step(fact.Latency{At: wild, Over: time.Second, Service: "shop", Host: hostName, Signal: "server", Count: 1}) // refused or not
		w := contended(45)
		var events []rootcause.Event
		for _, f := range w.facts(200) {
			got, err := e.Step(f)
			if err == nil {
				events = append(events, got...)
			}
		}
		require.NotEmpty(t, verdicts(events), wild)
	}
}

func TestAReusedPIDIsAnotherJob(t *testing.T) {
	e := newEngine(t, nil)
	at := time.Unix(1_790_000_000, 0)
	run(t, e, []fact.Fact{
		fact.Tick{At: at},
		fact.Described{At: at, Process: fact.Process{Host: hostName, PID: 500, Start: 1}, Group: 500, Command: "restic", Args: []string{"restic", "backup"}},
		fact.Described{At: at.Add(20 * time.Second), Process: fact.Process{Host: hostName, PID: 500, Start: 2}, Group: 500, Command: "cc1"},
		fact.Use{At: at.Add(21 * time.Second), Over: time.Second, Process: fact.Process{Host: hostName, PID: 500, Start: 2}},
		fact.Tick{At: at.Add(30 * time.Second)},
	})
	top := e.Snapshot().Top
	require.NotEmpty(t, top)
	for _, v := range top {
		if v.Workload.Name == "cc1" {
			require.Empty(t, v.Tool)
			return
		}
	}
	require.Fail(t, "the new job is not listed", "%+v", top)
}

func TestADeadHostDoesNotBlindAServiceWithoutAHost(t *testing.T) {
	w := contended(46)
	var facts []fact.Fact
	for _, f := range w.facts(180) {
		if l, ok := f.(fact.Latency); ok {
			l.Host = ""
			f = l
		}
		facts = append(facts, f)
	}
	dead := fact.Process{Host: "gone", PID: 1, Start: 1}
	facts = append([]fact.Fact{
		fact.Tick{At: w.start},
		fact.Use{At: w.start, Over: time.Second, Process: dead},
	}, facts...)
	v := last(t, run(t, newEngine(t, nil), facts))
	require.Equal(t, rootcause.StateNamed, v.State)
	require.Equal(t, "tar", v.Top().Workload.Name)
}

func TestSlowTicksStillReassess(t *testing.T) {
	w := contended(47)
	w.jobs[0].to = 400
	w.latency = during(120, 400, 0.010, 0.050)
	w.runDelay = during(200, 400, 0.15, 0.65) // the waits are seen only later
	var events []rootcause.Event
	e := newEngine(t, nil)
	for _, f := range w.facts(390) {
		if tick, ok := f.(fact.Tick); ok && tick.At.Unix()%10 != 3 {
			continue
		}
		got, err := e.Step(f)
		require.NoError(t, err)
		events = append(events, got...)
	}
	require.Equal(t, rootcause.StateNamed, last(t, events).State)
}

func TestWhatTheUserSaysOfAServiceIsAFact(t *testing.T) {
	w := newWorld(48)
	w.latency = during(0, 1<<30, 0.5, 0.5) // slow from the beginning: no baseline can tell
	facts := append([]fact.Fact{fact.Service{At: w.start, Name: "shop", Processes: []string{"shop"}, Objective: 0.3}}, w.facts(60)...)
	v := last(t, run(t, newEngine(t, nil), facts))
	require.Equal(t, "shop", v.Victim.Service)
}

func TestEveryEventIsJSON(t *testing.T) {
	w := contended(49)
	var facts []fact.Fact
	for _, f := range w.facts(260) {
		if u, ok := f.(fact.Use); ok && u.Process.PID == 500 {
			u.Amounts[fact.DiskRead] = 1e100
			f = u
		}
		facts = append(facts, f)
	}
	for _, ev := range run(t, newEngine(t, nil), facts) {
		_, err := json.Marshal(ev)
		require.NoError(t, err)
	}
}
