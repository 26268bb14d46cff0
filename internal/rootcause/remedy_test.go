package rootcause_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// abilities are what a host tells of itself, each with whether it is so.
type abilities map[string]bool

func (a abilities) told(at time.Time) (list []fact.Fact) {
	for name, present := range a {
		list = append(list, fact.Capability{At: at, Host: hostName, Name: name, Present: present})
	}
	return list
}

// does is what a remedy does, in short: whether it works, its command and its
// reason.
func does(t *testing.T, v rootcause.Verdict, command string) rootcause.Remedy {
	t.Helper()
	for _, r := range v.Remedies {
		if strings.Contains(r.Command, command) {
			return r
		}
	}
	require.Fail(t, "no such remedy", "%s in %+v", command, v.Remedies)
	return rootcause.Remedy{}
}

// slowDisks is a world whose backup, of 80 MB/s, is charged with the disk.
func slowDisks(t *testing.T, can abilities, disks ...fact.Disk) rootcause.Verdict {
	t.Helper()
	w := newWorld(21)
	w.jobs = []job{{pid: 500, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 120, to: 200, cpu: 0.1, disk: 80e6}}
	w.latency, w.io = during(120, 200, 0.010, 0.150), during(120, 200, 0.01, 0.6)
	v := last(t, run(t, newEngine(t, nil), with(w, 180, func(second int, at time.Time) []fact.Fact {
		list := can.told(at)
		for _, d := range disks {
			d.At, d.Over, d.Host = at, time.Second, hostName
			if second < 120 {
				d.ReadBytes = 2e6
			}
			d.Reads, d.OpTime = d.ReadBytes/64e3, 0.01
			list = append(list, d)
		}
		return list
	})))
	require.Equal(t, rootcause.SharedDisk, v.Top().Resource)
	return v
}

func TestIdlePriorityWorksWithBFQOnly(t *testing.T) {
	sda := func(scheduler string) fact.Disk {
		return fact.Disk{Device: "sda", Number: "8:0", Scheduler: scheduler, ReadBytes: 82e6}
	}
	sdb := func(scheduler string, bytes float64) fact.Disk {
		return fact.Disk{Device: "sdb", Number: "8:16", Scheduler: scheduler, ReadBytes: bytes}
	}
	bfq, noBFQ := abilities{"io_scheduler_bfq": true}, abilities{"io_scheduler_bfq": false}
	for name, test := range map[string]struct {
		can   abilities
		disks []fact.Disk
		works rootcause.Works
		why   string
	}{
		"BFQ":                          {bfq, []fact.Disk{sda("bfq")}, rootcause.DoesWork, "sda uses bfq, which heeds it"},
		"another":                      {noBFQ, []fact.Disk{sda("mq-deadline")}, rootcause.DoesNotWork, "sda uses mq-deadline"},
		"another, BFQ on an idle disk": {bfq, []fact.Disk{sda("none"), sdb("bfq", 2e6)}, rootcause.DoesNotWork, "sda uses none, and only BFQ heeds it"},
		"BFQ, another on an idle disk": {bfq, []fact.Disk{sda("bfq"), sdb("none", 2e6)}, rootcause.DoesWork, "sda uses bfq"},
		"one of two busy ones":         {bfq, []fact.Disk{sda("none"), sdb("bfq", 70e6)}, rootcause.MayWork, "sda uses none, sdb uses bfq"},
		"unknown":                      {bfq, []fact.Disk{sda("")}, rootcause.MayWork, "works only on a disk that uses the I/O scheduler BFQ"},
		"unknown of one of two":        {bfq, []fact.Disk{sda("bfq"), sdb("", 70e6)}, rootcause.MayWork, "works only on a disk"},
		"unknown, but nowhere BFQ":     {noBFQ, []fact.Disk{sda("")}, rootcause.DoesNotWork, "no disk here uses it"},
		"nothing is told":              {nil, nil, rootcause.MayWork, "works only on a disk"},
	} {
		t.Run(name, func(t *testing.T) {
			v := slowDisks(t, test.can, test.disks...)
			r := does(t, v, "ionice -c 3 -P 500")
			require.Equal(t, test.works, r.Works)
			require.Contains(t, r.Why, test.why)
			require.NotContains(t, v.Remedies[0].Command, "ionice", "it helps less than the others")
		})
	}
}

