package rootcause_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// with adds facts right before each tick, by the second since the start.
func with(w *world, n int, more func(second int, at time.Time) []fact.Fact) (facts []fact.Fact) {
	second := 0
	for _, f := range w.facts(n) {
		if tick, ok := f.(fact.Tick); ok {
			second++
			facts = append(facts, more(second, tick.At)...)
		}
		facts = append(facts, f)
	}
	return facts
}

func last(t *testing.T, events []rootcause.Event) rootcause.Verdict {
	t.Helper()
	list := verdicts(events)
	require.NotEmpty(t, list)
	return list[len(list)-1]
}

func TestADiskHogIsChargedWithTheDisk(t *testing.T) {
	w := newWorld(21)
	w.jobs = []job{{pid: 500, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 120, to: 200, cpu: 0.1, disk: 80e6}}
	w.latency = during(120, 200, 0.010, 0.150)
	w.io = during(120, 200, 0.01, 0.6)
	v := last(t, run(t, newEngine(t, nil), w.facts(180)))
	require.Equal(t, rootcause.StateNamed, v.State)
	require.Equal(t, rootcause.SharedDisk, v.Top().Resource)
	require.Equal(t, rootcause.Charged, v.Backups[0].Finding)
}

func TestAFailingDiskIsARival(t *testing.T) {
	w := newWorld(22)
	w.latency = during(120, 200, 0.010, 0.150)
	v := last(t, run(t, newEngine(t, nil), with(w, 180, func(second int, at time.Time) []fact.Fact {
		d := fact.Disk{At: at, Over: time.Second, Host: hostName, Device: "sda", Reads: 40, ReadBytes: 4e6, OpTime: 0.01}
		facts := []fact.Fact{d}
		if second >= 120 {
			d.OpTime = 3
			facts = []fact.Fact{d, fact.Log{At: at, Host: hostName, Body: "blk_update_request: I/O error, dev sda, sector 8"}}
		}
		return facts
	})))
	require.Equal(t, rootcause.FaultyDisk, v.Top().Cause)
	require.Equal(t, rootcause.StateNamed, v.State)
	require.NotEmpty(t, v.Remedies)
}

func TestMoreWorkPerRequestIsTheVictimsOwn(t *testing.T) {
	w := newWorld(23)
	w.latency = during(120, 200, 0.010, 0.060)
	w.siteCPU = during(120, 200, 0.2, 0.95)
	w.runDelay = always(0.02)
	v := last(t, run(t, newEngine(t, nil), w.facts(180)))
	require.Equal(t, rootcause.OwnWork, v.Top().Cause)
}

func TestNothingThatExplainsIsUnknownOrUpstream(t *testing.T) {
	w := newWorld(24)
	w.latency = during(120, 200, 0.010, 0.060)
	w.jobs = []job{{pid: 500, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 60, to: 300, cpu: 0.05, disk: 300e3}}
	v := last(t, run(t, newEngine(t, nil), w.facts(180)))
	require.Equal(t, rootcause.StateUnknown, v.State)
	require.NotEqual(t, rootcause.Charged, v.Backups[0].Finding)
}

func TestEveryRivalIsInTheList(t *testing.T) {
	v := last(t, run(t, newEngine(t, nil), contended(25).facts(180)))
	var causes []rootcause.Cause
	sum := 0.0
	for _, s := range v.Suspects {
		causes = append(causes, s.Cause)
		sum += s.Probability
	}
	require.Subset(t, causes, []rootcause.Cause{
		rootcause.Contention, rootcause.TrafficSurge, rootcause.OwnWork, rootcause.FaultyDisk, rootcause.Upstream, rootcause.UnknownCause,
	})
	require.InDelta(t, 1, sum, 1e-9)
	rival, ok := v.Rival()
	require.True(t, ok)
	require.NotEqual(t, v.Top().Cause, rival.Cause)
}

