package rootcause_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// kernelSays is a message of the kernel of the host.
func kernelSays(at time.Time, body string) fact.Fact {
	return fact.Log{At: at, Host: hostName, Source: "kernel", Body: body}
}

// evidence finds what a verdict says under a name; nil if nothing.
func evidence(v rootcause.Verdict, cause rootcause.Cause, name string) *rootcause.Evidence {
	for _, s := range v.Suspects {
		for _, ev := range s.Evidence {
			if s.Cause == cause && ev.Name == name {
				return &ev
			}
		}
	}
	return nil
}

func TestEverySignHasAWeight(t *testing.T) {
	c, err := files.Default()
	require.NoError(t, err)
	weights := rootcause.DefaultParams().Weights
	for _, s := range c.Signs {
		require.Positive(t, weights[rootcause.Term(s.Term)], s.Name)
	}
}

// failing is a night in which a disk fails while a harmless backup runs; write
// makes the record of a message about it.
func failing(t *testing.T, seed uint64, write func(at time.Time, body string) fact.Fact) rootcause.Verdict {
	t.Helper()
	w := newWorld(seed)
	size := w.rng.Float64()
	w.jobs = []job{harmless(120, 200)}
	w.latency = during(120, 200, 0.010, 0.05+size)
	messages := []string{
		"I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2",
		"ata1.00: exception Emask 0x0 SAct 0x60000000 SErr 0x0 action 0x0", "Buffer I/O error on dev sda1, logical block 3, async page read",
	}
	return last(t, run(t, newEngine(t, nil), with(w, 180, func(second int, at time.Time) []fact.Fact {
		d := fact.Disk{At: at, Over: time.Second, Host: hostName, Device: "sda", Reads: 40, ReadBytes: 4e6, OpTime: 0.08}
		if second < 118 {
			return []fact.Fact{d}
		}
		d.OpTime = 0.4 + size
		if second%3 > 0 {
			return []fact.Fact{d}
		}
		return []fact.Fact{d, write(at, messages[w.rng.IntN(len(messages))])}
	})))
}

func TestAFailingDiskThatTheKernelTellsOfIsNamed(t *testing.T) {
	for seed := range uint64(12) {
		v := failing(t, 100+seed, kernelSays)
		require.Equal(t, rootcause.StateNamed, v.State, "seed %d: %+v", seed, v.Suspects)
		require.Equal(t, rootcause.FaultyDisk, v.Top().Cause)
		for _, b := range v.Backups {
			require.Equal(t, rootcause.Cleared, b.Finding)
		}
	}
}

func TestTheSameWordsInAnApplicationsLogAreNoFailingDisk(t *testing.T) {
	for seed := range uint64(12) {
		v := failing(t, 100+seed, func(at time.Time, body string) fact.Fact {
			return fact.Log{At: at, Host: hostName, Service: "shop", Source: "shop", Severity: 17, Body: body}
		})
		require.NotEqual(t, rootcause.StateNamed, v.State, "seed %d: %+v", seed, v.Suspects)
		require.Nil(t, evidence(v, rootcause.FaultyDisk, "block_io_error"))
	}
}

func TestAMessageAsFrequentAsBeforeIsNoEvidence(t *testing.T) {
	w := newWorld(31)
	w.latency = during(120, 200, 0.010, 0.150)
	v := last(t, run(t, newEngine(t, nil), with(w, 180, func(second int, at time.Time) []fact.Fact {
		if second%5 > 0 {
			return nil
		}
		return []fact.Fact{kernelSays(at, "I/O error, dev sda, sector 8")}
	})))
	ev := evidence(v, rootcause.FaultyDisk, "block_io_error")
	require.NotNil(t, ev)
	require.Zero(t, ev.Strength)
	require.Zero(t, ev.Weight)
	require.Contains(t, ev.Sentence, "no more often than before")
}

func TestSignsOfOneThingCountOnce(t *testing.T) {
	v := failing(t, 32, kernelSays)
	counted := 0
	for _, ev := range v.Top().Evidence {
		if ev.Term == rootcause.TermDiskErrors {
			counted++
			require.Positive(t, ev.Weight)
		}
	}
	require.Equal(t, 1, counted, "%+v", v.Top().Evidence)
}

