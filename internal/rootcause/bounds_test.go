package rootcause

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/fact"
)

// held counts the entries of each kind that an engine holds.
func (e *Engine) held() map[string]int {
	n := map[string]int{
		"hosts": len(e.hosts), "host names": len(e.byHost), "victims": len(e.victims), "serving": len(e.serving),
		"opened": len(e.opened), "active windows": len(e.windows.Active()), "windows": len(e.windows.Since("", time.Time{})),
		"services": len(e.p.Services), "objectives": len(e.p.Objectives),
	}
	for _, h := range e.hosts {
		n["workloads"] += len(h.workloads)
		n["workload keys"] += len(h.byKey)
		n["workloads of a host"] = max(n["workloads of a host"], len(h.workloads))
		n["processes"] += len(h.byPID)
		for _, of := range []struct {
			kind string
			n    int
		}{
			{"disks", len(h.disks)},
			{"disk names", len(h.diskNames)},
			{"links", len(h.links)},
			{"link names", len(h.linkNames)},
			{"pressures", len(h.pressure)},
			{"relations", len(h.lent)},
			{"capabilities", len(h.can)},
		} {
			n[of.kind] = max(n[of.kind], of.n) // of a host
		}
		n["series"] += 2 + 3*len(h.disks) + len(h.links) + len(h.pressure)
		for _, w := range h.workloads {
			n["members"] += len(w.members)
			n["served"] = max(n["served"], len(w.serves))
			n["CPUs"] = max(n["CPUs"], 64*len(w.cpus))
			for _, s := range w.used {
				if s != nil {
					n["series"]++
				}
			}
		}
	}
	for _, v := range e.victims {
		n["series"]++
		n["signals"] = max(n["signals"], len(v.signals))
		n["past"] = max(n["past"], len(v.past))
	}
	return n
}

// bounds are the most of each kind that the parameters allow.
func (p Params) bounds() map[string]int {
	n := map[string]int{
		"hosts": p.MaxHosts, "host names": p.MaxHosts, "victims": p.MaxVictims, "serving": p.MaxProcesses,
		"opened": p.MaxWindows, "active windows": p.MaxWindows, "windows": 2 * p.MaxWindows, "services": p.MaxVictims, "objectives": p.MaxVictims,
		"workloads": p.MaxJobs, "workload keys": p.MaxJobs, "workloads of a host": p.MaxWorkloads, "processes": p.MaxProcesses, "members": p.MaxProcesses,
		"disks": maxDevices, "disk names": maxDevices, "links": maxDevices, "link names": maxDevices, "pressures": maxStalls,
		"relations": maxDevices, "capabilities": maxDevices, "served": maxServes, "CPUs": maxCPUs, "signals": maxSignals,
		"past": int(p.Latency.AcceptAfter / p.Latency.Pause),
	}
	n["series"] = p.MaxHosts*(2+3*maxDevices+maxDevices+maxStalls) + p.MaxJobs*int(fact.NumResources) + p.MaxVictims
	return n
}

func requireBounded(t *testing.T, e *Engine) {
	t.Helper()
	bounds := e.p.bounds()
	for kind, n := range e.held() {
		bound, known := bounds[kind]
		require.True(t, known, kind)
		require.LessOrEqual(t, n, bound, kind)
	}
}

func smallParams() Params {
	p := DefaultParams()
	p.MaxHosts, p.MaxWorkloads, p.MaxJobs, p.MaxProcesses, p.MaxVictims, p.MaxWindows = 8, 30, 60, 200, 10, 12
	return p
}

// catalogue is read once: it is only read by engines.
var catalogue = sync.OnceValues(files.Default)

func testEngine(tb testing.TB, p Params) *Engine {
	tb.Helper()
	c, err := catalogue()
	require.NoError(tb, err)
	return New(p, c)
}

