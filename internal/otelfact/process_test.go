package otelfact

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
)

var (
	web1          = attrs{"host.name": "web1", "os.type": "linux"}
	restic        = attrs{"process.pid": 4711, "process.creation.time": "2026-11-21T01:00:00.120Z", "process.executable.name": "restic"}
	resticProcess = fact.Process{Host: "web1", PID: 4711, Start: 1795222800120}
)

func scrape(at, cpu, disk, memory float64) *batch {
	return newBatch(web1).
		sum("process.cpu.time", at, cpu, with(restic, attrs{"cpu.mode": "user"})).
		sum("process.cpu.time", at, cpu/2, with(restic, attrs{"cpu.mode": "system"})).
		sum("process.disk.io", at, disk, with(restic, attrs{"disk.io.direction": "read"})).
		sum("process.paging.faults", at, 9*at, with(restic, attrs{"system.paging.fault.type": "minor"})).
		sum("rootcause.process.wait.time", at, cpu, with(restic, attrs{"rootcause.wait.type": "run_queue"})).
		gauge("process.memory.usage", "By", at, memory, restic)
}

func amounts(known map[fact.Resource]float64) fact.Amounts {
	a := fact.Unknown()
	for r, x := range known {
		a[r] = x
	}
	return a
}

func requireFacts(t *testing.T, want, got any, why ...any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Fatal(append(why, "\nfacts differ (-want +got):\n"+diff)...)
	}
}

func TestUse(t *testing.T) {
	d := NewDecoder(Options{})
	require.Empty(t, metricsOf(d, scrape(10, 100, 1000, 5)))
	requireFacts(t, []fact.Fact{fact.Use{
		At: second(11), Over: time.Second, Process: resticProcess,
		Amounts: amounts(map[fact.Resource]float64{fact.CPU: 3, fact.DiskRead: 500, fact.RunDelay: 2, fact.Memory: 6}),
	}}, metricsOf(d, scrape(11, 102, 1500, 6)))

	// A point that is absent is not zero.
	only := newBatch(web1).sum("process.cpu.time", 12, 102, with(restic, attrs{"cpu.mode": "user"}))
	requireFacts(t, []fact.Fact{fact.Use{
		At: second(12), Over: time.Second, Process: resticProcess, Amounts: amounts(map[fact.Resource]float64{fact.CPU: 0}),
	}}, metricsOf(d, only))
	require.Nil(t, d.TakeSkipped())
}

// The PID comes again, as another process.
func TestUseOfReusedPID(t *testing.T) {
	d := NewDecoder(Options{})
	point := func(created string, start, at, cpu float64) *batch {
		return newBatch(web1).sumSince("process.cpu.time", start, at, cpu,
			attrs{"process.pid": 7, "process.creation.time": created, "cpu.mode": "user"})
	}
	require.Empty(t, metricsOf(d, point("2026-11-21T02:00:00Z", 0, 10, 5)))
	require.Len(t, metricsOf(d, point("2026-11-21T02:00:00Z", 0, 11, 6)), 1)
	require.Empty(t, metricsOf(d, point("2026-11-21T01:00:00Z", -3600, 12, 900)), "an older process that was not seen before")
	requireFacts(t, []fact.Fact{fact.Use{
		At: second(13), Over: time.Second, Process: fact.Process{Host: "web1", PID: 7, Start: second(12.5).UnixMilli()},
		Amounts: amounts(map[fact.Resource]float64{fact.CPU: 0.25}),
	}}, metricsOf(d, point("2026-11-21T02:00:12.5Z", 12.5, 13, 0.25)), "born since the last scrape")
}

var (
	nightly         = attrs{"rootcause.workload": "nightly.sh", "rootcause.workload.type": "job", "rootcause.workload.pid": 4700}
	nightlyWorkload = fact.Workload{Type: "job", Name: "nightly.sh", PID: 4700}
)

func TestUseOfWorkload(t *testing.T) {
	d := NewDecoder(Options{})
	told := func(at, cpu, tcp, udp float64) *batch {
		return newBatch(web1).
			sum("rootcause.workload.cpu.time", at, cpu, with(nightly, attrs{"cpu.mode": "user"})).
			sum("rootcause.workload.disk.io", at, 10*cpu, with(nightly, attrs{"disk.io.direction": "write"})).
			sum("rootcause.workload.network.io", at, tcp, with(nightly, attrs{"network.io.direction": "transmit", "network.transport": "tcp"})).
			sum("rootcause.workload.network.io", at, udp, with(nightly, attrs{"network.io.direction": "transmit", "network.transport": "udp"})).
			sum("rootcause.workload.wait.time", at, cpu, with(nightly, attrs{"rootcause.wait.type": "run_queue"})).
			sum("rootcause.workload.paging.faults", at, cpu, with(nightly, attrs{"system.paging.fault.type": "major"})).
			gauge("rootcause.workload.memory.resident", "By", at, 7, nightly)
	}
	require.Empty(t, metricsOf(d, told(10, 100, 1000, 500)))
	requireFacts(t, []fact.Fact{fact.Use{
		At: second(11), Over: time.Second, Process: fact.Process{Host: "web1"}, Workload: nightlyWorkload,
		Amounts: amounts(map[fact.Resource]float64{
			fact.CPU: 2, fact.DiskWrite: 20, fact.NetworkTransmit: 300 + 4, fact.RunDelay: 2, fact.MajorFaults: 2, fact.Memory: 7,
		}),
	}}, metricsOf(d, told(11, 102, 1300, 504)))
	require.Nil(t, d.TakeSkipped())

	require.Empty(t, metricsOf(d, newBatch(web1).sum("rootcause.workload.cpu.time", 12, 1, attrs{"cpu.mode": "user"})))
	require.Equal(t, map[Reason]int64{MissingAttribute: 1}, d.TakeSkipped())
}

