package rootcause_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
)

// stage makes the facts of several hosts with what is read of them: more than a
// world does, and each quantity as a function of the second.
type stage struct {
	rng    *rand.Rand
	start  time.Time
	every  int // seconds between readings
	sites  []*site
	actors []*actor
	hosts  []*machine
	more   func(r reading) []fact.Fact
	logs   func(second int, at time.Time) []fact.Fact
}

// site is a service with requests. Nobody sees it if its process is zero.
type site struct {
	service, host string
	signal        string // who measures; empty for the service itself
	rate, latency func(int) float64
}

// actor is a process with what it uses per second; of memory, at the moment.
type actor struct {
	host, command, args, cgroup, cpus string
	pid, group                        int64
	serves                            string
	worksFor                          int64
	kernel                            bool // it is a thread of the kernel
	from, to                          int
	use                               map[fact.Resource]func(int) float64
}

// machine is what a host tells of itself.
type machine struct {
	name       string
	outside    func(int) float64            // CPUs that nobody tells of
	await      func(int) float64            // seconds of an operation of its disk
	stuck      func(int) float64            // part of each second in which its disk completes nothing
	pressure   map[string]func(int) float64 // by resource, or by control group and resource: "/a io"
	refaults   map[string]func(int) float64 // by control group; bytes per second
	swapIn     func(int) float64
	cores      int
	withoutCPU bool
}

// reading is the moment of a reading and the seconds that it covers.
type reading struct {
	*stage

	second int
	at     time.Time
	over   time.Duration
}

// sum is what a quantity came to in the seconds of a reading.
func (r reading) sum(of func(int) float64) (sum float64) {
	for s := r.second - r.every + 1; s <= r.second; s++ {
		sum += of(s)
	}
	return sum
}

func (r reading) noise(by float64) float64 { return max(0, 1+by*r.rng.NormFloat64()) }

const (
	shopUnit = "/system.slice/shop.service"
	shopPID  = 100
)

// newStage is a host with a shop on it that nothing is wrong with.
func newStage(seed uint64, every int) *stage {
	return &stage{
		rng: rand.New(rand.NewPCG(seed, 13)), start: time.Unix(1_790_000_000, 0), every: every,
		hosts: []*machine{newMachine(hostName)},
		sites: []*site{{service: "shop", host: hostName, rate: always(50), latency: always(0.010)}},
		actors: []*actor{
			{host: hostName, command: "shop", cgroup: shopUnit, cpus: "1", pid: shopPID, serves: "shop", to: forever, use: map[fact.Resource]func(int) float64{
				fact.CPU: always(0.35), fact.DiskRead: always(150e3), fact.DiskWrite: always(100e3), fact.RunDelay: always(0.1), fact.BlockDelay: always(0.01),
				fact.Memory: always(300e6), fact.MajorFaults: always(1),
			}},
		},
	}
}

const forever = 1 << 30

func newMachine(name string) *machine {
	return &machine{
		name: name, outside: always(0.05), await: always(0.0005), stuck: always(0), swapIn: always(0), cores: 4,
		pressure: map[string]func(int) float64{"io": always(0.02), "cpu": always(0.05), "memory": always(0), shopUnit + " io": always(0.01), shopUnit + " memory": always(0)},
		refaults: map[string]func(int) float64{"": always(50e3), shopUnit: always(10e3)},
	}
}

func (s *stage) shop() *actor { return s.actors[0] }

// backup adds a backup of restic.
func (s *stage) backup(pid int64, from, to int, use map[fact.Resource]func(int) float64) {
	s.job(pid, "restic backup /srv", from, to, use)
}

// job adds a process with a process group of its own.
func (s *stage) job(pid int64, line string, from, to int, use map[fact.Resource]func(int) float64) *actor {
	command, _, _ := strings.Cut(line, " ")
	a := &actor{host: hostName, command: command, args: line, cpus: "1", pid: pid, group: pid, from: from, to: to, use: use}
	s.actors = append(s.actors, a)
	return a
}

func (s *stage) process(a *actor) fact.Process {
	p := fact.Process{Host: a.host, PID: a.pid, Start: s.start.Add(-time.Hour).UnixMilli() + a.pid}
	if a.from > 0 {
		p.Start = s.start.Add(time.Duration(a.from) * time.Second).UnixMilli()
	}
	return p
}

// facts are those of a generated night.
func (s *stage) facts() []fact.Fact {
	var list []fact.Fact
	for second := 1; second <= generated; second++ {
		at := s.start.Add(time.Duration(second) * time.Second)
		if s.logs != nil {
			list = append(list, s.logs(second, at)...)
		}
		if second%s.every == 0 {
			r := reading{stage: s, second: second, at: at, over: time.Duration(s.every) * time.Second}
			for _, a := range s.actors {
				list = append(list, r.of(a)...)
			}
			for _, m := range s.hosts {
				list = append(list, r.ofHost(m)...)
			}
			if s.more != nil {
				list = append(list, s.more(r)...)
			}
			for _, site := range s.sites {
				list = append(list, r.requests(site))
			}
		}
		list = append(list, fact.Tick{At: at.Add(200 * time.Millisecond)})
	}
	return list
}