// flood is a second of far more of everything than the bounds allow, with names
// that are new all the time.
func flood(rng *rand.Rand, at time.Time, size int) []fact.Fact {
	var list []fact.Fact
	for range size {
		n := rng.Int64N(100_000)
		host := fmt.Sprint("host", rng.IntN(20))
		if rng.IntN(10) == 0 {
			host = fmt.Sprint("host", n)
		}
		name := fmt.Sprint("name", n)
		p := fact.Process{Host: host, PID: 1 + n%5000, Start: n}
		used := fact.Amounts{1, 1e6, 1e6, 1e6, 1e6, 1, 1, 10, 1e8}
		command := []string{"restic", "tar", name}[rng.IntN(3)]
		list = append(list,
			fact.Described{At: at, Process: p, Group: p.PID, Command: command, Args: []string{command, "backup", "-cf"}, Cgroup: "/" + name, CPUs: "0-8191"},
			fact.Use{At: at, Over: time.Second, Process: p, Amounts: used},
			fact.Use{At: at, Over: time.Second, Process: fact.Process{Host: host}, Workload: fact.Workload{Type: "unit", Name: name}, Amounts: used},
			fact.Serves{At: at, Service: name, Process: p},
			fact.WorksFor{At: at, Server: p, Client: fact.Process{Host: host, PID: 1 + rng.Int64N(5000), Start: n}},
			fact.Service{At: at, Name: name, Objective: 1},
			fact.Latency{At: at, Over: time.Second, Service: name, Host: host, Signal: name, Count: 1, Buckets: []fact.Bucket{{Low: 1, High: 1, Count: 1}}},
			fact.Latency{At: at, Over: time.Second, Service: "shop", Signal: name, Count: 1},
			fact.Disk{At: at, Over: time.Second, Host: host, Device: name, Reads: 1, ReadBytes: 1, OpTime: 1},
			fact.Link{At: at, Over: time.Second, Host: host, Interface: name, Received: 1},
			fact.Pressure{At: at, Over: time.Second, Host: host, Cgroup: name, Resource: "io", Some: 1},
			fact.Capability{At: at, Host: host, Name: name, Present: true},
			fact.Log{At: at, Host: host, Body: "blk_update_request: I/O error, dev sda"},
			fact.Paging{At: at, Host: host, Cgroup: name}, fact.Filesystem{At: at, Host: host, Mountpoint: name},
			fact.Locks{At: at, Host: host, Service: name}, fact.Shared{At: at, Name: name}, fact.Mark{At: at, Name: name},
		)
	}
	return list
}

// heap is what is in use after a collection, bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestMemoryIsBoundedWhateverComes(t *testing.T) {
	p := smallParams()
	e := testEngine(t, p)
	rng := rand.New(rand.NewPCG(31, 32))
	before := heap()
	start := time.Unix(1_790_000_000, 0)
	refused := map[fact.Kind]int{}
	for second := range 2 * window {
		at := start.Add(time.Duration(second) * time.Second)
		for _, f := range append(flood(rng, at, 30), fact.Tick{At: at}) {
			if _, err := e.Step(f); err != nil {
				require.ErrorIs(t, err, ErrBound)
				refused[f.Kind()]++
			}
		}
		if second%60 == 0 {
			requireBounded(t, e)
		}
	}
	requireBounded(t, e)
	for _, kind := range []fact.Kind{
		fact.KindDescribed, fact.KindUse, fact.KindServes, fact.KindService, fact.KindLatency, fact.KindDisk, fact.KindLink, fact.KindPressure, fact.KindCapability,
	} {
		require.Positive(t, refused[kind], "%s: what is over a bound is refused, so that it is counted", kind)
	}
	held := e.held()
	// A series has four bytes for each second. A signal is mostly its baseline.
	const entry, aSeries, aSignal = 4 << 10, 4*window + 128, 12*400*8 + 64<<10
	bytes := int64(held["series"]*aSeries + held["victims"]*maxSignals*aSignal)
	for kind, n := range held {
		if kind != "series" {
			bytes += int64(n * entry)
		}
	}
	require.Less(t, heap()-before, bytes, "%v", held)
	runtime.KeepAlive(e)
}

func TestRelationsAreRefusedOverTheirBound(t *testing.T) {
	e := testEngine(t, DefaultParams())
	at := time.Unix(1_790_000_000, 0)
	refused := 0
	for i := range int64(maxDevices + 50) {
		p := fact.Process{Host: "a", PID: 1 + i, Start: 1}
		_, err := e.Step(fact.Described{At: at, Process: p, Group: p.PID, Command: "c"})
		require.NoError(t, err)
		_, err = e.Step(fact.WorksFor{At: at, Server: fact.Process{Host: "a", PID: 1, Start: 1}, Client: p})
		if err != nil {
			require.ErrorIs(t, err, ErrBound)
			refused++
		}
	}
	require.Equal(t, 49, refused, "the first is of a process to itself, which is none")
}