func TestDescribedWithItsWorkload(t *testing.T) {
	point := with(restic, with(nightly, attrs{"process.parent_pid": 4700}))
	d := NewDecoder(Options{})
	requireFacts(t, []fact.Fact{fact.Described{
		At: second(10), Process: resticProcess, Parent: 4700, Command: "restic", Workload: nightlyWorkload,
	}}, metricsOf(d, newBatch(web1).gauge("process.uptime", "s", 10, 10, point)))
}

func TestWorksFor(t *testing.T) {
	relation := with(restic, attrs{
		"rootcause.backend.client.pid": 4800, "rootcause.backend.client.creation.time": "2026-11-21T01:59:00Z",
		"rootcause.backend.client.name": "mysqldump", "rootcause.backend.shared": true,
	})
	d := NewDecoder(Options{})
	of := func(a attrs) []fact.Fact {
		return metricsOf(d, newBatch(web1).gauge("rootcause.backend", "1", 10, 1, a))
	}
	requireFacts(t, []fact.Fact{fact.WorksFor{
		At: second(10), Server: resticProcess, Client: fact.Process{Host: "web1", PID: 4800, Start: 1795226340000},
	}}, of(relation))
	require.Empty(t, of(with(relation, attrs{"rootcause.backend.shared": false})), "its workload tells already")
	require.Nil(t, d.TakeSkipped())
	require.Empty(t, of(with(relation, attrs{"rootcause.backend.client.creation.time": "yesterday"})))
	require.Equal(t, map[Reason]int64{MissingAttribute: 1}, d.TakeSkipped())
}

func TestTwoScrapesInOneBatch(t *testing.T) {
	d := NewDecoder(Options{})
	metricsOf(d, scrape(10, 100, 0, 1))
	both := scrape(11, 101, 0, 1)
	scrape(12, 103, 0, 1).md.ResourceMetrics().MoveAndAppendTo(both.md.ResourceMetrics())
	uses := only[fact.Use](metricsOf(d, both))
	require.Len(t, uses, 2)
	for i, cpu := range []float64{1.5, 3} {
		require.Equal(t, second(float64(11+i)), uses[i].At)
		require.Equal(t, time.Second, uses[i].Over)
		require.InDelta(t, cpu, uses[i].Amounts[fact.CPU], 0)
	}

	// Regrouped into one resource, they are one interval.
	d = NewDecoder(Options{})
	metricsOf(d, scrape(10, 100, 0, 1))
	one := scrape(11, 101, 0, 1)
	scrape(12, 103, 0, 1).sm.Metrics().MoveAndAppendTo(one.sm.Metrics())
	uses = only[fact.Use](metricsOf(d, one))
	require.Len(t, uses, 1)
	require.Equal(t, second(12), uses[0].At)
	require.Equal(t, 2*time.Second, uses[0].Over)
	require.InDelta(t, 4.5, uses[0].Amounts[fact.CPU], 0)
}

