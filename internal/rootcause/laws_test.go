package rootcause_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// history is several hosts with a site on each, one after the other told within a
// tick. On each something may happen: a backup, another job, a surge. A PID is used
// again, a site is restarted, readings are missing.
func history(seed uint64, every int) []fact.Fact {
	const length, hosts = 280, 3
	rng := rand.New(rand.NewPCG(seed, 11))
	told := make([][]fact.Fact, length)
	for h := range hosts {
		w := newWorld(10*seed + uint64(h))
		w.every = every
		from := 130 + rng.IntN(20)
		to := from + 60 + rng.IntN(40)
		w.jobs = []job{
			{pid: 500, command: "restic", args: strings.Fields("restic backup /srv"), from: from - 60, to: from - 20, cpu: 0.03, disk: 300e3},
			{pid: 500, command: "compile", from: from, to: to, cpu: 0.1},
			{pid: 600, command: "indexer", to: length, cpu: 0.05, disk: 1e6},
		}
		switch (uint64(h) + seed) % 4 {
		case 0:
			w.jobs = append(w.jobs, job{pid: 700, command: "tar", args: strings.Fields("tar -cJf b.txz /srv"), from: from, to: to, cpu: 0.55})
			w.latency, w.runDelay = during(from, to, 0.010, 0.050), during(from, to, 0.15, 0.65)
		case 1:
			w.rate, w.siteCPU, w.latency = during(from, to, 60, 180), during(from, to, 0.45, 0.95), during(from, to, 0.010, 0.7)
		case 2:
			w.jobs[1].cpu = 0.5
			w.latency, w.runDelay = during(from, to, 0.010, 0.040), during(from, to, 0.15, 0.5)
		}
		second, restart := 0, 90+rng.IntN(150)
		named := names{host: func(string) string { return fmt.Sprint("web", h) }, service: func(s string) string { return s + strconv.Itoa(h) }}
		for _, f := range w.facts(length) {
			if _, ok := f.(fact.Tick); ok {
				second++
				continue
			}
			if rng.IntN(50) > 0 {
				told[second] = append(told[second], named.of(restarted(f, second >= restart)))
			}
		}
	}
	var list []fact.Fact
	start := newWorld(seed).start
	for second, facts := range told {
		list = append(append(list, facts...), fact.Tick{At: start.Add(time.Duration(second+1)*time.Second + 250*time.Millisecond)})
	}
	return list
}

// restarted gives the site another process.
func restarted(f fact.Fact, again bool) fact.Fact {
	if !again {
		return f
	}
	p := func(p fact.Process) fact.Process {
		if p.PID == 100 {
			p.PID, p.Start = 150, p.Start+3_700_000
		}
		return p
	}
	switch f := f.(type) {
	case fact.Described:
		if f.Process = p(f.Process); f.Process.PID == 150 {
			f.Group, f.Session = 150, 150
		}
		return f
	case fact.Use:
		f.Process = p(f.Process)
		return f
	case fact.Serves:
		f.Process = p(f.Process)
		return f
	default:
		return f
	}
}

// names changes what things are called.
type names struct{ host, service, command func(string) string }

func (n names) of(f fact.Fact) fact.Fact {
	as := func(change func(string) string, name *string) {
		if change != nil && *name != "" {
			*name = change(*name)
		}
	}
	switch f := f.(type) {
	case fact.Described:
		as(n.host, &f.Process.Host)
		as(n.command, &f.Command)
		as(n.command, &f.Workload.Name)
		return f
	case fact.Use:
		as(n.host, &f.Process.Host)
		as(n.command, &f.Workload.Name)
		return f
	case fact.Serves:
		as(n.host, &f.Process.Host)
		as(n.service, &f.Service)
		return f
	case fact.WorksFor:
		as(n.host, &f.Server.Host)
		as(n.host, &f.Client.Host)
		return f
	case fact.Service:
		as(n.service, &f.Name)
		return f
	case fact.Latency:
		as(n.host, &f.Host)
		as(n.service, &f.Service)
		return f
	case fact.CPUTime:
		as(n.host, &f.Host)
		return f
	case fact.Disk:
		as(n.host, &f.Host)
		return f
	case fact.Link:
		as(n.host, &f.Host)
		return f
	case fact.Pressure:
		as(n.host, &f.Host)
		return f
	case fact.Capability:
		as(n.host, &f.Host)
		return f
	case fact.Log:
		as(n.host, &f.Host)
		as(n.service, &f.Service)
		return f
	default:
		return f
	}
}