// What ended is released: after a silence only services are remembered, and what
// the user said of them.
func TestWhatIsForgottenIsReleased(t *testing.T) {
	e := testEngine(t, smallParams())
	rng := rand.New(rand.NewPCG(33, 34))
	start := time.Unix(1_790_000_000, 0)
	step := func(f fact.Fact) {
		_, err := e.Step(f)
		require.True(t, err == nil || errors.Is(err, ErrBound), "%v", err)
	}
	for second := range 60 {
		for _, f := range flood(rng, start.Add(time.Duration(second)*time.Second), 50) {
			step(f)
		}
		step(fact.Tick{At: start.Add(time.Duration(second) * time.Second)})
	}
	full := heap()
	require.Equal(t, e.p.MaxHosts, e.held()["hosts"])
	for second := 60; second < 60+3*window; second++ {
		step(fact.Tick{At: start.Add(time.Duration(second) * time.Second)})
	}
	held := e.held()
	for _, kind := range []string{"hosts", "host names", "workloads", "workload keys", "processes", "members", "serving", "windows", "opened"} {
		require.Zero(t, held[kind], kind)
	}
	require.Zero(t, e.procs)
	require.Zero(t, e.jobs)
	require.Less(t, heap(), full-int64(e.p.MaxJobs)*4*window, "series are released")
	step(fact.Tick{At: start.Add(victimKept + time.Hour)})
	require.Zero(t, e.held()["victims"])
	runtime.KeepAlive(e)
}

func TestAPIDThatIsUsedAgainIsOneProcess(t *testing.T) {
	e := testEngine(t, smallParams())
	at := time.Unix(1_790_000_000, 0)
	for i := range int64(5000) {
		if i%5 == 0 {
			at = at.Add(time.Second)
			_, err := e.Step(fact.Tick{At: at})
			require.NoError(t, err)
		}
		p := fact.Process{Host: "a", PID: 7, Start: i + 1}
		_, err := e.Step(fact.Described{At: at, Process: p, Group: 7, Command: "c"})
		require.NoError(t, err)
		_, err = e.Step(fact.Serves{At: at, Service: "s", Process: p})
		require.NoError(t, err)
	}
	held := e.held()
	require.Equal(t, 1, held["processes"])
	require.Equal(t, 1, held["members"])
	require.Equal(t, 1, held["serving"])
	require.Equal(t, 1, held["workload keys"])
	require.LessOrEqual(t, held["workloads"], 2)
	require.Equal(t, held["processes"], e.procs)
}

// hostile makes facts of bytes: any kind, any number, names that are few, times in
// any order.
type hostile struct{ raw []byte }

func (h *hostile) byte() byte {
	if len(h.raw) == 0 {
		return 0
	}
	b := h.raw[0]
	h.raw = h.raw[1:]
	return b
}

func (h *hostile) float() float64 {
	odd := []float64{0, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e17, 1e-9, 0.05, 50, 1e6}
	b := h.byte()
	if int(b) < len(odd) {
		return odd[b]
	}
	if b < 240 {
		return float64(b) / 10
	}
	var eight [8]byte
	for i := range eight {
		eight[i] = h.byte()
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(eight[:]))
}

func (h *hostile) name() string {
	return []string{"", "a", "shop", "restic", "tar", "sda", "\xff\x00", "/x.service", "docker-1.scope", "0-99999,x", "cpu", "io", "memory"}[int(h.byte())%13]
}

func (h *hostile) over() time.Duration {
	return []time.Duration{0, time.Second, -time.Second, 10 * time.Second, time.Minute, math.MaxInt64, math.MinInt64, time.Millisecond}[h.byte()%8]
}

// when moves the clock a little, rarely much, and gives a time near it.
func (h *hostile) when(now *time.Time) time.Time {
	b := h.byte()
	switch {
	case b < 200:
		*now = now.Add(time.Duration(b%4) * 500 * time.Millisecond)
	case b < 240:
		return now.Add(time.Duration(int(b)-220) * 10 * time.Second)
	case b < 245:
		*now = now.Add(time.Duration(int(b)-242) * time.Hour)
	case b < 250:
		return []time.Time{{}, time.Unix(0, 0), time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0), time.Unix(1<<40, 0)}[b-245]
	}
	return *now
}

