package rootcause_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

type uses = map[fact.Resource]func(int) float64

// incident is a generated night: something happens from one second to another, in
// a size from 0 to 1.
type incident struct {
	*stage

	from, to int
	size     float64
}

// while is a quantity that is other during the incident.
func (in incident) while(usual, other float64) func(int) float64 {
	return during(in.from, in.to, usual, other)
}

func (in incident) slow(latency float64) { in.sites[0].latency = in.while(0.010, latency) }

func (in incident) host() *machine { return in.hosts[0] }

// bystander adds a backup that does little, and starts with the incident or some
// time before.
func (in incident) bystander() {
	in.backup(599, in.from-in.rng.IntN(60), in.to+40, uses{fact.CPU: always(0.03), fact.DiskRead: always(200e3)})
}

// outcome is what is right to say of a night.
type outcome struct {
	cause    rootcause.Cause // of the top suspect, in a verdict that is named or probable; empty: none
	resource rootcause.Shared
	workload string
	// findings are those that are right for each backup, by the command.
	findings map[string][]rootcause.Finding
}

var (
	charged  = []rootcause.Finding{rootcause.Charged}
	innocent = []rootcause.Finding{rootcause.Cleared, rootcause.Undecided}
	openly   = []rootcause.Finding{rootcause.Undecided}
)

func blames(resource rootcause.Shared, workload string, findings map[string][]rootcause.Finding) outcome {
	return outcome{cause: rootcause.Contention, resource: resource, workload: workload, findings: findings}
}

// notABackup is a night whose cause is no backup.
func notABackup(cause rootcause.Cause) outcome {
	return outcome{cause: cause, findings: map[string][]rootcause.Finding{"restic": innocent}}
}

type findings = map[string][]rootcause.Finding