func TestAnOOMKillSpeaksAgainstWhoTookTheMemory(t *testing.T) {
	const killed = "Out of memory: Killed process 100 (shop) total-vm:1048576kB, anon-rss:812000kB, file-rss:0kB"
	night := func(says bool) rootcause.Verdict {
		w := newWorld(33)
		w.latency = during(120, 200, 0.010, 0.3)
		w.jobs = []job{{pid: 500, command: "restic", args: strings.Fields("restic backup /srv"), from: 100, to: 300, cpu: 0.05}}
		return last(t, run(t, newEngine(t, nil), with(w, 180, func(second int, at time.Time) []fact.Fact {
			p := fact.Pressure{At: at, Over: time.Second, Host: hostName, Resource: "memory"}
			if second < 115 {
				return []fact.Fact{p}
			}
			p.Some = 0.5
			memory := fact.Unknown()
			memory[fact.Memory] = 2e9
			process := w.process(500)
			process.Start = w.start.Add(100 * time.Second).UnixMilli()
			facts := []fact.Fact{p, fact.Use{At: at, Over: time.Second, Process: process, Amounts: memory}}
			if says && second == 121 {
				facts = append(facts, kernelSays(at, killed))
			}
			return facts
		})))
	}
	probability := func(v rootcause.Verdict) float64 {
		for _, s := range v.Suspects {
			if s.Cause == rootcause.Contention && s.Resource == rootcause.SharedMemory {
				return s.Probability
			}
		}
		return 0
	}
	with, without := night(true), night(false)
	require.Equal(t, rootcause.SharedMemory, with.Top().Resource)
	require.Greater(t, probability(with), probability(without))
	ev := evidence(with, rootcause.Contention, "oom_kill")
	require.NotNil(t, ev)
	require.Equal(t, "web1 ran out of memory and killed shop (once)", ev.Sentence)
}

func TestALimitOfMemoryConcernsItsOwnUnit(t *testing.T) {
	for unit, concerned := range map[string]bool{"shop.service": true, "report.service": false} {
		w := newWorld(34)
		w.latency = during(120, 200, 0.010, 0.3)
		e := newEngine(t, func(p *rootcause.Params) { p.Services = map[string][]string{"shop": {"shop.service"}} })
		v := last(t, run(t, e, with(w, 180, func(second int, at time.Time) []fact.Fact {
			if second != 120 {
				return nil
			}
			return []fact.Fact{kernelSays(at, fmt.Sprintf(
				"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/system.slice/%s,task_memcg=/system.slice/%s,task=shop,pid=7,uid=33", unit, unit))}
		})))
		require.Equal(t, concerned, evidence(v, rootcause.OwnWork, "oom_kill_cgroup") != nil, unit)
	}
}

func TestADiskThatTheBackupFilled(t *testing.T) {
	for seed := range uint64(8) {
		w := newWorld(200 + seed)
		w.latency = during(120, 200, 0.010, 0.2)
		w.io = during(120, 200, 0.01, 0.2)
		w.jobs = []job{{pid: 500, command: "restic", args: strings.Fields("restic backup /srv"), from: 110, to: 300, cpu: 0.1, disk: 20e6}}
		v := last(t, run(t, newEngine(t, nil), with(w, 180, func(second int, at time.Time) []fact.Fact {
			if second < 120 || second%2 > 0 {
				return nil
			}
			return []fact.Fact{
				fact.Log{At: at, Host: hostName, Service: "shop", Source: "shop", Severity: 17, Body: "write /srv/cart: no space left on device"},
				fact.Log{At: at, Host: hostName, Source: "restic", Body: "write /srv/repo/tmp: no space left on device"},
			}
		})))
		require.Equal(t, rootcause.Contention, v.Top().Cause)
		require.Equal(t, rootcause.SharedDisk, v.Top().Resource)
		require.Equal(t, rootcause.Charged, v.Backups[0].Finding)
		ev := evidence(v, rootcause.Contention, "disk_full")
		require.NotNil(t, ev)
		require.InDelta(t, 1, ev.Strength, 0)
		require.Contains(t, ev.Sentence, "a file system of web1 is full")
	}
}

// calling is a night in which requests become slow, and calls to another service
// as slow as given.
func calling(t *testing.T, seed uint64, slow float64, local bool) rootcause.Verdict {
	t.Helper()
	w := newWorld(seed)
	w.jobs = []job{harmless(120, 200)}
	w.latency = during(120, 200, 0.030, 0.510)
	call := during(120, 200, 0.020, slow)
	return last(t, run(t, newEngine(t, nil), with(w, 180, func(second int, at time.Time) []fact.Fact {
		n := 6 + float64(w.rng.IntN(3)) // spans are sampled
		return []fact.Fact{
			fact.Latency{
				At: at, Over: time.Second, Service: "shop", Host: hostName, Signal: "spans", Count: n,
				Buckets: []fact.Bucket{{Low: w.latency(second), High: w.latency(second), Count: n}},
			},
			fact.Calls{At: at, Over: time.Second, Service: "shop", Host: hostName, Peer: "payments", Local: local, Count: n, Time: n * call(second)},
			fact.Calls{At: at, Over: time.Second, Service: "shop", Host: hostName, Peer: "redis", Count: 3 * n, Time: 3 * n * 0.001},
		}
	})))
}