func (h *hostile) fact(now *time.Time) fact.Fact {
	at := h.when(now)
	process := func() fact.Process {
		return fact.Process{Host: h.name(), PID: int64(int8(h.byte())), Start: int64(h.byte() % 3)}
	}
	switch h.byte() % 16 {
	case 0:
		return fact.Described{At: at, Process: process(), Group: int64(h.byte() % 8), Command: h.name(), Args: []string{h.name(), h.name()}, Cgroup: h.name(), CPUs: h.name()}
	case 1, 2:
		f := fact.Use{At: at, Over: h.over(), Process: process()}
		if h.byte()%2 == 0 {
			f.Workload = fact.Workload{Type: h.name(), Name: h.name(), PID: int64(h.byte() % 4)}
		}
		for r := range f.Amounts {
			f.Amounts[r] = h.float()
		}
		return f
	case 3:
		return fact.Serves{At: at, Service: h.name(), Process: process()}
	case 4:
		return fact.WorksFor{At: at, Server: process(), Client: process()}
	case 5:
		return fact.Service{At: at, Name: h.name(), Processes: []string{h.name()}, Objective: h.float()}
	case 6, 7:
		f := fact.Latency{At: at, Over: h.over(), Service: h.name(), Host: h.name(), Signal: h.name(), Count: h.float(), Errors: h.float(), Oldest: h.float()}
		for range h.byte() % 4 {
			f.Buckets = append(f.Buckets, fact.Bucket{Low: h.float(), High: h.float(), Count: h.float()})
		}
		return f
	case 8:
		return fact.CPUTime{At: at, Over: h.over(), Host: h.name(), Steal: h.float(), Cores: int(int8(h.byte()))}
	case 9:
		return fact.Disk{At: at, Over: h.over(), Host: h.name(), Device: h.name(), Reads: h.float(), ReadBytes: h.float(), OpTime: h.float()}
	case 10:
		return fact.Link{At: at, Over: h.over(), Host: h.name(), Interface: h.name(), Received: h.float(), Speed: h.float()}
	case 11:
		return fact.Pressure{At: at, Over: h.over(), Host: h.name(), Cgroup: h.name(), Resource: h.name(), Some: h.float()}
	case 12:
		return fact.Capability{At: at, Host: h.name(), Name: h.name(), Present: true}
	case 13:
		return fact.Log{At: at, Host: h.name(), Body: "I/O error, dev sda"}
	default:
		return fact.Tick{At: at}
	}
}

func requireSane(t *testing.T, v Verdict) {
	t.Helper()
	require.NotEmpty(t, v.Suspects)
	var sum float64
	for i, s := range v.Suspects {
		require.True(t, s.Probability >= 0 && s.Probability <= 1, "%v", s.Probability)
		require.True(t, i == 0 || s.Probability <= v.Suspects[i-1].Probability, "ranked")
		sum += s.Probability
		for _, ev := range s.Evidence {
			require.False(t, math.IsNaN(ev.Weight+ev.Value) || math.IsInf(ev.Weight, 0) || math.IsInf(ev.Value, 0), "%+v", ev)
		}
	}
	require.InDelta(t, 1, sum, 1e-9)
	for _, x := range []float64{v.Latency, v.Baseline, v.RequestRate, v.UsualRate} {
		require.False(t, math.IsNaN(x) || math.IsInf(x, 0), "%+v", v)
	}
}

// stepAll steps through hostile facts, in a host that may have an incident.
func stepAll(t *testing.T, raw []byte) {
	t.Helper()
	e := testEngine(t, smallParams())
	now := time.Unix(1_790_000_000, 0)
	step := func(f fact.Fact) {
		events, _ := e.Step(f) // a refusal is fine
		for _, ev := range events {
			if v, ok := ev.(Verdict); ok {
				requireSane(t, v)
			}
		}
	}
	// Sixty good seconds and six bad ones first, so that there is something to tell.
	site := fact.Process{Host: "a", PID: 1, Start: 1}
	second := func(latency float64) {
		now = now.Add(time.Second)
		step(fact.Serves{At: now, Service: "shop", Process: site})
		step(fact.Use{At: now, Over: time.Second, Process: site, Amounts: fact.Amounts{0.1, 1e6, 0, 0, 0, 10 * latency, 0, 0, 1e8}})
		step(fact.Latency{At: now, Over: time.Second, Service: "shop", Host: "a", Signal: "server", Count: 50, Buckets: []fact.Bucket{{Low: latency, High: latency, Count: 50}}})
		step(fact.Tick{At: now})
	}
	for range 60 {
		second(0.01)
	}
	for range 6 {
		second(0.5)
	}
	h := &hostile{raw}
	for n := 0; len(h.raw) > 0 && n < 500; n++ {
		step(h.fact(&now))
		if n%10 == 0 {
			second(0.5)
		}
	}
	requireBounded(t, e)
	v, err := e.Explain(Victim{Service: "shop"}, now.Add(-5*time.Second), now)
	if err == nil {
		requireSane(t, v)
	}
	require.LessOrEqual(t, len(e.Snapshot().Victims), e.p.MaxVictims)
}

func FuzzStep(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 2, 3, 4, 0xf0, 1, 2, 3})
	rng := rand.New(rand.NewPCG(35, 36))
	for range 8 {
		raw := make([]byte, 300)
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		f.Add(raw)
	}
	f.Fuzz(stepAll)
}

func TestHostileFactsLeaveTheEngineSane(t *testing.T) {
	rng := rand.New(rand.NewPCG(37, 38))
	for range 60 {
		raw := make([]byte, 2000)
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		stepAll(t, raw)
	}
}