// Two are named together: the verdict is as sure as both are, and none of them is
// the rival of the other.
func TestThoseNamedTogetherAreOneExplanation(t *testing.T) {
	suspect := func(name string, probability float64, together bool) rootcause.Suspect {
		return rootcause.Suspect{
			Cause: rootcause.Contention, Resource: rootcause.SharedDisk, Workload: backup.Workload{Name: name}, Probability: probability, Together: together,
		}
	}
	unknown := rootcause.Suspect{Cause: rootcause.UnknownCause, Probability: 0.125}
	for name, test := range map[string]struct {
		state       rootcause.State
		suspects    []rootcause.Suspect
		others      []string
		probability float64
		rival       string // empty if there is none
	}{
		"two": {
			rootcause.StateNamed,
			[]rootcause.Suspect{suspect("borg", 0.5, true), unknown, suspect("rsync", 0.25, true), suspect("find", 0.125, false)},
			[]string{"rsync"},
			0.75, "find",
		},
		"three and nobody else": {
			rootcause.StateProbable,
			[]rootcause.Suspect{suspect("borg", 0.5, true), suspect("rsync", 0.25, true), suspect("tar", 0.125, true), unknown},
			[]string{"rsync", "tar"},
			0.875, "",
		},
		"one": {
			rootcause.StateNamed,
			[]rootcause.Suspect{suspect("borg", 0.75, false), suspect("rsync", 0.125, false), unknown},
			nil, 0.75, "rsync",
		},
		"nobody is named": {
			rootcause.StateUnknown,
			[]rootcause.Suspect{suspect("borg", 0.5, true), suspect("rsync", 0.25, true), unknown},
			nil, 0.5, "rsync",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := rootcause.Verdict{State: test.state, Suspects: test.suspects}
			var others []string
			for _, s := range v.Others() {
				others = append(others, s.Workload.Name)
			}
			require.Equal(t, test.others, others)
			require.InDelta(t, test.probability, v.Probability(), 1e-12)
			rival, ok := v.Rival()
			require.Equal(t, test.rival != "", ok)
			require.Equal(t, test.rival, rival.Workload.Name)
		})
	}
}

func TestAJobOnOtherCPUsDoesNotTakeTheCPU(t *testing.T) {
	w := contended(26)
	w.jobs[0].cpus = "0"
	v := last(t, run(t, newEngine(t, nil), w.facts(180)))
	require.NotEqual(t, rootcause.Charged, v.Backups[0].Finding)
	for _, s := range v.Suspects {
		require.NotEqual(t, rootcause.SharedCPU, s.Resource)
	}
}

func TestAWorkloadIsNotNamedWithoutTheVictimsWaits(t *testing.T) {
	var facts []fact.Fact
	for _, f := range contended(27).facts(180) {
		switch f := f.(type) {
		case fact.Pressure, fact.Serves: // neither is delivered
		default:
			facts = append(facts, f)
		}
	}
	v := last(t, run(t, newEngine(t, nil), facts))
	require.NotEqual(t, rootcause.StateNamed, v.State)
	require.Contains(t, strings.Join(v.Missing, "\n"), "which processes serve shop is not known")
}

func TestAProbeAloneSaysWhatItCannotSee(t *testing.T) {
	w := contended(28)
	w.probe = true
	v := last(t, run(t, newEngine(t, nil), w.facts(180)))
	require.Contains(t, strings.Join(v.Missing, "\n"), "only a probe measures shop")
}

func TestABackupRecognisedByNameOnlyIsSaid(t *testing.T) {
	w := contended(29)
	w.jobs[0].args = nil
	v := last(t, run(t, newEngine(t, nil), w.facts(180)))
	require.Equal(t, rootcause.Charged, v.Backups[0].Finding)
	require.Contains(t, strings.Join(v.Missing, "\n"), "recognised by its name only")
}

func TestAVictimThatFallsSilentEndsItsEpisode(t *testing.T) {
	w := contended(30)
	w.latency = during(120, 1<<30, 0.010, 0.050)
	e := newEngine(t, nil)
	run(t, e, w.facts(150))
	var events []rootcause.Event
	for second := 151; second < 600; second++ {
		got, err := e.Step(fact.Tick{At: w.start.Add(time.Duration(second) * time.Second)})
		require.NoError(t, err)
		events = append(events, got...)
	}
	v := last(t, events)
	require.Equal(t, rootcause.Closed, v.Phase)
	require.Equal(t, rootcause.ReasonVictimVanished, v.Reason)
}