func TestSlowCallsTellOfUpstream(t *testing.T) {
	for seed := range uint64(8) {
		v := calling(t, 300+seed, 0.480, false)
		require.Equal(t, rootcause.Upstream, v.Top().Cause, "%+v", v.Suspects)
		require.Equal(t, rootcause.StateNamed, v.State)
		ev := evidence(v, rootcause.Upstream, "calls")
		require.NotNil(t, ev)
		require.Equal(t, "calls to payments take 480 ms of the 510 ms of a request, usually 20 ms", ev.Sentence)

		v = calling(t, 300+seed, 0.020, false)
		require.Equal(t, rootcause.TermCallsFlat, evidence(v, rootcause.Upstream, "calls").Term)
		require.Negative(t, evidence(v, rootcause.Upstream, "calls").Weight)
		require.NotEqual(t, rootcause.StateNamed, v.State)

		v = calling(t, 300+seed, 0.480, true)
		require.Zero(t, evidence(v, rootcause.Upstream, "calls").Weight, "a database on the same host suffers with it")
	}
}

// What a job takes here explains the part of the slowness that calls elsewhere do not.
func TestCallsElsewhereSpeakAgainstWhatIsTakenHere(t *testing.T) {
	for seed := range uint64(4) {
		v := calling(t, 300+seed, 0.480, false)
		for _, s := range v.Suspects {
			if s.Cause != rootcause.Contention || s.Workload.Name == rootcause.Unseen {
				continue
			}
			i := slices.IndexFunc(s.Evidence, func(e rootcause.Evidence) bool { return e.Term == rootcause.TermElsewhere })
			require.GreaterOrEqual(t, i, 0, s.Workload.Name)
			require.Negative(t, s.Evidence[i].Weight)
		}
	}
}

// A dump's backend is a process of the server by its name and its control group;
// it works for the dump, which does not do the site's work for that.
func TestABackendOfADumpIsNotTheSites(t *testing.T) {
	at := time.Unix(1_790_000_000, 0)
	e := newEngine(t, func(p *rootcause.Params) { p.Services = map[string][]string{"shop": {"postgres"}} })
	dump := fact.Workload{Type: "job", Name: "pg_dump", PID: 900}
	server := fact.Workload{Type: "unit", Name: "postgresql.service"}
	described := func(pid int64, command string, session int64, w fact.Workload, cgroup string) fact.Fact {
		return fact.Described{
			At: at, Process: fact.Process{Host: hostName, PID: pid, Start: 1}, Parent: 1, Group: session, Session: session,
			Command: command, Workload: w, Cgroup: cgroup,
		}
	}
	run(t, e, []fact.Fact{
		described(800, "postgres", 800, server, "/system.slice/postgresql.service"),
		described(900, "pg_dump", 900, dump, "/user.slice"),
		described(901, "postgres", 901, dump, "/system.slice/postgresql.service"),
		described(902, "sh", 900, dump, "/user.slice"),
	})
	require.Equal(t, []string{"shop"}, e.ServicesOf(hostName, 800))
	require.Empty(t, e.ServicesOf(hostName, 900))
	require.Equal(t, "/user.slice", e.CgroupOf(hostName, 901), "that of the job's own processes")
}

func TestCallsOfWhoIsNoVictimMakeNone(t *testing.T) {
	e := newEngine(t, nil)
	at := time.Unix(1_790_000_000, 0)
	events := run(t, e, []fact.Fact{fact.Calls{At: at, Over: time.Second, Service: "batch", Host: hostName, Peer: "db", Count: 1, Time: 1}, fact.Tick{At: at.Add(time.Second)}})
	require.Empty(t, events)
	require.Empty(t, e.Snapshot().Victims)
}

