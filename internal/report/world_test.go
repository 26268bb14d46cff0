package report_test

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// site makes the facts of a host with a shop on it.
type site struct {
	rng     *rand.Rand
	start   time.Time
	seconds int // length
	every   int // seconds between readings
	jobs    []job
	marks   map[int]fact.Mark
	rate    func(second int) float64
	latency func(second int) float64
	delay   func(second int) float64 // seconds that the shop waits for a CPU, each second
	cpu     func(second int) float64 // of the shop
	io      func(second int) float64 // pressure, part of the time
}

// job is a process of its own session.
type job struct {
	pid       int64
	command   string
	args      []string
	from, to  int
	cpu, disk float64 // per second
	cpus      string
}

// stretch is when something is not as usual.
type stretch struct {
	from, to int
	value    float64
}

func usually(value float64, but ...stretch) func(int) float64 {
	return func(second int) float64 {
		for _, s := range but {
			if second >= s.from && second < s.to {
				return s.value
			}
		}
		return value
	}
}

func (w *site) facts() []fact.Fact {
	var list []fact.Fact
	w.rng = rand.New(rand.NewPCG(11, 4))
	shop := w.process(100, 0)
	for second := w.every; second <= w.seconds; second += w.every {
		at := w.start.Add(time.Duration(second) * time.Second)
		over := time.Duration(w.every) * time.Second
		long := over.Seconds()
		if m, ok := w.marks[second]; ok {
			m.At = at
			list = append(list, m)
		}
		list = append(list,
			fact.Described{At: at, Process: shop, Group: 100, Session: 100, Command: "shop", CPUs: "0-1"},
			fact.Serves{At: at, Service: "shop", Process: shop},
			w.use(at, over, shop, w.cpu(second)*long, 2e4*long, w.delay(second)*long),
		)
		for _, j := range w.jobs {
			if second <= j.from || second-w.every >= j.to {
				continue
			}
			p := w.process(j.pid, j.from)
			lived := float64(min(second, j.to) - max(second-w.every, j.from))
			list = append(list,
				fact.Described{At: at, Process: p, Group: j.pid, Session: j.pid, Command: j.command, Args: j.args, CPUs: j.cpus},
				w.use(at, over, p, j.cpu*lived, j.disk*lived, 0),
			)
		}
		list = append(list,
			fact.Pressure{At: at, Over: over, Host: "web-1", Resource: "cpu", Some: w.noisy(w.delay(second)*0.6) * long},
			fact.Pressure{At: at, Over: over, Host: "web-1", Resource: "io", Some: w.noisy(w.io(second)) * long},
			fact.Pressure{At: at, Over: over, Host: "web-1", Resource: "memory"},
			fact.Disk{At: at, Over: over, Host: "web-1", Device: "vda", Reads: 30 * long, OpTime: 30 * long * w.noisy(0.0008+w.io(second)*0.03)},
			fact.Capability{At: at, Host: "web-1", Name: "sched_autogroup", Present: true},
			w.requests(at, over, second),
		)
		for later := 200 * time.Millisecond; later < over; later += 2 * time.Second {
			list = append(list, fact.Tick{At: at.Add(later)})
		}
	}
	return list
}

func (w *site) process(pid int64, from int) fact.Process {
	start := w.start.Add(-time.Hour)
	if from > 0 {
		start = w.start.Add(time.Duration(from) * time.Second)
	}
	return fact.Process{Host: "web-1", PID: pid, Start: start.UnixMilli()}
}

func (w *site) noisy(v float64) float64 { return max(0, v*(1+0.12*w.rng.NormFloat64())) }

func (w *site) use(at time.Time, over time.Duration, p fact.Process, cpu, disk, delay float64) fact.Use {
	a := fact.Unknown()
	a[fact.CPU], a[fact.DiskRead], a[fact.DiskWrite] = w.noisy(cpu), w.noisy(disk), 0
	a[fact.RunDelay], a[fact.BlockDelay] = w.noisy(delay), 0
	return fact.Use{At: at, Over: over, Process: p, Amounts: a}
}

