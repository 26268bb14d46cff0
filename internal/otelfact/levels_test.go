package otelfact

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
)

func TestPaging(t *testing.T) {
	at := func(s, scale float64) *batch {
		b := newBatch(web1)
		for i, kind := range []string{"refault", "swap_in", "swap_out"} {
			b.sum("rootcause.paging.io", s, scale*float64(i+1)*4096, attrs{"rootcause.paging.type": kind, "process.linux.cgroup": ""})
		}
		return b.sum("rootcause.paging.io", s, scale*8192, attrs{"rootcause.paging.type": "refault", "process.linux.cgroup": "/shop.service"}).
			sum("system.paging.operations", s, scale, attrs{"system.paging.direction": "in"}).
			sum("system.paging.operations", s, scale*1e9, attrs{"direction": "page_in", "type": "major"})
	}
	d := NewDecoder(Options{})
	require.Empty(t, metricsOf(d, at(10, 1)))
	requireFacts(t, []fact.Fact{
		fact.Paging{At: second(12), Over: 2 * time.Second, Host: "web1", Refaults: 4096, SwapIn: 8192, SwapOut: 12288},
		fact.Paging{At: second(12), Over: 2 * time.Second, Host: "web1", Cgroup: "/shop.service", Refaults: 8192},
	}, metricsOf(d, at(12, 2)), "swap is counted once, of whoever knows the size of pages")
	require.Empty(t, metricsOf(d, at(13, 1)), "the counters began anew and nobody knows when")
	require.Nil(t, d.TakeSkipped())
}

// The host metrics receiver counts bytes as operations.
func TestSwapOfTheHostMetricsReceiver(t *testing.T) {
	at := func(s float64) *batch {
		b := newBatch(web1)
		for _, kind := range []string{"major", "minor"} {
			b.sum("system.paging.operations", s, s*4096, attrs{"direction": "page_in", "type": kind})
			b.sum("system.paging.operations", s, s*8192, attrs{"direction": "page_out", "type": kind})
		}
		return b
	}
	d := NewDecoder(Options{})
	require.Empty(t, metricsOf(d, at(10)))
	requireFacts(t, []fact.Fact{
		fact.Paging{At: second(11), Over: time.Second, Host: "web1", SwapIn: 4096, SwapOut: 8192},
	}, metricsOf(d, at(11)))
	require.Nil(t, d.TakeSkipped())
}

func usage(at, free, used float64, a attrs) *batch {
	b := newBatch(web1)
	for state, size := range map[string]float64{"free": free, "used": used, "reserved": 5} {
		b.gauge("system.filesystem.usage", "By", at, size, with(a, attrs{"system.filesystem.state": state}))
	}
	return b
}

func TestFilesystem(t *testing.T) {
	srv := attrs{"system.filesystem.mountpoint": "/srv", "system.device": "/dev/sdb1", "system.filesystem.mode": "rw"}
	d := NewDecoder(Options{})
	full := func(at, free float64) []fact.Fact {
		return []fact.Fact{fact.Filesystem{
			At: second(at), Host: "web1", Mountpoint: "/srv", Device: "/dev/sdb1", Size: 100, Available: free,
		}}
	}
	require.Equal(t, full(10, 40), metricsOf(d, usage(10, 40, 55, srv)))
	require.Empty(t, metricsOf(d, usage(11, 40, 55, srv)), "nothing is new")
	require.Equal(t, full(12, 30), metricsOf(d, usage(12, 30, 65, srv)))
	require.Equal(t, full(72, 30), metricsOf(d, usage(72, 30, 65, srv)), "said again after a minute")
	require.Empty(t, metricsOf(d, usage(60, 20, 75, srv)), "it was overtaken")

	require.Empty(t, metricsOf(d, usage(73, 0, 95, with(srv, attrs{"system.filesystem.mode": "ro"}))), "nobody can fill it")
	require.Empty(t, metricsOf(d, usage(74, math.NaN(), 95, srv)), "nobody knows what is available")
	require.Equal(t, map[Reason]int64{BadValue: 1}, d.TakeSkipped())

	older := newBatch(web1)
	for state, size := range map[string]float64{"free": 1, "used": 2, "reserved": 3} {
		older.sum("system.filesystem.usage", 80, size, attrs{"mountpoint": "/", "device": "/dev/sda1", "mode": "rw", "type": "ext4", "state": state})
	}
	require.Equal(t, []fact.Fact{fact.Filesystem{
		At: second(80), Host: "web1", Mountpoint: "/", Device: "/dev/sda1", Size: 6, Available: 1,
	}}, metricsOf(d, older))
}