// cases are generated nights, one kind for each that the product promises to
// explain. They show that the engine does what it is meant to; how good it is on
// real incidents is another question.
var cases = []struct {
	name   string
	every  []int
	make   func(in incident)
	expect outcome
}{
	{"page cache eviction", all, func(in incident) {
		in.job(500, "tar -cf /mnt/b.tar /srv", in.from-15, (in.from+in.to)/2, uses{fact.CPU: always(0.1), fact.DiskRead: always(60e6 + 100e6*in.size)})
		again := 4e6 + 20e6*in.size
		in.slow(0.03 + 0.1*in.size)
		in.shop().use[fact.DiskRead] = in.while(150e3, again)
		in.host().refaults[shopUnit], in.host().refaults[""] = in.while(10e3, again), in.while(50e3, 1.2*again)
		in.host().pressure["io"] = during(in.from-15, in.to, 0.02, 0.3)
		in.host().pressure[shopUnit+" io"] = in.while(0.01, 0.1+0.2*in.size)
	}, blames(rootcause.SharedCache, "tar", findings{"tar": charged})},
	{"fsync storm of a backend", all, func(in incident) {
		in.job(500, "pg_dump shop", in.from, in.to, uses{fact.CPU: always(0.05), fact.NetworkReceive: always(1e6)})
		in.postgres()
		b := in.job(801, "postgres: backup shop [local] COPY", in.from, in.to, uses{fact.CPU: always(0.2), fact.DiskRead: always(1e6), fact.DiskWrite: always(3e6 + 5e6*in.size)})
		b.command, b.cgroup, b.group, b.worksFor = "postgres", pgUnit, 800, 500
		in.slow(0.05 + 0.3*in.size)
		in.bystander()
		in.host().await = in.while(0.0005, 0.02+0.05*in.size)
		in.host().pressure["io"], in.host().pressure[shopUnit+" io"] = in.while(0.02, 0.5+0.4*in.size), in.while(0.01, 0.4+0.4*in.size)
	}, blames(rootcause.SharedDisk, "pg_dump", findings{"pg_dump": charged, "restic": innocent})},
	{"lock held by a dump", all, func(in incident) {
		in.locked()
		in.bystander()
		in.locks()
	}, blames(rootcause.SharedLock, "pg_dump", findings{"pg_dump": charged, "restic": innocent})},
	{"lock that nobody tells of", all, func(in incident) {
		in.locked()
		in.bystander()
	}, outcome{findings: findings{"pg_dump": openly, "restic": innocent}}},
	{"lock held by a dump, all idle", all, func(in incident) {
		in.size /= 10
		in.locked()
		in.shop().use[fact.DiskRead] = in.while(3e6, 3e5)
		in.locks()
	}, blames(rootcause.SharedLock, "pg_dump", findings{"pg_dump": charged})},
	{"lock that nobody tells of, all idle", all, func(in incident) {
		in.size /= 10
		in.locked()
		in.shop().use[fact.DiskRead] = in.while(3e6, 3e5)
	}, outcome{findings: findings{"pg_dump": openly}}},
	{"memory pressure and swapping", all, func(in incident) {
		grown := 1e9 + 4e9*in.size
		in.backup(500, in.from-20, in.to, uses{fact.CPU: always(0.1), fact.DiskRead: always(500e3), fact.Memory: func(s int) float64 {
			return 100e6 + grown*min(1, max(0, float64(s-in.from+20)/40))
		}})
		in.slow(0.05 + 0.3*in.size)
		in.host().swapIn = in.while(0, 4e6+10e6*in.size)
		in.host().pressure["memory"], in.host().pressure[shopUnit+" memory"] = in.while(0, 0.2+0.4*in.size), in.while(0, 0.15+0.4*in.size)
		in.shop().use[fact.MajorFaults] = in.while(1, 200)
	}, blames(rootcause.SharedMemory, "restic", findings{"restic": charged})},
	{"file system filled", all, func(in incident) { in.filled() }, blames(rootcause.SharedSpace, "restic", findings{"restic": charged})},
	{"file system filled, with logs", all, func(in incident) {
		in.filled()
		in.logs = func(second int, at time.Time) []fact.Fact {
			if second < in.from || second >= in.to || second%3 > 0 {
				return nil
			}
			return []fact.Fact{
				fact.Log{At: at, Host: hostName, Service: "shop", Source: "shop", Severity: 17, Body: "write /srv/cart: no space left on device"},
				fact.Log{At: at, Host: hostName, Source: "restic", Body: "write /srv/repo/tmp: no space left on device"},
			}
		}
	}, blames(rootcause.SharedSpace, "restic", findings{"restic": charged})},
	{"two backups together", all, func(in incident) {
		in.job(500, "tar -cJf b.txz /srv", in.from, in.to, uses{fact.CPU: always(0.25 + 0.1*in.size)})
		in.job(501, "borg create ::a /srv", in.from, in.to, uses{fact.CPU: always(0.25 + 0.1*in.size)})
		in.starved()
	}, outcome{cause: rootcause.Contention, resource: rootcause.SharedCPU, findings: findings{"tar": charged, "borg": charged}}},
	{"two backups, one idle", all, func(in incident) {
		in.job(500, "tar -cJf b.txz /srv", in.from, in.to, uses{fact.CPU: always(0.4 + 0.2*in.size)})
		in.job(501, "borg create ::a /srv", in.from, in.to, uses{fact.CPU: always(0.01)})
		in.starved()
	}, blames(rootcause.SharedCPU, "tar", findings{"tar": charged, "borg": innocent})},
	{"one of two sites suffers", all, func(in incident) {
		in.job(500, "tar -cJf b.txz /srv", in.from, in.to, uses{fact.CPU: always(0.4 + 0.2*in.size)})
		in.starved()
		in.bystander()
		in.sites = append(in.sites, &site{service: "blog", host: hostName, rate: always(30), latency: always(0.02)})
		in.actors = append(in.actors, &actor{host: hostName, command: "blog", cgroup: "/system.slice/blog.service", cpus: "0", pid: 200, serves: "blog", to: forever, use: uses{fact.CPU: always(0.2), fact.RunDelay: always(0.05)}})
	}, blames(rootcause.SharedCPU, "tar", findings{"tar": charged, "restic": innocent})},
	{"backup on another host", all, func(in incident) {
		in.elsewhere()
		in.bystander()
		in.slow(0.05 + 0.2*in.size)
		in.host().pressure[shopUnit+" io"] = in.while(0.01, 0.3+0.4*in.size)
	}, outcome{findings: findings{"restic": innocent, "tar": innocent}}},
	{"backup on another host, shared storage", all, func(in incident) {
		in.elsewhere()
		in.slow(0.05 + 0.2*in.size)
		in.host().pressure[shopUnit+" io"], in.host().pressure["io"] = in.while(0.01, 0.3+0.4*in.size), in.while(0.02, 0.4+0.4*in.size)
		in.more = func(r reading) []fact.Fact {
			return []fact.Fact{fact.Shared{At: r.at, Name: "nas1", Resource: "disk", Hosts: []string{hostName, "web2"}}}
		}
	}, blames(rootcause.SharedDisk, "tar", findings{"tar": charged})},
	{"traffic surge", all, func(in incident) {
		more := 2 + 2*in.size
		in.sites[0].rate, in.shop().use[fact.CPU] = in.while(50, 50*more), in.while(0.25, min(0.95, 0.25*more))
		in.slow(0.1 + in.size)
		in.bystander()
	}, notABackup(rootcause.TrafficSurge)},
	{"more work per request", all, func(in incident) {
		in.shop().use[fact.CPU] = in.while(0.2, 0.6+0.3*in.size)
		in.slow(0.03 + 0.1*in.size)
		in.bystander()
	}, notABackup(rootcause.OwnWork)},
	{"slow disk", all, func(in incident) {
		in.ailing()
		in.host().await = in.while(0.0005, 0.03+0.1*in.size)
	}, notABackup(rootcause.FaultyDisk)},
	{"slow disk beside a gentle backup on it", all, func(in incident) {
		in.ailing()
		in.shop().use[fact.DiskRead] = always(5e6)
		in.backup(500, in.from-10, in.to, uses{fact.CPU: always(0.01), fact.DiskRead: always(200e3 + 200e3*in.size)})
		in.host().await = in.while(0.0005, 0.03+0.1*in.size)
	}, notABackup(rootcause.FaultyDisk)},
	{"pages read again, told of the whole host only", all, func(in incident) {
		in.job(500, "tar -cf /mnt/b.tar /srv", in.from-15, in.to, uses{fact.CPU: always(0.1), fact.DiskRead: always(60e6 + 100e6*in.size)})
		again := 700e3 + 500e3*in.size
		in.slow(0.03 + 0.1*in.size)
		in.shop().use[fact.DiskRead] = in.while(20e3, again)
		delete(in.host().refaults, shopUnit)
		in.host().refaults[""] = in.while(50e3, 1.2*again)
		in.host().pressure["io"] = during(in.from-15, in.to, 0.02, 0.3)
		in.host().pressure[shopUnit+" io"] = in.while(0.01, 0.1+0.2*in.size)
	}, blames(rootcause.SharedCache, "tar", findings{"tar": charged})},
	{"what the kernel writes for others", all, func(in incident) {
		in.backup(500, in.from, in.to, uses{fact.CPU: always(0.1), fact.DiskRead: always(20e6 + 40e6*in.size)})
		k := in.job(40, "", in.from, in.to, uses{fact.CPU: always(0.05), fact.DiskWrite: always(40e6 + 80e6*in.size)})
		k.command, k.group, k.kernel = "kworker/u8:1", 0, true
		in.slow(0.05 + 0.2*in.size)
		in.host().pressure[shopUnit+" io"], in.host().pressure["io"] = in.while(0.01, 0.4+0.4*in.size), in.while(0.02, 0.4+0.4*in.size)
	}, blames(rootcause.SharedDisk, "restic", findings{"restic": charged})},
	{"disk with errors", all, func(in incident) {
		in.ailing()
		in.host().await = in.while(0.0005, 0.03+0.1*in.size)
		in.logs = func(second int, at time.Time) []fact.Fact {
			if second < in.from || second >= in.to || second%4 > 0 {
				return nil
			}
			return []fact.Fact{kernelSays(at, "I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2")}
		}
	}, notABackup(rootcause.FaultyDisk)},
	{"stalled device", all, func(in incident) {
		in.ailing()
		in.host().stuck = in.while(0, 0.99)
		in.sites[0].rate = in.while(50, 20)
		in.shop().use[fact.DiskRead], in.shop().use[fact.DiskWrite] = in.while(150e3, 0), in.while(100e3, 0)
		in.shop().use[fact.CPU] = in.while(0.35, 0.14)
	}, notABackup(rootcause.FaultyDisk)},
	{"upstream starves it", all, func(in incident) {
		in.sites[0].rate = in.while(50, 2+6*in.size)
		in.shop().use[fact.CPU], in.shop().use[fact.DiskRead], in.shop().use[fact.DiskWrite] = in.while(0.8, 0.08), in.while(150e3, 5e3), in.while(100e3, 5e3)
		in.slow(0.5 + 2*in.size)
		in.bystander()
	}, notABackup(rootcause.Upstream)},
	{"neighbour outside", all, func(in incident) {
		in.host().outside = in.while(0.05, 3.2+0.3*in.size)
		in.starved()
		in.bystander()
	}, blames(rootcause.SharedCPU, rootcause.Unseen, findings{"restic": innocent})},
	{"nothing wrong", all, func(in incident) {
		in.backup(500, in.from, in.to, uses{fact.CPU: always(0.5 * in.size), fact.DiskRead: always(100e6 * in.size)})
	}, outcome{findings: findings{"restic": innocent}}},
	{"slow for no reason seen", all, func(in incident) {
		in.slow(0.03 + 0.1*in.size)
		in.bystander()
	}, outcome{findings: findings{"restic": innocent}}},
	{"link filled by a backup", all, func(in incident) {
		in.upload(3e6 + 5e6*in.size)
		in.queue(in.while(2e6, 1.5e6))
		in.bystander()
	}, blames(rootcause.SharedNetwork, "rsync", findings{"rsync": charged, "restic": innocent})},
	{"link filled by a backup, seen by a probe", all, func(in incident) {
		in.probed()
		in.upload(3e6 + 5e6*in.size)
		in.queue(in.while(2e6, 1.5e6))
		in.bystander()
	}, blames(rootcause.SharedNetwork, "rsync", findings{"rsync": charged, "restic": innocent})},
	{"link filled by a surge", all, func(in incident) {
		more := 2 + 2*in.size
		in.sites[0].rate, in.shop().use[fact.CPU] = in.while(50, 50*more), in.while(0.2, min(0.9, 0.2*more))
		in.queue(in.while(2e6, 2e6*more))
		in.trickle(150e3 + 150e3*in.size)
	}, outcome{cause: rootcause.TrafficSurge, findings: findings{"rsync": innocent}}},
	{"link filled by a surge, seen by a probe", all, func(in incident) {
		in.probed()
		in.queue(in.while(2e6, 4e6+4e6*in.size))
		in.trickle(150e3 + 150e3*in.size)
	}, outcome{findings: findings{"rsync": innocent}}},
	{"clients far away", all, func(in incident) {
		in.queue(always(2e6))
		in.trickle(150e3 + 150e3*in.size)
	}, outcome{cause: rootcause.Upstream, findings: findings{"rsync": innocent}}},
	// The link has room: nobody who sends waits longer than requests notice.
	{"upload beside what is not seen", all, func(in incident) {
		in.trickle(3e6 + 5e6*in.size)
		in.queue(always(2e6))
		in.shop().use[fact.Flight] = in.while(2e6*0.0005, 2e6*0.001)
	}, outcome{findings: findings{"rsync": innocent}}},
	// At 10 s the pauses are two readings long: chance explains as much.
	{"dose beside a steady job", []int{1}, func(in incident) {
		use := 0.3 + 0.15*in.size
		busy := func(s int) bool { return (s-in.from)/20%2 == 0 && s >= in.from && s < in.to }
		pausing := func(usual, other float64) func(int) float64 {
			return func(s int) float64 {
				if busy(s) {
					return other
				}
				return usual
			}
		}
		in.job(500, "tar -cJf b.txz /srv", in.from, in.to, uses{fact.CPU: pausing(0, use)})
		in.job(700, "compile", in.from, in.to, uses{fact.CPU: always(use)})
		in.sites[0].latency = pausing(0.010, 0.04+0.1*in.size)
		in.shop().use[fact.RunDelay] = pausing(0.1, 0.4+0.3*in.size)
	}, blames(rootcause.SharedCPU, "tar", findings{"tar": charged})},
}