// later is a fact that was true at another time. It is written for the kinds by
// hand, so that no kind is forgotten.
func later(t *testing.T, f fact.Fact, by time.Duration) fact.Fact {
	t.Helper()
	started := func(p *fact.Process) {
		if p.Start != 0 {
			p.Start += by.Milliseconds()
		}
	}
	switch f := f.(type) {
	case fact.Tick:
		f.At = f.At.Add(by)
		return f
	case fact.Described:
		f.At = f.At.Add(by)
		started(&f.Process)
		return f
	case fact.Use:
		f.At = f.At.Add(by)
		started(&f.Process)
		return f
	case fact.Serves:
		f.At = f.At.Add(by)
		started(&f.Process)
		return f
	case fact.WorksFor:
		f.At = f.At.Add(by)
		started(&f.Server)
		started(&f.Client)
		return f
	case fact.Service:
		f.At = f.At.Add(by)
		return f
	case fact.Latency:
		f.At = f.At.Add(by)
		return f
	case fact.CPUTime:
		f.At = f.At.Add(by)
		return f
	case fact.Disk:
		f.At = f.At.Add(by)
		return f
	case fact.Link:
		f.At = f.At.Add(by)
		return f
	case fact.Pressure:
		f.At = f.At.Add(by)
		return f
	case fact.Paging:
		f.At = f.At.Add(by)
		return f
	case fact.Filesystem:
		f.At = f.At.Add(by)
		return f
	case fact.Locks:
		f.At = f.At.Add(by)
		return f
	case fact.Shared:
		f.At = f.At.Add(by)
		return f
	case fact.Capability:
		f.At = f.At.Add(by)
		return f
	case fact.Log:
		f.At = f.At.Add(by)
		return f
	case fact.Mark:
		f.At = f.At.Add(by)
		return f
	default:
		require.Fail(t, "a kind without a later one", "%T", f)
		return nil
	}
}

// histories are what the laws are shown on: generated ones, and every journal in
// the folder CULPRIT_JOURNALS.
func histories(t *testing.T) map[string][]fact.Fact {
	t.Helper()
	all := map[string][]fact.Fact{}
	for seed := range uint64(3) {
		for _, every := range []int{1, 10} {
			all[fmt.Sprintf("seed %d, every %d s", seed, every)] = history(seed, every)
		}
	}
	long := kinds[0].make(3)
	long.every = 60
	all["every 60 s"] = long.facts(generated)
	dir := os.Getenv("CULPRIT_JOURNALS")
	if dir == "" {
		return all
	}
	found := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		var facts []fact.Fact
		for f, err := range journal.Open(path) {
			if err != nil {
				t.Logf("%s: read up to fact %d: %v", path, len(facts), err)
				break
			}
			facts = append(facts, f)
		}
		if len(facts) > 0 {
			found++
			all[path] = facts
		}
		return nil
	}))
	require.Positive(t, found, "no journal in CULPRIT_JOURNALS=%s", dir)
	return all
}

// told is every event of a history as a line of JSON. What is refused in a
// recording is refused here.
func told(t *testing.T, facts []fact.Fact) []string {
	t.Helper()
	lines := []string{}
	e := newEngine(t, nil)
	for _, f := range facts {
		events, _ := e.Step(f)
		for _, ev := range events {
			text, err := json.Marshal(ev)
			require.NoError(t, err)
			lines = append(lines, fmt.Sprintf("%T %s", ev, text))
		}
	}
	return lines
}

// plain takes from events what follows from names and times: an ID is a hash of
// them, so that it becomes the number of its first appearance; a time becomes an
// earlier one.
func plain(t *testing.T, lines []string, by time.Duration) []string {
	t.Helper()
	ids := map[string]int{}
	var walk func(key string, value any) any
	walk = func(key string, value any) any {
		switch v := value.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				v[k] = walk(k, v[k])
			}
		case []any:
			for i := range v {
				v[i] = walk("", v[i])
			}
		case string:
			if key == "id" {
				if _, known := ids[v]; !known {
					ids[v] = len(ids)
				}
				return ids[v]
			}
			if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
				return at.Add(-by).UTC()
			}
		case float64:
			if key == "start" {
				return int64(v) - by.Milliseconds()
			}
		}
		return value
	}
	list := make([]string, len(lines))
	for i, line := range lines {
		kind, text, _ := strings.Cut(line, " ")
		var value any
		require.NoError(t, json.Unmarshal([]byte(text), &value))
		again, err := json.Marshal(walk("", value))
		require.NoError(t, err)
		list[i] = kind + " " + string(again)
	}
	return list
}

func TestHistoriesTellOfIncidents(t *testing.T) {
	var verdicts, charged int
	for _, facts := range histories(t) {
		text := strings.Join(told(t, facts), "")
		verdicts += strings.Count(text, "rootcause.Verdict")
		charged += strings.Count(text, `"finding":"charged"`)
	}
	require.Greater(t, verdicts, 20, "laws over histories in which nothing happens show nothing")
	require.Greater(t, charged, 4)
}

func TestTheSameFactsGiveTheSameEvents(t *testing.T) {
	usual := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(usual)
	for name, facts := range histories(t) {
		once := told(t, facts)
		for _, procs := range []int{1, usual, 7} {
			runtime.GOMAXPROCS(procs)
			for range 2 { // maps are walked in another order each time
				require.Equal(t, once, told(t, facts), name)
			}
		}
	}
}

