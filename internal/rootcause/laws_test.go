package rootcause_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// show is everything that an event says, as text.
func show(events []rootcause.Event) string {
	var b strings.Builder
	for _, ev := range events {
		fmt.Fprintf(&b, "%T %+v\n", ev, ev)
	}
	return b.String()
}

// incidents are worlds of every kind, for the laws that hold in all of them.
func incidents() map[string]*world {
	surge := newWorld(12)
	surge.rate, surge.siteCPU = during(120, 160, 60, 180), during(120, 160, 0.45, 0.95)
	surge.latency = during(120, 160, 0.010, 0.7)
	coarse := contended(13)
	coarse.every = 10
	return map[string]*world{"contended": contended(11), "surge": surge, "coarse": coarse, "quiet": newWorld(14)}
}

func TestTheSameFactsGiveTheSameEvents(t *testing.T) {
	for name, w := range incidents() {
		facts := w.facts(220)
		once := show(run(t, newEngine(t, nil), facts))
		for range 3 {
			require.Equal(t, once, show(run(t, newEngine(t, nil), facts)), name)
		}
	}
}

func TestTheEventsOfAPrefixAreAPrefix(t *testing.T) {
	for name, w := range incidents() {
		facts := w.facts(220)
		all := show(run(t, newEngine(t, nil), facts))
		for _, part := range []int{1, 2, 3} {
			prefix := show(run(t, newEngine(t, nil), facts[:len(facts)*part/4]))
			require.True(t, strings.HasPrefix(all, prefix), name)
		}
	}
}

func TestShiftingAllTimesShiftsTheVerdicts(t *testing.T) {
	const by = 12_345 * time.Second
	w := contended(15)
	before := verdicts(run(t, newEngine(t, nil), w.facts(220)))
	w = contended(15)
	w.start = w.start.Add(by)
	after := verdicts(run(t, newEngine(t, nil), w.facts(220)))
	require.Len(t, after, len(before))
	for i := range before {
		require.Equal(t, before[i].Onset.Add(by), after[i].Onset)
		require.Equal(t, before[i].At.Add(by), after[i].At)
		require.InDelta(t, before[i].Top().Probability, after[i].Top().Probability, 0)
	}
}

func TestAProcessThatDoesNothingChangesNothing(t *testing.T) {
	plain := verdicts(run(t, newEngine(t, nil), contended(16).facts(220)))
	e := newEngine(t, nil)
	var with []rootcause.Event
	for _, f := range contended(16).facts(220) {
		if tick, ok := f.(fact.Tick); ok {
			idle := fact.Process{Host: hostName, PID: 900, Start: 1}
			_, err := e.Step(fact.Described{At: tick.At, Process: idle, Command: "sleep", Group: 900})
			require.NoError(t, err)
			nothing := fact.Unknown()
			nothing[fact.CPU], nothing[fact.DiskRead], nothing[fact.DiskWrite] = 0, 0, 0
			_, err = e.Step(fact.Use{At: tick.At, Over: time.Second, Process: idle, Amounts: nothing})
			require.NoError(t, err)
		}
		events, err := e.Step(f)
		require.NoError(t, err)
		with = append(with, events...)
	}
	require.Equal(t, show(asEvents(plain)), show(asEvents(verdicts(with))))
}

func asEvents(list []rootcause.Verdict) (events []rootcause.Event) {
	for _, v := range list {
		events = append(events, v)
	}
	return events
}

func TestStateStaysWithinItsBound(t *testing.T) {
	e := newEngine(t, func(p *rootcause.Params) { p.MaxProcesses, p.MaxWorkloads, p.MaxVictims = 50, 20, 3 })
	at := time.Unix(1_790_000_000, 0)
	refused := 0
	for i := range int64(500) {
		p := fact.Process{Host: hostName, PID: 1000 + i, Start: i}
		if _, err := e.Step(fact.Described{At: at, Process: p, Command: "c", Group: p.PID}); err != nil {
			require.ErrorIs(t, err, rootcause.ErrBound)
			refused++
		}
		_, err := e.Step(fact.Latency{At: at, Over: time.Second, Service: fmt.Sprint("s", i), Signal: "server"})
		if i >= 3 {
			require.ErrorIs(t, err, rootcause.ErrBound)
		}
	}
	require.Equal(t, 480, refused)
	for i := range 300 {
		for _, f := range []fact.Fact{
			fact.Disk{At: at, Over: time.Second, Host: hostName, Device: fmt.Sprint("sd", i)},
			fact.Link{At: at, Over: time.Second, Host: hostName, Interface: fmt.Sprint("veth", i)},
		} {
			if _, err := e.Step(f); i >= 256 {
				require.ErrorIs(t, err, rootcause.ErrBound)
			}
		}
	}
	_, err := e.Step(fact.Tick{At: at})
	require.NoError(t, err)
	require.Len(t, e.Snapshot().Victims, 3)
}

func TestHostileFactsAreRefusedOrHarmless(t *testing.T) {
	e := newEngine(t, nil)
	at := time.Unix(1_790_000_000, 0)
	nan, inf := math.NaN(), math.Inf(1)
	p := fact.Process{Host: hostName, PID: 5, Start: 5}
	for _, f := range []fact.Fact{
		fact.Tick{At: at},
		fact.Use{At: at, Over: 0, Process: p, Amounts: fact.Amounts{fact.CPU: 1}},
		fact.Use{At: at, Over: -time.Second, Process: p, Amounts: fact.Amounts{fact.CPU: inf}},
		fact.Use{At: at, Over: time.Second, Process: p, Amounts: fact.Amounts{fact.CPU: -3, fact.DiskRead: nan}},
		fact.Described{At: at, Process: p, CPUs: "0-99999999,x", Cgroup: "///", Command: "a\nb"},
		fact.Latency{At: at, Service: "s", Signal: "server", Count: nan, Buckets: []fact.Bucket{{Low: nan, High: inf, Count: nan}}},
		fact.Latency{At: at, Over: time.Hour * 1e5, Service: "s", Signal: "server", Count: inf, Oldest: nan},
		fact.Disk{At: at, Over: time.Second, Host: hostName, Device: "sda", OpTime: nan},
		fact.Pressure{At: at, Over: time.Second, Host: hostName, Resource: "io", Some: inf},
		fact.Tick{At: at.Add(time.Second)},
	} {
		_, err := e.Step(f)
		require.NoError(t, err, "%+v", f)
	}
	_, err := e.Step(fact.Use{At: at.Add(24 * time.Hour), Over: time.Second, Process: p})
	require.ErrorIs(t, err, rootcause.ErrFuture)
	_, err = e.Step(fact.Tick{At: at.Add(-time.Second)})
	require.ErrorIs(t, err, rootcause.ErrClock)
}

func TestAClockThatGoesBackIsSurvived(t *testing.T) {
	e := newEngine(t, nil)
	run(t, e, contended(17).facts(150)) // into the incident
	w := contended(17)
	w.start = w.start.Add(-time.Hour)
	facts := w.facts(260)
	var events []rootcause.Event
	complaints := 0
	for _, f := range facts {
		got, err := e.Step(f)
		if err != nil {
			require.ErrorIs(t, err, rootcause.ErrClock)
			complaints++
		}
		events = append(events, got...)
	}
	require.Equal(t, 1, complaints)
	got := verdicts(events)
	require.NotEmpty(t, got)
	named := false
	for _, v := range got {
		named = named || v.Phase == rootcause.Opened && v.State == rootcause.StateNamed && v.Top().Tool == "tar"
	}
	require.True(t, named, "the incident in the new time is found again")
}