func TestALimitOfTheDiskIsReadyToCopy(t *testing.T) {
	sda := fact.Disk{Device: "sda", Number: "8:0", ReadBytes: 82e6}
	idle := fact.Disk{Device: "nvme0n1", Number: "259:0", ReadBytes: 2e6}
	const rest = " && for p in $(pgrep -g 500); do echo $p > "
	for name, test := range map[string]struct {
		can     abilities
		disk    fact.Disk
		works   rootcause.Works
		command string
		why     string
	}{
		"cgroup v1": {
			abilities{"cgroup_v1_blkio": true, "cgroup_v2_io": false},
			sda, rootcause.DoesWork,
			"mkdir -p /sys/fs/cgroup/blkio/throttled && echo 8:0 18000000 > /sys/fs/cgroup/blkio/throttled/blkio.throttle.read_bps_device" + rest + "/sys/fs/cgroup/blkio/throttled/cgroup.procs; done",
			`8:0 is sda, and the rate, in bytes per second, a quarter of what it takes now; undo with "echo 8:0 0 > /sys/fs/cgroup/blkio/throttled/blkio.throttle.read_bps_device"`,
		},
		"cgroup v2": {
			abilities{"cgroup_v1_blkio": false, "cgroup_v2_io": true},
			sda, rootcause.DoesWork,
			"echo +io > /sys/fs/cgroup/cgroup.subtree_control && mkdir -p /sys/fs/cgroup/throttled && echo 8:0 rbps=18000000 > /sys/fs/cgroup/throttled/io.max" + rest + "/sys/fs/cgroup/throttled/cgroup.procs; done",
			`undo with "echo 8:0 rbps=max > /sys/fs/cgroup/throttled/io.max"`,
		},
		"both generations": {
			abilities{"cgroup_v1_cpu": true, "cgroup_v2_io": true},
			sda, rootcause.DoesWork,
			"echo +io > /sys/fs/cgroup/unified/cgroup.subtree_control && mkdir -p /sys/fs/cgroup/unified/throttled && echo 8:0 rbps=18000000 > /sys/fs/cgroup/unified/throttled/io.max" +
				rest + "/sys/fs/cgroup/unified/throttled/cgroup.procs; done",
			"cgroup v2 io controller",
		},
		"neither": {
			abilities{"cgroup_v1_blkio": false, "cgroup_v2_io": false},
			sda, rootcause.DoesWork,
			"kill -STOP -- -500", `let it go on with "kill -CONT -- -500"`,
		},
		"number unknown": {
			abilities{"cgroup_v2_io": true},
			fact.Disk{Device: "sda", ReadBytes: 82e6},
			rootcause.MayWork,
			"echo MAJ:MIN rbps=18000000 > /sys/fs/cgroup/throttled/io.max", "put the disk's MAJ:MIN from lsblk in",
		},
		"number is none": {
			abilities{"cgroup_v2_io": true},
			fact.Disk{Device: "sda", Number: "8:0;reboot", ReadBytes: 82e6},
			rootcause.MayWork,
			"echo MAJ:MIN rbps=18000000", "MAJ:MIN",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := slowDisks(t, test.can, idle, test.disk)
			r := v.Remedies[0]
			require.Equal(t, test.works, r.Works)
			require.Contains(t, r.Command, test.command)
			require.Contains(t, r.Why, test.why)
			if !strings.Contains(r.Command, "kill") {
				require.Equal(t, "limit its reading to 18 MB/s (root)", r.Title, "a quarter of what it takes")
			}
		})
	}
}

func TestOneOfSeveralDisksIsLimited(t *testing.T) {
	busy := []fact.Disk{{Device: "sda", Number: "8:0", ReadBytes: 82e6}, {Device: "sdb", Number: "8:16", ReadBytes: 70e6}}
	r := slowDisks(t, abilities{"cgroup_v2_io": true}, busy...).Remedies[0]
	require.Contains(t, r.Command, "echo 8:0 rbps=18000000")
	require.Equal(t, rootcause.MayWork, r.Works)
	require.Contains(t, r.Why, "8:0 is sda")
	require.Contains(t, r.Why, "which of sda and sdb it uses is not known, and this limits sda alone")

	busy[0].Number = ""
	r = slowDisks(t, abilities{"cgroup_v2_io": true}, busy...).Remedies[0]
	require.Equal(t, rootcause.MayWork, r.Works)
	require.Contains(t, r.Why, "which of sda and sdb it uses is not known, and this limits the one that you put in alone")
}

func TestAUnitIsLimitedOnTheDiskThatItUses(t *testing.T) {
	w := newWorld(21)
	w.jobs = []job{{pid: 500, command: "restic", args: []string{"restic", "backup", "/srv"}, from: 120, to: 200, cpu: 0.1, disk: 80e6}}
	w.latency, w.io = during(120, 200, 0.010, 0.150), during(120, 200, 0.01, 0.6)
	facts := with(w, 180, func(second int, at time.Time) []fact.Fact {
		d := fact.Disk{At: at, Over: time.Second, Host: hostName, Device: "sda", Number: "8:0", Reads: 40, ReadBytes: 2e6}
		if second >= 120 {
			d.ReadBytes = 82e6
		}
		return append(abilities{"systemd": true, "cgroup_v2_io": true}.told(at), d)
	})
	for i, f := range facts {
		if d, is := f.(fact.Described); is && d.Process.PID == 500 {
			d.Cgroup = "/system.slice/nightly.service"
			facts[i] = d
		}
	}
	r := last(t, run(t, newEngine(t, nil), facts)).Remedies[0]
	require.Equal(t, rootcause.DoesWork, r.Works)
	require.Equal(t, "systemctl set-property --runtime 'nightly.service' IOReadBandwidthMax='/dev/block/8:0 18000000'", r.Command)
	require.Contains(t, r.Why, `undo with "systemctl set-property --runtime 'nightly.service' IOReadBandwidthMax="`)
}