func TestFailingRequestsAreEvidenceAndNoEpisode(t *testing.T) {
	failed := func(seed uint64, slow float64) []rootcause.Event {
		w := newWorld(seed)
		w.latency = during(120, 200, 0.010, slow)
		facts := w.facts(180)
		for i, f := range facts {
			if l, ok := f.(fact.Latency); ok && !l.At.Before(w.start.Add(120*time.Second)) {
				l.Errors = math.Floor(l.Count / 3)
				facts[i] = l
			}
		}
		return run(t, newEngine(t, nil), facts)
	}
	require.Empty(t, failed(41, 0.010), "a rise of errors alone opens no episode")
	v := last(t, failed(41, 0.2))
	for _, cause := range []rootcause.Cause{rootcause.Upstream, rootcause.OwnWork} {
		ev := evidence(v, cause, "failed_requests")
		require.NotNil(t, ev)
		require.Positive(t, ev.Weight)
		require.Contains(t, ev.Sentence, "33 % of the requests to shop fail, usually 0 %")
	}
}

func TestABurstOfFailuresInAnAccessLog(t *testing.T) {
	night := func(service string) rootcause.Verdict {
		w := newWorld(42)
		w.latency = during(120, 200, 0.010, 0.2)
		return last(t, run(t, newEngine(t, nil), with(w, 180, func(second int, at time.Time) (facts []fact.Fact) {
			n := 0
			if second >= 120 {
				n = 5
			}
			for range n {
				facts = append(facts, fact.Log{At: at, Host: hostName, Service: service, Source: "nginx", Body: `1.2.3.4 - - [x] "GET / HTTP/1.1" 502 157`})
			}
			return facts
		})))
	}
	ev := evidence(night("shop"), rootcause.Upstream, "bad_gateway")
	require.NotNil(t, ev)
	require.InDelta(t, 1, ev.Strength, 0)
	require.NotNil(t, evidence(night(""), rootcause.Upstream, "bad_gateway"), "an access log of the host that names no service")
	require.Nil(t, evidence(night("blog"), rootcause.Upstream, "bad_gateway"), "another service's")
}

func TestABackupThatOnlyItsMessagesShow(t *testing.T) {
	e := newEngine(t, nil)
	start := time.Unix(1_790_000_000, 0)
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	says := func(second int, body string) fact.Fact {
		return fact.Log{At: at(second), Host: "nas1", Source: "restic", Unit: "restic.service", Body: body}
	}
	events := run(t, e, []fact.Fact{
		says(10, "using parent snapshot 40dc1520"),
		fact.Tick{At: at(11)},
		fact.Tick{At: at(600)},
		says(601, "at least one source file could not be read"), says(602, "snapshot 9f2a11c0 saved"),
		fact.Tick{At: at(603)},
	})
	require.Len(t, events, 2)
	opened, closed := events[0].(rootcause.Window), events[1].(rootcause.Window)
	require.Equal(t, rootcause.Opened, opened.Phase)
	require.Equal(t, backup.Workload{Host: "nas1", Name: "restic.service"}, opened.Window.Workload)
	require.Equal(t, rootcause.Closed, closed.Phase)
	require.Equal(t, opened.Window.ID, closed.Window.ID)
	require.Equal(t, at(602), closed.Window.End)
	require.Equal(t, backup.OutcomePartial, closed.Window.Outcome)
}

func TestSignsAreBounded(t *testing.T) {
	e := newEngine(t, nil)
	start := time.Unix(1_790_000_000, 0)
	var refused int
	for i := range 3000 {
		_, err := e.Step(fact.Log{At: start, Host: hostName, Service: fmt.Sprint("shop", i), Body: "Connection refused"})
		if err != nil {
			require.ErrorIs(t, err, rootcause.ErrBound)
			refused++
		}
	}
	require.Equal(t, 3000-1024, refused)
	_, err := e.Step(fact.Tick{At: start.Add(20 * time.Minute)})
	require.NoError(t, err)
	_, err = e.Step(fact.Log{At: start.Add(20 * time.Minute), Host: hostName, Service: "late", Body: "Connection refused"})
	require.NoError(t, err, "what is long ago makes room")
}

// route adds the latency of a route, whose requests come at a rate.
func (w *world) route(at time.Time, name string, rate, latency float64) fact.Fact {
	f := fact.Latency{At: at, Over: time.Second, Service: "shop", Host: hostName, Signal: "spans " + name}
	n := int(rate)
	if w.rng.Float64() < rate-float64(n) {
		n++
	}
	for range n {
		v := latency * math.Exp(0.5*w.rng.NormFloat64())
		f.Buckets = append(f.Buckets, fact.Bucket{Low: v, High: v, Count: 1})
		f.Count++
	}
	return f
}