func TestAUnitIsOneWorkload(t *testing.T) {
	w := contended(31)
	w.jobs = nil
	v := last(t, run(t, newEngine(t, nil), with(w, 180, func(second int, at time.Time) (facts []fact.Fact) {
		if second < 120 {
			return nil
		}
		for pid := int64(800); pid < 803; pid++ {
			p := fact.Process{Host: hostName, PID: pid, Start: 1}
			a := fact.Unknown()
			a[fact.CPU] = 0.18
			facts = append(facts,
				fact.Described{At: at, Process: p, Group: pid, Command: "restic", Args: []string{"restic", "backup"}, Cgroup: "/system.slice/nightly.service", CPUs: "1"},
				fact.Use{At: at, Over: time.Second, Process: p, Amounts: a})
		}
		return facts
	})))
	require.Equal(t, "nightly.service", v.Top().Workload.Name)
	require.Zero(t, v.Top().Workload.PID)
	require.Len(t, v.Backups, 1)
	throttle := v.Remedies[len(v.Remedies)-1]
	require.Equal(t, "systemctl set-property --runtime 'nightly.service' CPUWeight=1", throttle.Command)
	require.Equal(t, rootcause.DoesNotWork, throttle.Works, "this host has no systemd")
}

func TestASecondBadTimeMayHaveAnotherCause(t *testing.T) {
	w := contended(32) // the backup hurts from 120 to 160
	w.jobs = append(w.jobs, job{pid: 700, command: "compile", from: 180, to: 220, cpu: 0.55})
	w.latency = func(second int) float64 {
		if second >= 120 && second < 160 || second >= 180 && second < 220 {
			return 0.050
		}
		return 0.010
	}
	w.runDelay = func(second int) float64 { return 0.15 + 10*(w.latency(second)-0.010) }
	list := verdicts(run(t, newEngine(t, nil), w.facts(220)))
	require.Equal(t, "tar", list[0].Top().Workload.Name)
	v := list[len(list)-1]
	require.Equal(t, list[0].ID, v.ID, "half a minute of good latency would part two episodes; this was less")
	require.Equal(t, "compile", v.Top().Workload.Name)
	require.Equal(t, rootcause.ReasonCauseChanged, v.Reason)
	require.Equal(t, rootcause.Cleared, v.Backups[0].Finding)
}

func TestALongBackupStaysChargedToItsEnd(t *testing.T) {
	for _, every := range []int{1, 60} {
		w := newWorld(33)
		w.every = every
		long := xz
		long.from, long.to = 1200, 4200
		w.jobs = []job{long}
		w.latency, w.runDelay = during(1200, 4200, 0.010, 0.050), during(1200, 4200, 0.15, 0.65)
		events := run(t, newEngine(t, nil), w.facts(4800))
		list := verdicts(events)
		require.NotEmpty(t, list)
		for _, v := range list {
			require.Equal(t, list[0].ID, v.ID)
			require.Equal(t, "tar", v.Top().Workload.Name)
			require.Equal(t, rootcause.StateNamed, v.State)
			require.Len(t, v.Backups, 1)
			require.Equal(t, rootcause.Charged, v.Backups[0].Finding)
		}
		require.Equal(t, rootcause.Closed, list[len(list)-1].Phase)
		windows := 0
		for _, ev := range events {
			if _, ok := ev.(rootcause.Window); ok {
				windows++
			}
		}
		require.Equal(t, 2, windows, "opened once, closed once")
	}
}

// The leader of a job may be a shell that only waits, and its tar in a group of its
// own: what is done must reach tar.
func TestARemedyActsOnTheToolAndNotOnTheShellThatStartedIt(t *testing.T) {
	w := newWorld(8)
	w.jobs = []job{{pid: 500, command: "tar", args: strings.Fields("tar -cJf b.txz /srv"), from: 120, to: 200, cpu: 0.5}}
	w.latency, w.runDelay = during(120, 200, 0.010, 0.100), during(120, 200, 0.15, 0.7)
	told := fact.Workload{Type: "job", Name: "tar", PID: 400}
	var facts []fact.Fact
	for _, f := range w.facts(300) {
		switch d := f.(type) {
		case fact.Described:
			if d.Process.PID == 500 {
				shell := fact.Described{At: d.At, Process: w.process(400), Group: 400, Session: 400, Command: "bash", Workload: told}
				facts = append(facts, shell)
				d.Workload, d.Group, d.Session = told, 499, 400
				f = d
			}
		default:
		}
		facts = append(facts, f)
	}
	last := verdicts(run(t, newEngine(t, nil), facts))
	require.NotEmpty(t, last)
	var commands []string
	for _, r := range last[0].Remedies {
		commands = append(commands, r.Command)
	}
	all := strings.Join(commands, "\n")
	require.Contains(t, all, "/proc/500/autogroup")
	require.Contains(t, all, "-g 499")
	require.NotContains(t, all, "400")
}