func TestTheEventsOfAPrefixAreAPrefix(t *testing.T) {
	const parts = 7
	for name, facts := range histories(t) {
		all := told(t, facts)
		for part := 1; part < parts; part++ {
			prefix := told(t, facts[:len(facts)*part/parts])
			require.LessOrEqual(t, len(prefix), len(all), name)
			require.Equal(t, all[:len(prefix)], prefix, name)
		}
	}
}

func TestShiftingAllTimesShiftsTheVerdicts(t *testing.T) {
	for name, facts := range histories(t) {
		want := plain(t, told(t, facts), 0)
		for _, by := range []time.Duration{time.Second, 12_345 * time.Second, -37 * time.Minute, 24 * time.Hour, -500 * 24 * time.Hour} {
			shifted := make([]fact.Fact, len(facts))
			for i, f := range facts {
				shifted[i] = later(t, f, by)
			}
			require.Equal(t, want, plain(t, told(t, shifted), by), "%s by %s", name, by)
		}
	}
}

// Facts come in batches, one for each host, in any order: within a tick only the
// order of what concerns one host is kept. Each host was heard of before. What
// follows from one tick is in the order of the facts, which is not compared.
func TestAnyBatchingGivesTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for name, facts := range histories(t) {
		want := told(t, facts)
		slices.Sort(want)
		var mixed, tick []fact.Fact
		ticks := 0
		for _, f := range facts {
			if _, ok := f.(fact.Tick); !ok {
				tick = append(tick, f)
				continue
			}
			if ticks++; ticks > 1 {
				tick = mix(rng, tick)
			}
			mixed = append(append(mixed, tick...), f)
			tick = nil
		}
		got := told(t, append(mixed, tick...))
		slices.Sort(got)
		require.Equal(t, want, got, name)
	}
}

// mix keeps the order of the facts of each host.
func mix(rng *rand.Rand, facts []fact.Fact) []fact.Fact {
	byHost := map[string][]fact.Fact{}
	for _, f := range facts {
		var host string
		names{host: func(name string) string { host = name; return name }}.of(f)
		byHost[host] = append(byHost[host], f)
	}
	hosts := slices.Sorted(maps.Keys(byHost))
	var mixed []fact.Fact
	for len(mixed) < len(facts) {
		host := hosts[rng.IntN(len(hosts))]
		if list := byHost[host]; len(list) > 0 {
			n := 1 + rng.IntN(len(list))
			mixed = append(mixed, list[:n]...)
			byHost[host] = list[n:]
		}
	}
	return mixed
}

func TestAProcessThatDoesNothingChangesNothing(t *testing.T) {
	for name, facts := range histories(t) {
		var with []fact.Fact
		hosts := map[string]bool{}
		for _, f := range facts {
			names{host: func(host string) string { hosts[host] = true; return host }}.of(f)
			tick, ok := f.(fact.Tick)
			for _, host := range slices.Sorted(maps.Keys(hosts)) {
				if !ok || tick.At.Unix()%10 != 0 {
					break
				}
				idle := fact.Process{Host: host, PID: 4_000_900, Start: 1}
				nothing := fact.Unknown()
				nothing[fact.CPU], nothing[fact.DiskRead], nothing[fact.DiskWrite] = 0, 0, 0
				with = append(with,
					fact.Described{At: tick.At, Process: idle, Command: "sleep", Group: idle.PID},
					fact.Use{At: tick.At, Over: intervalOf(facts), Process: idle, Amounts: nothing})
			}
			with = append(with, f)
		}
		require.Equal(t, told(t, facts), told(t, with), name)
	}
}

// intervalOf is how often the hosts of a history are read.
func intervalOf(facts []fact.Fact) time.Duration {
	for _, f := range facts {
		if use, ok := f.(fact.Use); ok {
			return use.Over
		}
	}
	return time.Second
}

// Names mean nothing, unless one is that of a backup tool: neither they nor their
// order change a verdict.
func TestRenamingOnlyRenames(t *testing.T) {
	for name, facts := range histories(t) {
		if strings.Contains(name, string(filepath.Separator)) {
			continue // a recorded name may be part of another
		}
		var back []string
		rename := func(prefix string) func(string) string {
			return func(name string) string {
				if name == "tar" || name == "restic" {
					return name
				}
				// Mirrored, so that what came first comes last.
				mirrored := []byte(name)
				for i, c := range mirrored {
					mirrored[i] = 'a' + ('z'-c%26+26)%26
				}
				renamed := prefix + string(mirrored) + strconv.Itoa(len(name))
				if !slices.Contains(back, renamed) {
					back = append(back, renamed, name)
				}
				return renamed
			}
		}
		other := names{host: rename("H-"), service: rename("S-"), command: rename("C-")}
		renamed := make([]fact.Fact, len(facts))
		for i, f := range facts {
			renamed[i] = other.of(f)
		}
		got := plain(t, told(t, renamed), 0)
		old := strings.NewReplacer(back...)
		for i := range got {
			got[i] = old.Replace(got[i])
		}
		require.Equal(t, plain(t, told(t, facts), 0), got, name)
	}
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