var all = []int{1, 10, 60}

const pgUnit = "/system.slice/postgresql.service"

func (in incident) postgres() *actor {
	a := in.job(800, "postgres -D /var/lib/postgresql", 0, forever, uses{fact.CPU: always(0.1), fact.DiskRead: always(100e3), fact.DiskWrite: always(200e3)})
	a.cgroup = pgUnit
	return a
}

// locked is a dump that holds what all others wait for: requests stall, and
// nothing else changes.
func (in incident) locked() {
	in.job(500, "pg_dump shop", in.from-2, in.to, uses{fact.CPU: always(0.02), fact.NetworkReceive: always(1e5)})
	server := in.postgres()
	in.slow(2 + 4*in.size)
	left := 0.1 + 0.3*in.size // of the requests are done
	in.sites[0].rate, in.shop().use[fact.CPU] = in.while(50, 50*left), in.while(0.35, 0.35*left)
	in.shop().use[fact.DiskRead], in.shop().use[fact.DiskWrite] = in.while(150e3, 150e3*left), in.while(100e3, 100e3*left)
	server.use = uses{fact.CPU: in.while(0.3, 0.3*left), fact.DiskRead: in.while(100e3, 100e3*left), fact.DiskWrite: in.while(200e3, 200e3*left)}
}

