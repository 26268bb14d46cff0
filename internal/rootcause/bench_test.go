package rootcause_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// fleet makes the facts of many hosts as the receiver tells them: what each
// workload used, a sign of life of its leader, and a service on some hosts. All
// workloads but the first of a host, which does the service's work, use much more
// of everything from a second on.
type fleet struct {
	hosts, workloads int
	services         int // on as many hosts, one each
	backups          int // of so many hosts one runs a backup; zero for none
	anywhere         bool
	rise             int // second; zero for never
	ill              int // hosts on which use and latency rise
	start            time.Time
	rng              *rand.Rand
}

func newFleet(hosts, workloads, services int) *fleet {
	return &fleet{hosts: hosts, workloads: workloads, services: services, ill: hosts, start: time.Unix(1_790_000_000, 0), rng: rand.New(rand.NewPCG(1, 2))}
}

func (f *fleet) at(second int) time.Time { return f.start.Add(time.Duration(second) * time.Second) }

// facts are those of one second, without the tick.
func (f *fleet) facts(second int, list []fact.Fact) []fact.Fact {
	for h := range f.hosts {
		list = f.host(h, second, list)
	}
	return list
}

func (f *fleet) host(h, second int, list []fact.Fact) []fact.Fact {
	at, host := f.at(second), "host"+strconv.Itoa(h)
	rose := f.rise > 0 && second >= f.rise && h < f.ill
	for i := range f.workloads {
		w := fleetJob{host: host, i: i, rose: rose, backup: i == 1 && f.backups > 0 && h%f.backups == 0}
		list = f.workload(w, second, list)
	}
	for _, resource := range []string{"cpu", "io", "memory"} {
		list = append(list, fact.Pressure{At: at, Over: time.Second, Host: host, Resource: resource, Some: 0.1 * f.rng.Float64()})
	}
	list = append(list, fact.Disk{At: at, Over: time.Second, Host: host, Device: "sda", Reads: 100, ReadBytes: 1e6, OpTime: 0.1},
		fact.Link{At: at, Over: time.Second, Host: host, Interface: "eth0", Received: 1e6, Transmitted: 1e6, Speed: 125e6})
	if h >= f.services {
		return list
	}
	l := fact.Latency{At: at, Over: time.Second, Service: "site" + strconv.Itoa(h), Host: host, Signal: "server", Count: 100}
	if f.anywhere {
		l.Host = ""
	} else {
		list = append(list, fact.Serves{At: at, Service: l.Service, Process: f.leader(host, 0)})
	}
	for i := range 20 {
		v := 0.01 * math.Exp(0.1*float64(i))
		if rose {
			v *= 10
		}
		l.Buckets = append(l.Buckets, fact.Bucket{Low: v, High: 1.1 * v, Count: 5})
	}
	return append(list, l)
}

func (f *fleet) leader(host string, i int) fact.Process {
	return fact.Process{Host: host, PID: int64(1000 + i), Start: 5}
}

// fleetJob is the i-th workload of a host.
type fleetJob struct {
	host         string
	i            int
	rose, backup bool
}

func (f *fleet) workload(j fleetJob, second int, list []fact.Fact) []fact.Fact {
	at, leader := f.at(second), f.leader(j.host, j.i)
	w := fact.Workload{Type: "job", Name: "job", PID: leader.PID}
	if second%60 == 1 {
		d := fact.Described{At: at, Process: leader, Group: leader.PID, Session: leader.PID, Command: "job", CPUs: "0-3", Workload: w}
		if j.backup {
			d.Command, d.Args = "restic", []string{"restic", "backup", "/srv"}
		}
		list = append(list, d)
	}
	level := 1.0
	if j.rose && j.i > 0 {
		level = 50
	}
	used := fact.Amounts{
		fact.CPU: 0.01, fact.DiskRead: 50e3, fact.DiskWrite: 50e3, fact.NetworkReceive: 20e3, fact.NetworkTransmit: 20e3,
		fact.RunDelay: 0.01, fact.BlockDelay: 0.01, fact.MajorFaults: 1, fact.Memory: 20e6,
	}
	for r := range used {
		used[r] *= level * (0.5 + f.rng.Float64())
	}
	return append(list,
		fact.Use{At: at, Over: time.Second, Process: fact.Process{Host: j.host}, Workload: w, Amounts: used},
		fact.Use{At: at, Over: time.Second, Process: leader, Amounts: fact.Unknown()})
}