// alive is what an actor uses in a second: nothing outside of its life.
func (a *actor) alive(of fact.Resource) func(int) float64 {
	return func(second int) float64 {
		if use := a.use[of]; use != nil && second > a.from && second <= a.to {
			return use(second)
		}
		return 0
	}
}

func (r reading) of(a *actor) []fact.Fact {
	if r.second <= a.from || r.second-r.every >= a.to {
		return nil
	}
	p := r.process(a)
	amounts := fact.Unknown()
	for _, of := range []fact.Resource{fact.CPU, fact.DiskRead, fact.DiskWrite, fact.NetworkReceive, fact.NetworkTransmit, fact.RunDelay, fact.BlockDelay, fact.MajorFaults} {
		amounts[of] = r.sum(a.alive(of)) * r.noise(0.1)
	}
	if a.use[fact.Flight] != nil {
		amounts[fact.Flight] = r.sum(a.alive(fact.Flight)) * r.noise(0.1)
	}
	amounts[fact.Memory] = a.alive(fact.Memory)(r.second)
	var told fact.Workload
	if a.kernel {
		told = fact.Workload{Type: fact.KernelThreads, Name: "kernel"}
	}
	list := []fact.Fact{
		fact.Described{At: r.at, Process: p, Group: a.group, Session: a.group, Command: a.command, Args: strings.Fields(a.args), Cgroup: a.cgroup, CPUs: a.cpus, Workload: told},
		fact.Use{At: r.at, Over: r.over, Process: p, Amounts: amounts},
	}
	if a.serves != "" {
		list = append(list, fact.Serves{At: r.at, Service: a.serves, Process: p})
	}
	for _, client := range r.actors {
		if a.worksFor != 0 && client.pid == a.worksFor {
			list = append(list, fact.WorksFor{At: r.at, Server: p, Client: r.process(client)})
		}
	}
	return list
}

func (r reading) ofHost(m *machine) []fact.Fact {
	used := func(of ...fact.Resource) float64 {
		var sum float64
		for _, a := range r.actors {
			for _, of := range of {
				if a.host == m.name {
					sum += r.sum(a.alive(of))
				}
			}
		}
		return sum * r.noise(0.03)
	}
	completes := r.sum(func(second int) float64 { return 1 - m.stuck(second) }) / float64(r.every)
	reads, writes := used(fact.DiskRead)*completes, used(fact.DiskWrite)*completes
	ops := (reads+writes)/64e3 + 5*float64(r.every)*completes
	opTime := ops * r.sum(m.await) / float64(r.every) * r.noise(0.1)
	list := []fact.Fact{
		fact.Disk{
			At: r.at, Over: r.over, Host: m.name, Device: "sda", Reads: ops / 2, Writes: ops / 2, ReadBytes: reads, WriteBytes: writes,
			OpTime: opTime, BusyTime: max(min(opTime, float64(r.every)), r.sum(m.stuck)),
		},
		fact.Paging{At: r.at, Over: r.over, Host: m.name, Refaults: r.sum(m.refaults[""]), SwapIn: r.sum(m.swapIn), SwapOut: r.sum(m.swapIn)},
		fact.Capability{At: r.at, Host: m.name, Name: "sched_autogroup", Present: true},
	}
	if !m.withoutCPU {
		list = append(list, fact.CPUTime{
			At: r.at, Over: r.over, Host: m.name, Busy: min(used(fact.CPU)+r.sum(m.outside)*r.noise(0.1), float64(m.cores*r.every)), Cores: m.cores,
		})
	}
	for _, what := range []string{"io", "cpu", "memory", shopUnit + " io", shopUnit + " memory"} {
		some := m.pressure[what]
		if some == nil {
			continue
		}
		f := fact.Pressure{At: r.at, Over: r.over, Host: m.name, Resource: what, Some: min(r.sum(some)*r.noise(0.1), float64(r.every))}
		if group, resource, of := strings.Cut(what, " "); of {
			f.Cgroup, f.Resource = group, resource
		}
		list = append(list, f)
	}
	if again := m.refaults[shopUnit]; again != nil {
		list = append(list, fact.Paging{At: r.at, Over: r.over, Host: m.name, Cgroup: shopUnit, Refaults: r.sum(again) * r.noise(0.1)})
	}
	return list
}

func (r reading) requests(s *site) fact.Fact {
	f := fact.Latency{At: r.at, Over: r.over, Service: s.service, Host: s.host, Signal: cmp.Or(s.signal, "server")}
	for second := r.second - r.every + 1; second <= r.second; second++ {
		n := s.rate(second) + math.Sqrt(s.rate(second))*r.rng.NormFloat64()
		for range int(max(n, 0)) {
			v := s.latency(second) * math.Exp(0.5*r.rng.NormFloat64())
			f.Buckets = append(f.Buckets, fact.Bucket{Low: v, High: v, Count: 1})
			f.Count++
		}
	}
	return f
}