func (in incident) locks() {
	waiting, sessions := in.while(0, 15+20*in.size), in.while(5, 18+22*in.size)
	in.more = func(r reading) []fact.Fact {
		n := waiting(r.second)
		return []fact.Fact{fact.Locks{At: r.at, Over: r.over, Host: hostName, Service: "shop", Waits: n / 5, Time: n * float64(r.every), Waiting: n, Sessions: sessions(r.second)}}
	}
}

// filled is a backup that fills the file system; writes fail from the incident on.
func (in incident) filled() {
	speed := 20e6 + 60e6*in.size
	began := in.from - 50
	in.backup(500, began, in.to, uses{fact.CPU: always(0.05), fact.DiskWrite: in.while(speed, speed/50)})
	in.slow(0.2 + in.size)
	in.more = func(r reading) []fact.Fact {
		left := min(50, max(0, float64(in.from-r.second))) * speed
		if r.second >= in.to {
			left = 50 * speed
		}
		return []fact.Fact{fact.Filesystem{At: r.at, Host: hostName, Mountpoint: "/srv", Device: "/dev/sda1", Size: 1000 * speed, Available: left}}
	}
}

// queue is a shop whose answers wait in a queue on their way, with what it sends.
func (in incident) queue(sent func(int) float64) {
	trip := in.while(0.0005, 0.015+0.06*in.size)
	in.slow(0.010 + 3*trip(in.from))
	in.shop().use[fact.NetworkTransmit] = sent
	in.shop().use[fact.Flight] = func(second int) float64 { return sent(second) * trip(second) }
}