func TestDescribed(t *testing.T) {
	full := with(restic, attrs{
		"process.parent_pid": 1, "process.group_leader.pid": 4711, "process.session_leader.pid": 4700,
		"process.linux.cgroup": "/system.slice/backup.service", "process.executable.path": "/usr/bin/restic",
		"process.command_args":           []any{"restic", "backup", "\xff"},
		"rootcause.process.cpus_allowed": "0-1", "rootcause.process.nice": 5,
	})
	want := fact.Described{
		At: second(10), Process: resticProcess, Parent: 1, Group: 4711, Session: 4700, Command: "restic",
		Executable: "/usr/bin/restic", Args: []string{"restic", "backup", "?"}, Cgroup: "/system.slice/backup.service", CPUs: "0-1", Nice: 5,
	}
	at := func(s float64, a attrs) *batch { return newBatch(web1).gauge("process.uptime", "s", s, s, a) }

	d := NewDecoder(Options{})
	requireFacts(t, []fact.Fact{want}, metricsOf(d, at(10, full)))
	alive := fact.Use{At: second(11), Over: time.Second, Process: resticProcess, Amounts: fact.Unknown()}
	requireFacts(t, []fact.Fact{alive}, metricsOf(d, at(11, full)), "nothing new but that it lives")
	require.Empty(t, only[fact.Described](metricsOf(d, at(69, full))))
	want.At = second(70)
	requireFacts(t, []fact.Described{want}, only[fact.Described](metricsOf(d, at(70, full))), "said again after a minute")
	want.At, want.Nice = second(71), 19
	full["rootcause.process.nice"] = 19
	requireFacts(t, []fact.Described{want}, only[fact.Described](metricsOf(d, at(71, full))), "changed")
	want.At, want.Args = second(72), []string{"restic", "forget"}
	full["process.command_args"] = []any{"restic", "forget"}
	requireFacts(t, []fact.Described{want}, only[fact.Described](metricsOf(d, at(72, full))), "changed arguments")

	full["process.command_args"] = []any{strings.Repeat("é", maxArgBytes), "more"}
	facts := only[fact.Described](metricsOf(d, at(73, full)))
	require.Len(t, facts, 1)
	require.Equal(t, []string{strings.Repeat("é", maxArgBytes/2)}, facts[0].Args)
	require.Empty(t, only[fact.Described](metricsOf(d, at(74, full))), "what was cut is not a change")
}

func TestProcessesThatCannotBeRead(t *testing.T) {
	point := func(a attrs) *batch { return newBatch(web1).sum("process.cpu.time", 10, 1, a) }
	tests := map[string]struct {
		b    *batch
		want Reason
	}{
		"no pid":             {point(attrs{"process.creation.time": "2026-11-21T01:00:00Z", "cpu.mode": "user"}), MissingAttribute},
		"pid as text":        {point(attrs{"process.pid": "1", "process.creation.time": "2026-11-21T01:00:00Z", "cpu.mode": "user"}), MissingAttribute},
		"no creation time":   {point(attrs{"process.pid": 1, "cpu.mode": "user"}), MissingAttribute},
		"bad creation time":  {point(attrs{"process.pid": 1, "process.creation.time": "yesterday", "cpu.mode": "user"}), WrongType},
		"counter as a gauge": {newBatch(web1).gauge("process.cpu.time", "s", 1, 1, restic), WrongType},
		"infinite":           {newBatch(web1).sum("process.cpu.time", 1, math.Inf(1), restic), BadValue},
		"negative":           {newBatch(web1).sum("process.cpu.time", 1, -1, restic), BadValue},
		"before 1970":        {newBatch(web1).sum("process.cpu.time", -2e9, 1, restic), BadTime},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := NewDecoder(Options{})
			require.Empty(t, metricsOf(d, tt.b))
			require.Equal(t, map[Reason]int64{tt.want: 1}, d.TakeSkipped())
		})
	}
}

func TestGoneProcessesAreForgotten(t *testing.T) {
	d := NewDecoder(Options{})
	metricsOf(d, scrape(0, 1, 1, 1))
	other := func(at float64) *batch {
		return newBatch(web1).sum("process.cpu.time", at, 1,
			attrs{"process.pid": 1, "process.creation.time": "2026-11-21T01:00:00Z", "cpu.mode": "user"})
	}
	for i := 1; i <= keepScrapes; i++ {
		metricsOf(d, other(float64(i)))
	}
	require.Len(t, d.hosts["web1"].processes, 2)
	for i := range keepScrapes {
		metricsOf(d, other(float64(100+i)))
	}
	require.Len(t, d.hosts["web1"].processes, 1)
	require.Equal(t, 2, d.states, "the host and a process")
}

func TestStateIsBounded(t *testing.T) {
	d := NewDecoder(Options{MaxState: 3})
	for pid := range 10 {
		metricsOf(d, newBatch(web1).sum("process.cpu.time", 1, 1,
			attrs{"process.pid": pid + 1, "process.creation.time": "2026-11-21T01:00:00Z", "cpu.mode": "user"}))
	}
	require.Equal(t, 3, d.states)
	require.Equal(t, map[Reason]int64{StateFull: 8}, d.TakeSkipped())
}

func TestAdvanceForgets(t *testing.T) {
	d := NewDecoder(Options{})
	discard := func(fact.Fact) {}
	d.Advance(second(0), discard)
	metricsOf(d, scrape(0, 1, 1, 1))
	metricsOf(d, hostScrape(0))
	metricsOf(d, newBatch(shop).requests(server, 0, []uint64{1, 0, 0}, nil))
	require.Positive(t, d.states)
	d.Advance(second(600), discard)
	require.Positive(t, d.states)
	d.Advance(second(661), discard)
	require.Zero(t, d.states)
	require.Empty(t, d.hosts)
	require.Empty(t, d.series)
}