// run steps through the seconds of an interval, both ends included.
func (f *fleet) run(tb testing.TB, e *rootcause.Engine, from, to int) {
	tb.Helper()
	var list []fact.Fact
	for second := from; second <= to; second++ {
		list = f.facts(second, list[:0])
		for _, one := range append(list, fact.Tick{At: f.at(second).Add(200 * time.Millisecond)}) {
			if _, err := e.Step(one); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// userTime is what this process used of the CPU outside the kernel.
func userTime(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano())
}

// BenchmarkSecond is a second of one host with 2,000 workloads: its facts, and
// the tick that follows.
func BenchmarkSecond(b *testing.B) {
	const full = 700
	for _, episode := range []bool{false, true} {
		f := newFleet(1, 2000, 1)
		name := "usual"
		if episode {
			f.rise, name = full-5, "episode"
		}
		e := newEngine(b, nil)
		f.run(b, e, 1, full)
		second := full
		b.Run("facts/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				second++
				list := f.facts(second, nil)
				b.StartTimer()
				for _, one := range list {
					if _, err := e.Step(one); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				if _, err := e.Step(fact.Tick{At: f.at(second)}); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
		b.Run("tick/"+name, func(b *testing.B) {
			b.ReportAllocs()
			least, most := time.Hour, time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				second++
				for _, one := range f.facts(second, nil) {
					if _, err := e.Step(one); err != nil {
						b.Fatal(err)
					}
				}
				before := userTime(b)
				b.StartTimer()
				if _, err := e.Step(fact.Tick{At: f.at(second)}); err != nil {
					b.Fatal(err)
				}
				used := userTime(b) - before
				least, most = min(least, used), max(most, used)
			}
			b.ReportMetric(least.Seconds()*1000, "least-cpu-ms")
			b.ReportMetric(most.Seconds()*1000, "most-cpu-ms") // with a verdict, in an episode
		})
	}
}

// BenchmarkVerdict assesses an episode: of a service among 500 workloads that all
// use more of everything, and of one on an unknown host among 1,000 of 50.
func BenchmarkVerdict(b *testing.B) {
	for _, c := range []struct {
		name  string
		fleet *fleet
	}{{"500 candidates", newFleet(1, 501, 1)}, {"1000 hosts", newFleet(1000, 50, 1)}} {
		b.Run(c.name, func(b *testing.B) {
			f := c.fleet
			if f.hosts > 1 && testing.Short() {
				b.Skip("takes a minute")
			}
			f.rise, f.anywhere = 400, f.hosts > 1
			e := newEngine(b, nil)
			f.run(b, e, 1, 450)
			b.ReportAllocs()
			var probability float64
			least := time.Hour // other programs disturb the mean
			for b.Loop() {
				before := userTime(b)
				v, err := e.Explain(rootcause.Victim{Service: "site0"}, f.at(f.rise), f.at(450))
				if err != nil {
					b.Fatal(err)
				}
				probability = v.Top().Probability
				least = min(least, userTime(b)-before)
			}
			b.ReportMetric(least.Seconds()*1000, "least-cpu-ms")
			if !(probability > 0) {
				b.Fatal("no verdict")
			}
		})
	}
}

// BenchmarkGateway is a second of 1,000 hosts with 50 workloads and a service
// each, of which every tenth runs a backup, once all series are full; and the
// same while 10 of the services, or all, are slow. CULPRIT_BENCH_HOSTS makes it
// smaller.
func BenchmarkGateway(b *testing.B) {
	if testing.Short() {
		b.Skip("takes minutes")
	}
	hosts := 1000
	if n, err := strconv.Atoi(os.Getenv("CULPRIT_BENCH_HOSTS")); err == nil {
		hosts = n
	}
	const full = 700
	f := newFleet(hosts, 50, hosts)
	f.backups = 10
	e := newEngine(b, func(p *rootcause.Params) { p.MaxVictims = hosts })
	f.run(b, e, 1, full)
	second := full
	for _, ill := range []int{0, 10, hosts} {
		b.Run(fmt.Sprint(ill, " slow"), func(b *testing.B) {
			if ill > 0 {
				f.rise, f.ill = second+1, ill
				f.run(b, e, second+1, second+10)
				second += 10
			}
			gateway(b, f, e, &second)
		})
	}
	if got := len(e.Snapshot().Victims); got != f.services || len(e.Snapshot().Backups) != hosts/10 {
		b.Fatal("services: ", got, ", backups: ", len(e.Snapshot().Backups))
	}
}

// gateway measures seconds of a fleet.
func gateway(b *testing.B, f *fleet, e *rootcause.Engine, now *int) {
	b.Helper()
	first, second := *now, *now
	var used time.Duration
	var slowest time.Duration
	var peak uint64
	for b.Loop() {
		second++
		list := f.facts(second, nil)
		before := userTime(b)
		for _, one := range list {
			if _, err := e.Step(one); err != nil {
				b.Fatal(err)
			}
		}
		tick := userTime(b)
		if _, err := e.Step(fact.Tick{At: f.at(second)}); err != nil {
			b.Fatal(err)
		}
		after := userTime(b)
		used += after - before
		slowest = max(slowest, after-tick)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	}
	*now = second
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(used.Seconds()/float64(second-first), "cpu-s/s")
	b.ReportMetric(float64(slowest.Microseconds())/1000, "slowest-tick-ms")
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "live-MiB")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}