// upload is a backup that sends so many bytes per second.
func (in incident) upload(speed float64) {
	in.job(500, "rsync -a /srv/ backup::srv/", in.from, in.to, uses{fact.CPU: always(0.03), fact.DiskRead: always(speed), fact.NetworkTransmit: always(speed)})
}

// trickle is one that is there by chance, and sends what lies in the page cache.
func (in incident) trickle(speed float64) {
	in.job(500, "rsync -a /srv/ backup::srv/", in.from-in.rng.IntN(60), in.to+40, uses{fact.CPU: always(0.03), fact.NetworkTransmit: always(speed)})
}

// probed is a shop that only a probe measures.
func (in incident) probed() {
	in.sites[0].signal, in.sites[0].rate = "probe", always(10)
}

// starved is a shop that gets less of the CPU.
func (in incident) starved() {
	in.slow(0.03 + 0.1*in.size)
	in.shop().use[fact.RunDelay] = in.while(0.1, 0.4+0.4*in.size)
}

// ailing is a shop that waits for its disk, though nobody uses it more.
func (in incident) ailing() {
	in.slow(0.1 + 0.4*in.size)
	in.bystander()
	in.host().pressure[shopUnit+" io"], in.host().pressure["io"] = in.while(0.01, 0.4+0.4*in.size), in.while(0.02, 0.4+0.4*in.size)
	in.shop().use[fact.BlockDelay] = in.while(0.01, 0.5)
}

