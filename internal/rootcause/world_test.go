package rootcause_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// world makes the facts of one host with a site on it, second by second.
type world struct {
	rng   *rand.Rand
	start time.Time
	every int // seconds between readings

	rate     func(second int) float64 // requests per second
	latency  func(second int) float64 // typical seconds of a request
	runDelay func(second int) float64
	siteCPU  func(second int) float64
	jobs     []job
	io       func(second int) float64 // pressure
	probe    bool                     // the site is seen by a probe only
}

// job is a process group of one process.
type job struct {
	pid       int64
	command   string
	args      []string
	from, to  int // seconds in which it lives
	cpu, disk float64
	cpus      string
}

const hostName = "web1"

func always(x float64) func(int) float64 { return func(int) float64 { return x } }

// during is usual, and other from one second to another.
func during(from, to int, usual, other float64) func(int) float64 {
	return func(second int) float64 {
		if second >= from && second < to {
			return other
		}
		return usual
	}
}

func newWorld(seed uint64) *world {
	return &world{
		rng: rand.New(rand.NewPCG(seed, 7)), start: time.Unix(1_790_000_000, 0), every: 1,
		rate: always(60), latency: always(0.010), runDelay: always(0.15), siteCPU: always(0.45), io: always(0.01),
	}
}

func (w *world) process(pid int64) fact.Process {
	return fact.Process{Host: hostName, PID: pid, Start: w.start.Add(-time.Hour).UnixMilli() + pid}
}

// facts are those of the seconds from 0 to n.
func (w *world) facts(n int) []fact.Fact {
	var list []fact.Fact
	add := func(f fact.Fact) { list = append(list, f) }
	site := w.process(100)
	for second := 1; second <= n; second++ {
		at := w.start.Add(time.Duration(second) * time.Second)
		if second%w.every == 0 {
			over := time.Duration(w.every) * time.Second
			add(fact.Described{At: at, Process: site, Group: 100, Session: 100, Command: "shop", CPUs: "1"})
			add(fact.Serves{At: at, Service: "shop", Process: site})
			w.use(add, at, over, site, w.sum(w.siteCPU, second), 2e6*float64(w.every), w.sum(w.runDelay, second))
			for _, j := range w.jobs {
				w.run(add, j, at, over, second)
			}
			add(fact.Pressure{At: at, Over: over, Host: hostName, Resource: "io", Some: w.sum(w.io, second)})
			add(fact.Capability{At: at, Host: hostName, Name: "sched_autogroup", Present: true})
			w.requests(add, at, over, second)
		}
		add(fact.Tick{At: at.Add(200 * time.Millisecond)})
	}
	return list
}

func (w *world) sum(f func(int) float64, second int) (sum float64) {
	for s := second - w.every + 1; s <= second; s++ {
		sum += f(s)
	}
	return sum
}

func (w *world) run(add func(fact.Fact), j job, at time.Time, over time.Duration, second int) {
	if second < j.from || second-w.every >= j.to {
		return
	}
	p := w.process(j.pid)
	if j.from > 0 {
		p.Start = w.start.Add(time.Duration(j.from) * time.Second).UnixMilli()
	}
	cpus := j.cpus
	if cpus == "" {
		cpus = "1"
	}
	add(fact.Described{At: at, Process: p, Group: j.pid, Session: j.pid, Command: j.command, Args: j.args, CPUs: cpus})
	lived := float64(min(second, j.to) - max(second-w.every, j.from))
	w.use(add, at, over, p, j.cpu*lived, j.disk*lived, 0)
}

func (w *world) use(add func(fact.Fact), at time.Time, over time.Duration, p fact.Process, cpu, disk, delay float64) {
	a := fact.Unknown()
	noise := 1 + 0.1*w.rng.NormFloat64()
	a[fact.CPU], a[fact.DiskRead], a[fact.DiskWrite], a[fact.RunDelay] = cpu*noise, disk*noise, 0, delay*noise
	add(fact.Use{At: at, Over: over, Process: p, Amounts: a})
}

func (w *world) requests(add func(fact.Fact), at time.Time, over time.Duration, second int) {
	f := fact.Latency{At: at, Over: over, Service: "shop", Host: hostName, Signal: "server"}
	if w.probe {
		f.Signal = "probe"
	}
	for s := second - w.every + 1; s <= second; s++ {
		n := w.rate(s) + math.Sqrt(w.rate(s))*w.rng.NormFloat64()
		for range int(max(n, 0)) {
			v := w.latency(s) * math.Exp(0.5*w.rng.NormFloat64())
			f.Buckets = append(f.Buckets, fact.Bucket{Low: v, High: v, Count: 1})
			f.Count++
		}
	}
	add(f)
}

func newEngine(tb testing.TB, change func(*rootcause.Params)) *rootcause.Engine {
	tb.Helper()
	c, err := files.Default()
	require.NoError(tb, err)
	p := params.Default()
	if change != nil {
		change(&p)
	}
	return rootcause.New(p, c)
}

func run(tb testing.TB, e *rootcause.Engine, facts []fact.Fact) (events []rootcause.Event) {
	tb.Helper()
	for _, f := range facts {
		got, err := e.Step(f)
		require.NoError(tb, err)
		events = append(events, got...)
	}
	return events
}

func verdicts(events []rootcause.Event) (list []rootcause.Verdict) {
	for _, ev := range events {
		if v, ok := ev.(rootcause.Verdict); ok {
			list = append(list, v)
		}
	}
	return list
}