func TestLocks(t *testing.T) {
	type points func(b *batch, at float64)
	mysql := attrs{"host.name": "db1", "mysql.instance.endpoint": "db1:3306"}
	for name, tt := range map[string]struct {
		resource attrs
		scrape   points
		want     fact.Locks
	}{
		"mysql": {mysql, func(b *batch, at float64) {
			b.sum("mysql.row_locks", at, 2*at, attrs{"kind": "waits"}).sum("mysql.row_locks", at, 500*at, attrs{"kind": "time"})
			b.sum("mysql.locks", at, at, attrs{"kind": "waited"}).sum("mysql.locks", at, 99*at, attrs{"kind": "immediate"})
			b.gauge("mysql.threads", "1", at, 6, attrs{"kind": "running"}).gauge("mysql.threads", "1", at, 90, attrs{"kind": "connected"})
		}, fact.Locks{Service: "db1:3306", Waits: 30, Time: 5, Sessions: 6}},
		"the service is told": {with(mysql, attrs{"service.name": "orders"}), func(b *batch, at float64) {
			b.sum("mysql.row_locks", at, at, attrs{"kind": "waits"})
		}, fact.Locks{Service: "orders", Waits: 10}},
		"sqlserver": {attrs{"host.name": "db1", "sqlserver.instance.name": "main"}, func(b *batch, at float64) {
			b.gauge("sqlserver.processes.blocked", "{processes}", at, 4, nil)
		}, fact.Locks{Service: "main", Waiting: 4}},
		"postgres_exporter": {attrs{"host.name": "db1", "service.name": "pg"}, func(b *batch, at float64) {
			for database, sessions := range map[string]float64{"a": 2, "b": 3} {
				b.gauge("pg_stat_activity_count", "", at, sessions, attrs{"datname": database, "state": "active", "wait_event_type": "Lock"})
				b.gauge("pg_stat_activity_count", "", at, 50, attrs{"datname": database, "state": "idle", "wait_event_type": "Client"})
			}
		}, fact.Locks{Service: "pg", Waiting: 5, Sessions: 5}},
		"sqlquery": {attrs{"host.name": "db1"}, func(b *batch, at float64) {
			b.gauge("rootcause.database.lock.waiting", "{session}", at, 7, nil)
		}, fact.Locks{Waiting: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			scrape := func(at float64) *batch {
				b := newBatch(tt.resource)
				tt.scrape(b, at)
				return b
			}
			d := NewDecoder(Options{})
			require.Empty(t, metricsOf(d, scrape(10)), "an amount needs an interval")
			tt.want.At, tt.want.Over, tt.want.Host = second(20), 10*time.Second, "db1"
			requireFacts(t, []fact.Fact{tt.want}, metricsOf(d, scrape(20)))
			require.Empty(t, metricsOf(d, scrape(20)), "the same again")
			require.Empty(t, metricsOf(d, scrape(15)), "it was overtaken")
			require.Nil(t, d.TakeSkipped())
		})
	}
}

func TestLevelsThatCannotBeRead(t *testing.T) {
	for name, b := range map[string]*batch{
		"paging of no type":          newBatch(web1).sum("rootcause.paging.io", 1, 1, attrs{"process.linux.cgroup": "/"}),
		"swap without direction":     newBatch(web1).sum("system.paging.operations", 1, 1, attrs{"type": "major"}),
		"file system without a name": newBatch(web1).gauge("system.filesystem.usage", "By", 1, 1, attrs{"state": "free"}),
		"file system without state":  newBatch(web1).gauge("system.filesystem.usage", "By", 1, 1, attrs{"mountpoint": "/"}),
		"locks of no kind":           newBatch(web1).sum("mysql.locks", 1, 1, nil),
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDecoder(Options{})
			require.Empty(t, metricsOf(d, b))
			require.Equal(t, map[Reason]int64{MissingAttribute: 1}, d.TakeSkipped())
		})
	}
}

func TestDelaysAndRoundTrips(t *testing.T) {
	nightly := attrs{"rootcause.workload": "nightly.service", "rootcause.workload.type": "unit", "rootcause.workload.pid": 0}
	at := func(s float64) *batch {
		b := newBatch(web1)
		for kind, whose := range map[string]attrs{"process": restic, "workload": nightly} {
			b.sum("rootcause."+kind+".wait.time", s, s, with(whose, attrs{"rootcause.wait.type": "swap"}))
			b.sum("rootcause."+kind+".wait.time", s, 2*s, with(whose, attrs{"rootcause.wait.type": "thrashing"}))
			b.sum("rootcause."+kind+".tcp.retransmits", s, 3*s, whose)
			b.sum("rootcause."+kind+".tcp.flight", s, 4*s, whose)
		}
		return b
	}
	want := amounts(map[fact.Resource]float64{fact.SwapDelay: 1, fact.ThrashingDelay: 2, fact.Retransmits: 3, fact.Flight: 4})
	d := NewDecoder(Options{})
	require.Empty(t, metricsOf(d, at(10)))
	got := only[fact.Use](metricsOf(d, at(11)))
	require.Len(t, got, 2)
	for _, use := range got {
		requireFacts(t, want, use.Amounts)
	}
	require.NotEqual(t, got[0].Workload, got[1].Workload)
}