func (w *site) requests(at time.Time, over time.Duration, second int) fact.Latency {
	f := fact.Latency{At: at, Over: over, Service: "shop", Host: "web-1", Signal: "server"}
	n := min(w.rate(second)*over.Seconds(), 400)
	weight := w.rate(second) * over.Seconds() / n
	for range int(n + math.Sqrt(n)*w.rng.NormFloat64()) {
		v := w.latency(second) * math.Exp(0.5*w.rng.NormFloat64())
		f.Buckets = append(f.Buckets, fact.Bucket{Low: v, High: v, Count: weight})
		f.Count += weight
	}
	slices.SortFunc(f.Buckets, func(a, b fact.Bucket) int { return int(math.Copysign(1, a.Low-b.Low)) })
	return f
}

// demo is four minutes in which a backup is cleared of a surge, and another
// one is charged.
func demo() *site {
	return &site{
		start: time.Date(2026, 11, 21, 2, 13, 0, 0, time.UTC), seconds: 330, every: 1,
		jobs: []job{
			{pid: 600, command: "loadgen", from: 0, to: 999, cpu: 0.06, cpus: "0-1"},
			{pid: 800, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 128, to: 186, cpu: 0.03, disk: 3e5, cpus: "0-1"},
			{pid: 900, command: "tar", args: []string{"tar", "-cJf", "/backup/srv.txz", "/srv"}, from: 238, to: 278, cpu: 1.1, disk: 6e6, cpus: "0-1"},
		},
		marks: map[int]fact.Mark{
			125: {Name: "a gentle backup", Text: "restic starts, and harms nobody"},
			140: {Name: "surge", Text: "three times the requests"},
			236: {Name: "a greedy backup", Text: "tar compresses the site"},
		},
		rate:    usually(60, stretch{140, 170, 190}),
		latency: usually(0.011, stretch{140, 170, 0.4}, stretch{238, 278, 0.075}),
		delay:   usually(0.12, stretch{140, 170, 0.06}, stretch{238, 278, 0.7}),
		cpu:     usually(0.4, stretch{140, 170, 1.2}),
		io:      usually(0.01, stretch{238, 278, 0.05}),
	}
}

// night is ten hours with a reading each minute.
func night() *site {
	const hour = 3600
	return &site{
		start: time.Date(2026, 11, 20, 20, 0, 0, 0, time.UTC), seconds: 10 * hour, every: 60,
		jobs: []job{
			{pid: 700, command: "restic", args: []string{"restic", "backup", "/home"}, from: 3 * hour, to: 4 * hour, cpu: 0.05, disk: 4e6, cpus: "0-1"},
			{pid: 710, command: "pg_dump", args: []string{"pg_dump", "shop"}, from: 5 * hour, to: 5*hour + 1800, cpu: 0.2, disk: 1e6, cpus: "0-1"},
			{pid: 720, command: "borg", args: []string{"borg", "create", "repo::night", "/srv"}, from: 6*hour + 600, to: 7*hour + 600, cpu: 1.3, disk: 3e7, cpus: "0-1"},
		},
		rate:    func(second int) float64 { return 40 + 15*math.Cos(float64(second)/4/hour) },
		latency: usually(0.02, stretch{6*hour + 600, 7*hour + 600, 0.12}),
		delay:   usually(0.1, stretch{6*hour + 600, 7*hour + 600, 0.7}),
		cpu:     usually(0.35),
		io:      usually(0.02, stretch{6*hour + 600, 7*hour + 600, 0.2}),
	}
}

func seq(facts []fact.Fact) iter.Seq2[fact.Fact, error] {
	return func(yield func(fact.Fact, error) bool) {
		for _, f := range facts {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func engine(tb testing.TB) *rootcause.Engine {
	tb.Helper()
	c, err := files.Default()
	require.NoError(tb, err)
	return rootcause.New(params.Default(), c)
}