// elsewhere is a large backup on a second host.
func (in incident) elsewhere() {
	in.hosts = append(in.hosts, newMachine("web2"))
	a := in.job(500, "tar -cf /mnt/b.tar /srv", in.from, in.to, uses{fact.CPU: always(0.6), fact.DiskRead: always(50e6 + 100e6*in.size)})
	a.host = "web2"
}

func newIncident(seed uint64, every int) incident {
	in := incident{stage: newStage(seed, every)}
	in.from = 420 + in.rng.IntN(120)
	in.to = in.from + 150 + in.rng.IntN(120)
	in.size = in.rng.Float64()
	return in
}

// said is what an engine said in a night: the verdict that stood at the end, and
// who was ever charged.
type said struct {
	final   rootcause.Verdict
	told    bool
	charged map[string]bool
	victims map[string]bool
}

func hear(t *testing.T, e *rootcause.Engine, facts []fact.Fact) said {
	t.Helper()
	s := said{charged: map[string]bool{}, victims: map[string]bool{}}
	for _, v := range verdicts(run(t, e, facts)) {
		s.final, s.told = v, true
		s.victims[v.Victim.Service] = true
		for _, b := range v.Backups {
			if b.Finding == rootcause.Charged {
				s.charged[b.Window.Workload.Name] = true
			}
		}
	}
	return s
}

// faults tells what was not right; innocents is how many were ever charged.
func (s said) faults(want outcome) (list []string, innocents int) {
	for name := range s.charged {
		if !slices.Contains(want.findings[name], rootcause.Charged) {
			innocents++
			list = append(list, name+" is innocent and was charged")
		}
	}
	slices.Sort(list)
	for name := range s.victims {
		if name != "shop" {
			list = append(list, name+" did not suffer")
		}
	}
	top := rootcause.Suspect{}
	if s.told && s.final.State != rootcause.StateUnknown {
		top = s.final.Top()
	}
	if want.cause == "" && top.Cause == rootcause.Upstream && s.final.State != rootcause.StateNamed {
		top = rootcause.Suspect{} // that it is nothing on the host is no blame
	}
	if top.Cause != want.cause || want.workload != "" && top.Workload.Name != want.workload || want.resource != rootcause.NoResource && top.Resource != want.resource {
		list = append(list, fmt.Sprintf("the top suspect is %s %s %s", top.Cause, top.Resource, top.Workload.Name))
	}
	if !s.told {
		return list, innocents
	}
	for _, b := range s.final.Backups {
		right := want.findings[b.Window.Workload.Name]
		if !slices.Contains(right, b.Finding) {
			list = append(list, fmt.Sprintf("%s is %s: %s", b.Window.Workload.Name, b.Finding, b.Sentence))
		}
	}
	return list, innocents
}

