package rootcause_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// aggregated tells the same night by workload: amounts of jobs and units in place
// of those of processes, and a sign of life of each process.
func aggregated(facts []fact.Fact) []fact.Fact {
	of := map[fact.Process]fact.Workload{}
	told := make([]fact.Fact, 0, len(facts))
	for _, f := range facts {
		switch f := f.(type) {
		case fact.Described:
			f.Workload = fact.Workload{Type: "job", Name: f.Command, PID: f.Group}
			if f.Command == "shop" {
				f.Workload = fact.Workload{Type: "unit", Name: "shop.service"}
			}
			of[f.Process] = f.Workload
			told = append(told, f)
		case fact.Use:
			alive := f
			alive.Amounts = fact.Unknown()
			f.Workload, f.Process = of[f.Process], fact.Process{Host: hostName}
			told = append(told, f, alive)
		default:
			told = append(told, f)
		}
	}
	return told
}

func resticNight(seed uint64) *world {
	w := newWorld(seed)
	w.jobs = []job{{pid: 300, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 300, to: 400, cpu: 0.9, disk: 1e6}}
	w.latency = during(300, 400, 0.010, 0.150)
	w.runDelay = during(300, 400, 0.15, 0.65)
	return w
}

func TestWorkloadsToldBySourceGiveTheSameVerdict(t *testing.T) {
	facts := resticNight(1).facts(380)
	one := verdicts(run(t, newEngine(t, nil), facts))
	other := verdicts(run(t, newEngine(t, nil), aggregated(facts)))
	require.NotEmpty(t, one)
	require.Len(t, other, len(one))
	for i := range one {
		require.Equal(t, one[i].State, other[i].State)
		require.Equal(t, one[i].Suspects[0].Workload, other[i].Suspects[0].Workload)
		require.InDelta(t, one[i].Suspects[0].Probability, other[i].Suspects[0].Probability, 1e-9)
		require.Equal(t, one[i].Backups, other[i].Backups)
	}
	require.Equal(t, rootcause.StateNamed, other[len(other)-1].State)
}

// What is not told one by one is no suspect, however much it uses.
func TestTheSumOfOthersIsNobody(t *testing.T) {
	facts := resticNight(2).facts(380)
	told := aggregated(facts)
	for i, f := range told {
		if use, ok := f.(fact.Use); ok && use.Workload.Name == "restic" {
			use.Workload = fact.Workload{Type: fact.OtherWorkloads, Name: "other"}
			told[i] = use
		}
	}
	all := verdicts(run(t, newEngine(t, nil), told))
	require.NotEmpty(t, all)
	for _, v := range all {
		for _, s := range v.Suspects {
			require.NotEqual(t, rootcause.Contention, s.Cause)
		}
	}
}

// The host stalls on its disk, the site's own control group does not.
func TestThePressureOfTheVictimsOwnGroupCounts(t *testing.T) {
	night := func(groupStalls float64) []fact.Fact {
		w := resticNight(3)
		w.runDelay = always(0.15)
		w.jobs[0].cpu, w.jobs[0].disk = 0.02, 80e6
		w.io = during(300, 400, 0.01, 0.7)
		var told []fact.Fact
		for _, f := range aggregated(w.facts(380)) {
			switch f := f.(type) {
			case fact.Described:
				if f.Command == "shop" {
					f.Cgroup = "/system.slice/shop.service"
				}
				told = append(told, f)
			case fact.Pressure:
				own := f
				own.Cgroup, own.Some = "/system.slice/shop.service", min(f.Some, groupStalls)
				told = append(told, f, own)
			default:
				told = append(told, f)
			}
		}
		return told
	}
	last := func(facts []fact.Fact) rootcause.Verdict {
		all := verdicts(run(t, newEngine(t, nil), facts))
		require.NotEmpty(t, all)
		return all[len(all)-1]
	}
	require.Equal(t, rootcause.StateNamed, last(night(1)).State)
	require.NotEqual(t, rootcause.StateNamed, last(night(0.01)).State)
}

// A link is full. Whose bytes fill it is known, and that the victim's go over it.
func TestWhoFillsTheLinkIsNamed(t *testing.T) {
	night := func(known bool) rootcause.Verdict {
		w := resticNight(4)
		w.runDelay = always(0.15)
		w.jobs[0].command, w.jobs[0].args = "rsync", []string{"rsync", "-a", "/srv", "nas::backup"}
		w.jobs[0].cpu, w.jobs[0].disk = 0.02, 0
		var told []fact.Fact
		for _, f := range w.facts(380) {
			second := f.When().Sub(w.start).Seconds()
			if u, ok := f.(fact.Use); ok && known {
				u.Amounts[fact.NetworkReceive], u.Amounts[fact.NetworkTransmit] = 0, 1e6
				if u.Process.PID == w.jobs[0].pid {
					u.Amounts[fact.NetworkTransmit] = 120e6
				}
				f = u
			}
			told = append(told, f)
			if _, ok := f.(fact.Pressure); ok {
				sent := 1e6
				if second >= 300 {
					sent = 121e6
				}
				told = append(told, fact.Link{At: f.When(), Over: time.Second, Host: hostName, Interface: "eth0", Transmitted: sent, Speed: 125e6})
			}
		}
		all := verdicts(run(t, newEngine(t, nil), told))
		require.NotEmpty(t, all)
		return all[len(all)-1]
	}
	v := night(true)
	require.Equal(t, rootcause.StateNamed, v.State)
	require.Equal(t, rootcause.SharedNetwork, v.Suspects[0].Resource)
	require.Equal(t, "rsync", v.Suspects[0].Workload.Name)
	require.NotEqual(t, rootcause.StateNamed, night(false).State, "nobody knows whose bytes those are")
}
