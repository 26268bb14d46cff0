package rootcause

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
)

func TestAHostWithoutWorkloadsIsKept(t *testing.T) {
	for name, tell := range map[string]func(at time.Time) fact.Fact{
		"cpu": func(at time.Time) fact.Fact {
			return fact.CPUTime{At: at, Over: time.Second, Host: "db1", Cores: 2, Busy: 1}
		},
		"disk": func(at time.Time) fact.Fact {
			return fact.Disk{At: at, Over: time.Second, Host: "db1", Device: "sda", Reads: 1}
		},
		"link": func(at time.Time) fact.Fact {
			return fact.Link{At: at, Over: time.Second, Host: "db1", Interface: "eth0", Received: 1}
		},
		"pressure": func(at time.Time) fact.Fact {
			return fact.Pressure{At: at, Over: time.Second, Host: "db1", Resource: "io", Some: 0.1}
		},
		"paging": func(at time.Time) fact.Fact { return fact.Paging{At: at, Over: time.Second, Host: "db1", SwapIn: 1} },
		"filesystem": func(at time.Time) fact.Fact {
			return fact.Filesystem{At: at, Host: "db1", Mountpoint: "/", Size: 10, Available: 1}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := testEngine(t, DefaultParams())
			start := time.Unix(1_790_000_000, 0)
			step := func(f fact.Fact) {
				_, err := e.Step(f)
				require.NoError(t, err)
			}
			step(tell(start))
			first := e.byHost["db1"]
			for second := range 100 {
				at := start.Add(time.Duration(second) * time.Second)
				step(tell(at))
				step(fact.Tick{At: at})
			}
			require.Same(t, first, e.byHost["db1"])
			step(fact.Tick{At: start.Add(2 * window * time.Second)})
			require.Empty(t, e.byHost, "it fell silent")
		})
	}
}

func TestATickHasItsShareOfAssessments(t *testing.T) {
	const services = 150
	perTick := maxLooked / workLook
	require.Less(t, perTick, services, "else this shows nothing")
	e := testEngine(t, DefaultParams())
	start := time.Unix(1_790_000_000, 0)
	looks := map[string]int{}
	assessed, verdicts := 0, 0
	for second := range 420 {
		at := start.Add(time.Duration(second) * time.Second)
		for i := range services {
			v := 0.01
			if second >= 350 && second < 390 {
				v = 0.5
			}
			_, err := e.Step(fact.Latency{At: at, Over: time.Second, Service: "site" + string(rune('0'+i)), Signal: "server", Count: 100, Buckets: []fact.Bucket{{Low: v, High: 1.1 * v, Count: 100}}})
			require.NoError(t, err)
		}
		events, err := e.Step(fact.Tick{At: at})
		require.NoError(t, err)
		for _, ev := range events {
			if v, ok := ev.(Verdict); ok && v.Phase == Closed {
				verdicts++
			}
		}
		now := 0
		for _, v := range e.victims {
			if last, _ := v.assessed(); last.Equal(at) {
				now++
				looks[v.id.Service]++
			}
		}
		require.LessOrEqual(t, now, perTick)
		assessed = max(assessed, now)
	}
	require.Equal(t, perTick, assessed)
	require.Len(t, looks, services)
	least, most := 1<<30, 0
	for _, n := range looks {
		least, most = min(least, n), max(most, n)
	}
	require.LessOrEqual(t, most-least, 1, "they take turns")
	require.Equal(t, services, verdicts)
	for _, v := range e.victims {
		require.Nil(t, v.episode, "all are closed")
	}
}

func TestABackupIsFoundByItsKey(t *testing.T) {
	e := testEngine(t, DefaultParams())
	at := time.Unix(1_790_000_000, 0)
	for _, d := range []fact.Described{
		{At: at, Process: fact.Process{Host: "web1", PID: 500, Start: 1}, Group: 500, Command: "restic"},
		{At: at, Process: fact.Process{Host: "web1", PID: 501, Start: 1}, Group: 500, Command: "restic"},
		{At: at, Process: fact.Process{Host: "web1", PID: 600, Start: 1}, Cgroup: "/system.slice/borg.service", Command: "borg"},
	} {
		_, err := e.Step(d)
		require.NoError(t, err)
	}
	h := e.byHost["web1"]
	require.Len(t, h.workloads, 2)
	for _, w := range h.workloads {
		require.Same(t, w, h.find(w.id))
		other := w.id
		other.Name += "x"
		require.Nil(t, h.find(other))
	}
}

func TestWaitsAreKeptOfWhoServes(t *testing.T) {
	e := testEngine(t, DefaultParams())
	start := time.Unix(1_790_000_000, 0)
	p := fact.Process{Host: "web1", PID: 500, Start: 1}
	second := 0
	run := func(seconds int) *workload {
		for range seconds {
			second++
			_, err := e.Step(fact.Use{At: start.Add(time.Duration(second) * time.Second), Over: time.Second, Process: p, Amounts: fact.Amounts{fact.CPU: 0.1, fact.RunDelay: 0.2, fact.MajorFaults: 3}})
			require.NoError(t, err)
		}
		return e.byHost["web1"].workloads[0]
	}
	w := run(30)
	require.NotNil(t, w.used[fact.CPU])
	require.Nil(t, w.used[fact.RunDelay])
	require.Nil(t, w.used[fact.MajorFaults])
	_, err := e.Step(fact.Serves{At: start.Add(30 * time.Second), Service: "shop", Process: p})
	require.NoError(t, err)
	run(60)
	require.NotNil(t, w.used[fact.RunDelay])
	now := start.Unix() + 90
	sc := &scene{owners: []*workload{w}, from: now - 10, to: now - 1}
	for at := start.Unix() - 20; at < now-10; at++ {
		sc.usual = append(sc.usual, at)
	}
	s := sc.ownWait(fact.RunDelay, 0.02)
	require.InDelta(t, 0.2, s.before, 1e-6, "the seconds in which nothing was kept are not zero")
	require.InDelta(t, 0.2, s.after, 1e-6)
	sc.usual = sc.usual[20:50]
	require.Zero(t, sc.ownWait(fact.RunDelay, 0.02), "nothing is known from before it served")
}

func TestAFleetsBackupsAreNotAllRemembered(t *testing.T) {
	e := testEngine(t, DefaultParams())
	start := time.Unix(1_790_000_000, 0)
	step := func(f fact.Fact) {
		_, err := e.Step(f)
		require.NoError(t, err)
	}
	for second := range 5 {
		at := start.Add(time.Duration(second) * time.Second)
		for i := range mostHosts + 4 {
			backup := fact.Process{Host: "web" + string(rune('a'+i)), PID: 500, Start: 1}
			site := fact.Process{Host: backup.Host, PID: 100, Start: 1}
			step(fact.Described{At: at, Process: site, Group: 100, Command: "nginx"})
			step(fact.Described{At: at, Process: backup, Group: 500, Command: "restic", Args: []string{"restic", "backup", "/srv"}})
			step(fact.Use{At: at, Over: time.Second, Process: backup, Amounts: fact.Amounts{fact.CPU: 0.1}})
			if i == 3 {
				step(fact.Serves{At: at, Service: "shop", Process: site})
			}
		}
		step(fact.Latency{At: at, Over: time.Second, Service: "shop", Signal: "server", Count: 1, Buckets: []fact.Bucket{{Low: 0.01, High: 0.01, Count: 1}}})
		step(fact.Tick{At: at})
	}
	require.Len(t, e.windows.Active(), mostHosts+4)
	require.Len(t, e.records, 1, "only where the service is")
	require.Equal(t, "webd", e.records[0].Host)
}