func TestWhichPriorityCounts(t *testing.T) {
	const session, nice = "echo 19 > /proc/500/autogroup", "renice -n 19 -g 500"
	v1, v2 := abilities{"cgroup_v1_cpu": true}, abilities{"cgroup_v2_cpu": true}
	for name, test := range map[string]struct {
		can        abilities
		site, job  string // control groups
		together   bool   // in one session
		works      [2]rootcause.Works
		share, why string
	}{
		"own session":            {nil, "/", "/", false, [2]rootcause.Works{rootcause.DoesWork, rootcause.DoesNotWork}, "", "session of its own"},
		"one session":            {nil, "/", "/", true, [2]rootcause.Works{rootcause.DoesNotWork, rootcause.DoesWork}, "", "shares its session"},
		"no CPU controller":      {nil, "/a", "/b", false, [2]rootcause.Works{rootcause.DoesWork, rootcause.DoesNotWork}, "", "session of its own"},
		"own cgroup":             {v2, "/a", "/b", false, [2]rootcause.Works{rootcause.DoesNotWork, rootcause.DoesNotWork}, "echo 1 > /sys/fs/cgroup/throttled/cpu.weight", "cgroup decides"},
		"one cgroup, version 1":  {v1, "/a", "/a", false, [2]rootcause.Works{rootcause.DoesNotWork, rootcause.DoesWork}, "echo 2 > /sys/fs/cgroup/cpu/throttled/cpu.shares", "cgroup decides"},
		"one cgroup, version 2":  {v2, "/a", "/a", false, [2]rootcause.Works{rootcause.MayWork, rootcause.MayWork}, "echo +cpu > /sys/fs/cgroup/cgroup.subtree_control", "cpu.weight"},
		"autogroup is off":       {abilities{"sched_autogroup": false}, "/a", "/a", false, [2]rootcause.Works{rootcause.DoesNotWork, rootcause.DoesWork}, "", "off"},
		"root cgroup, version 2": {v2, "/", "/", false, [2]rootcause.Works{rootcause.DoesWork, rootcause.DoesNotWork}, "echo 1 > /sys/fs/cgroup/throttled/cpu.weight", "session of its own"},
		"own cgroup and autogroup off": {
			abilities{"sched_autogroup": false, "cgroup_v2_cpu": true},
			"/a", "/b", false,
			[2]rootcause.Works{rootcause.DoesNotWork, rootcause.MayWork},
			"cpu.weight", "cgroup decides",
		},
		"own cgroup and autogroup off, version 1": {
			abilities{"sched_autogroup": false, "cgroup_v1_cpu": true},
			"/a", "/b", false,
			[2]rootcause.Works{rootcause.DoesNotWork, rootcause.DoesNotWork},
			"cpu.shares", "cgroup decides",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := contended(1)
			facts := with(w, 150, func(_ int, at time.Time) []fact.Fact { return test.can.told(at) })
			for i, f := range facts {
				d, is := f.(fact.Described)
				if !is {
					continue
				}
				d.Cgroup = test.site
				if d.Process.PID == 500 {
					d.Cgroup = test.job
				}
				if test.together {
					d.Session = 100
				}
				facts[i] = d
			}
			v := last(t, run(t, newEngine(t, nil), facts))
			require.Equal(t, test.works[0], does(t, v, session).Works)
			require.Equal(t, test.works[1], does(t, v, nice).Works)
			require.Contains(t, does(t, v, session).Why, test.why)
			if test.share == "" {
				for _, r := range v.Remedies {
					require.NotContains(t, r.Command, "throttled", "no controller is there")
				}
				return
			}
			share := does(t, v, test.share)
			require.Equal(t, rootcause.DoesWork, share.Works)
			require.Contains(t, share.Why, "undo with")
		})
	}
}

// A pipe is known by its leader, a shell that is called after its tar.
func TestARemedySaysWhoseNumberIsInIt(t *testing.T) {
	w := contended(1)
	facts := with(w, 150, func(int, time.Time) []fact.Fact { return nil })
	for i, f := range facts {
		if d, is := f.(fact.Described); is && d.Process.PID == 500 {
			d.Workload, d.Group, d.Session = fact.Workload{Type: "job", Name: "tar", PID: 499}, 499, 499
			facts[i] = d
		}
	}
	r := does(t, last(t, run(t, newEngine(t, nil), facts)), "/proc/500/autogroup")
	require.Contains(t, r.Why, "PID 500 is tar, part of the job tar (PID 499)")
}