func TestAnEpisodeOfOneRouteSaysSo(t *testing.T) {
	w := newWorld(51)
	w.rate = always(100)
	slow := during(300, 400, 0.010, 0.500)
	events := run(t, newEngine(t, nil), with(w, 380, func(second int, at time.Time) []fact.Fact {
		return []fact.Fact{w.route(at, "GET /cart", 60, 0.01), w.route(at, "POST /pay", 3, slow(second))}
	}))
	opened, ok := events[0].(rootcause.Episode)
	require.True(t, ok)
	require.Equal(t, "spans POST /pay", opened.Signal)
	v := last(t, events)
	require.Contains(t, v.Missing, "only POST /pay of shop became slower: most of its requests did not")
	require.InDelta(t, 100, v.UsualRate, 5, "requests are counted once")
}

func TestTheSumIsKeptHoweverManyRoutesThereAre(t *testing.T) {
	w := newWorld(52)
	w.latency = during(120, 200, 0.010, 0.3)
	e := newEngine(t, nil)
	var episodes []rootcause.Episode
	refused := 0
	for _, f := range with(w, 180, func(_ int, at time.Time) (facts []fact.Fact) {
		for i := range 30 {
			facts = append(facts, w.route(at, fmt.Sprintf("GET /%02d", i), 1, 0.01))
		}
		return facts
	}) {
		events, err := e.Step(f)
		if err != nil {
			require.ErrorIs(t, err, rootcause.ErrBound)
			refused++
		}
		for _, ev := range events {
			if ep, ok := ev.(rootcause.Episode); ok {
				episodes = append(episodes, ep)
			}
		}
	}
	require.Positive(t, refused)
	require.Len(t, episodes, 1)
	require.Equal(t, "server", episodes[0].Signal)
}

// TestRoutesRaiseNoFalseAlarms is an hour and a half of a site whose routes get
// few requests that take very different times, with nothing wrong.
func TestRoutesRaiseNoFalseAlarms(t *testing.T) {
	for seed := range uint64(2) {
		w := newWorld(60 + seed)
		events := run(t, newEngine(t, nil), with(w, 5400, func(_ int, at time.Time) (facts []fact.Fact) {
			for i, rate := range []float64{0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3} {
				if f := w.route(at, fmt.Sprint("GET /", i), rate, 0.010*float64(i+1)); f.(fact.Latency).Count > 0 {
					facts = append(facts, f)
				}
			}
			return facts
		}))
		for _, ev := range events {
			if ep, ok := ev.(rootcause.Episode); ok {
				require.NotContains(t, ep.Signal, "spans", "seed %d", seed)
			}
		}
	}
}

// TestLawsHoldWithSigns is the laws of determinism and of no look-ahead for a night
// with logs, calls and routes.
func TestLawsHoldWithSigns(t *testing.T) {
	w := newWorld(71)
	w.jobs = []job{harmless(120, 200)}
	w.latency = during(120, 200, 0.010, 0.3)
	facts := with(w, 180, func(second int, at time.Time) []fact.Fact {
		list := []fact.Fact{
			w.route(at, "GET /cart", 20, 0.01), w.route(at, "POST /pay", 5, w.latency(second)),
			fact.Calls{At: at, Over: time.Second, Service: "shop", Host: hostName, Peer: "payments", Count: 5, Time: 5 * w.latency(second)},
		}
		if second > 115 && second%2 == 0 {
			list = append(list, kernelSays(at, "I/O error, dev sda, sector 8"), fact.Log{At: at, Host: hostName, Service: "shop", Body: "dial tcp: connection refused"})
		}
		return list
	})
	all := strings.Join(told(t, facts), "\n")
	require.Contains(t, all, "failed operations of sda")
	require.Equal(t, all, strings.Join(told(t, facts), "\n"))
	for _, part := range []int{1, 2, 3} {
		require.True(t, strings.HasPrefix(all, strings.Join(told(t, facts[:len(facts)*part/4]), "\n")))
	}
}

func TestARestartOfTheVictimIsItsOwnWork(t *testing.T) {
	night := func(unit string) *rootcause.Evidence {
		w := newWorld(72)
		w.latency = during(120, 200, 0.010, 0.3)
		e := newEngine(t, func(p *rootcause.Params) { p.Services = map[string][]string{"shop": {"shop.service"}} })
		return evidence(last(t, run(t, e, with(w, 180, func(second int, at time.Time) []fact.Fact {
			if second != 119 {
				return nil
			}
			return []fact.Fact{fact.Log{At: at, Host: hostName, Source: "systemd", Unit: unit, Body: "Started The shop."}}
		}))), rootcause.OwnWork, "service_restart")
	}
	require.InDelta(t, 1, night("shop.service").Strength, 0)
	require.Nil(t, night("cron.service"))
}