// TestPromisedCases prints for each case and interval of collection how many
// nights were judged right in all. CULPRIT_EVAL sets the number of nights.
func TestPromisedCases(t *testing.T) {
	nights := 4
	if n, err := strconv.Atoi(os.Getenv("CULPRIT_EVAL")); err == nil {
		nights = n
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-40s %8s %7s %7s %7s %7s\n", "case", "interval", "nights", "right", "named", "blamed")
	for _, c := range cases {
		for _, every := range c.every {
			right, named, blamed := 0, 0, 0
			var wrong []string
			for night := range nights {
				in := newIncident(uint64(1000*every+night), every)
				c.make(in)
				s := hear(t, newEngine(t, nil), in.facts())
				faults, innocents := s.faults(c.expect)
				blamed += innocents
				named += btoi(s.told && s.final.State == rootcause.StateNamed)
				if len(faults) == 0 {
					right++
				} else {
					wrong = append(wrong, fmt.Sprintf("night %d: %s", night, strings.Join(faults, "; ")))
				}
			}
			fmt.Fprintf(&table, "%-40s %6d s %7d %7d %7d %7d\n", c.name, every, nights, right, named, blamed)
			assertMostly(t, c.name, every, right, nights, wrong)
			if blamed > 0 {
				t.Errorf("%s at %d s: an innocent backup was charged: %s", c.name, every, wrong)
			}
		}
	}
	t.Log(table.String())
}

func assertMostly(t *testing.T, name string, every, right, nights int, wrong []string) {
	t.Helper()
	if 4*right < 3*nights {
		t.Errorf("%s at %d s: %d of %d right: %s", name, every, right, nights, strings.Join(wrong, "\n"))
	}
}

// Whatever becomes of the facts, nobody innocent is charged, and what can still be
// seen is.
func TestDisturbedNights(t *testing.T) {
	takes := func(in incident) {
		in.job(500, "tar -cJf b.txz /srv", in.from, in.to, uses{fact.CPU: always(0.4 + 0.2*in.size)})
		in.starved()
		in.bystander()
	}
	want := blames(rootcause.SharedCPU, "tar", findings{"tar": charged, "restic": innocent})
	// Half a minute is lost in the middle, as if the clock had been set.
	jump := func(in incident, facts []fact.Fact) (list []fact.Fact) {
		from, to := in.start.Add(time.Duration(in.from+60)*time.Second), in.start.Add(time.Duration(in.from+90)*time.Second)
		for _, f := range facts {
			if f.When().Before(from) || f.When().After(to) {
				list = append(list, f)
			}
		}
		return list
	}
	// One of ten readings is lost.
	lose := func(in incident, facts []fact.Fact) (list []fact.Fact) {
		for _, f := range facts {
			if _, tick := f.(fact.Tick); tick || in.rng.IntN(10) > 0 {
				list = append(list, f)
			}
		}
		return list
	}
	for name, disturb := range map[string]func(incident, []fact.Fact) []fact.Fact{"a clock that jumps": jump, "missing readings": lose} {
		for _, every := range all {
			t.Run(fmt.Sprintf("%s at %d s", name, every), func(t *testing.T) {
				right, nights := 0, 4
				var wrong []string
				for night := range nights {
					in := newIncident(uint64(5000*every+night), every)
					takes(in)
					faults, innocents := hear(t, newEngine(t, nil), disturb(in, in.facts())).faults(want)
					require.Zero(t, innocents, "%v", faults)
					wrong = append(wrong, faults...)
					right += btoi(len(faults) == 0)
				}
				assertMostly(t, name, every, right, nights, wrong)
			})
		}
	}
}

// Who saw nothing before cannot tell who changed; the next night it can.
func TestARestartInMidIncident(t *testing.T) {
	for _, every := range all {
		for night := range 4 {
			in := newIncident(uint64(6000*every+night), every)
			in.job(500, "tar -cJf b.txz /srv", in.from, in.to, uses{fact.CPU: always(0.4 + 0.2*in.size)})
			in.starved()
			in.bystander()
			var before, after []fact.Fact
			down, up := in.start.Add(time.Duration(in.from+70)*time.Second), in.start.Add(time.Duration(in.from+80)*time.Second)
			for _, f := range in.facts() {
				switch {
				case f.When().Before(down):
					before = append(before, f)
				case f.When().After(up):
					after = append(after, f)
				}
			}
			old := newEngine(t, nil)
			run(t, old, before)
			e := reborn(t, old, up)
			s := hear(t, e, after)
			require.Empty(t, s.charged, "%d s, night %d", every, night)
			if s.told {
				require.Equal(t, rootcause.StateUnknown, s.final.State)
			}

			next := newIncident(uint64(7000*every+night), every)
			next.start = in.start.Add(time.Hour)
			next.job(500, "tar -cJf b.txz /srv", next.from, next.to, uses{fact.CPU: always(0.4 + 0.2*next.size)})
			next.starved()
			next.bystander()
			run(t, e, []fact.Fact{fact.Tick{At: next.start}})
			faults, innocents := hear(t, e, next.facts()).faults(blames(rootcause.SharedCPU, "tar", findings{"tar": charged, "restic": innocent}))
			require.Zero(t, innocents)
			require.Empty(t, faults, "%d s, night %d", every, night)
		}
	}
}
