package bpfscan

import (
	"math/bits"

	"github.com/otel-culprit/culprit/internal/process"
)

// publish turns the numbers into those of the process.
func (s *Scanner) publish(e *entry) {
	r, p := &e.record, &e.Process
	p.Parent, p.Group, p.Session, p.User = int64(r.parent), int64(r.group), int64(r.session), int64(r.user)
	p.Kernel, p.TTY = r.thread.flags&flagKernel != 0, r.thread.flags&flagTTY != 0
	p.Nice, p.Threads = int64(r.thread.nice), int64(r.threads)
	if e.fresh || r.name != e.published.name {
		e.rename()
	}
	if e.fresh || r.thread.ioPriority != e.published.ioPriority {
		p.IOPriority = process.IOPriorityName(r.thread.ioPriority)
	}
	e.publishCPU()
	p.Resident, p.Virtual = signed(r.resident)*s.pageSize, signed(r.total)*s.pageSize
	p.MinorFaults, p.MajorFaults = signed(e.total.minor), signed(e.total.major)
	p.ChildrenUser = max(p.ChildrenUser, seconds(r.childrenUser))
	p.ChildrenSystem = max(p.ChildrenSystem, seconds(r.childrenSystem))
	p.ReadBytes, p.WriteBytes = signed(e.total.read), signed(e.total.written)
	p.RunDelay, p.BlockDelay = seconds(e.delays.run), seconds(e.delays.block)
	p.SwapDelay, p.ThrashingDelay = seconds(e.delays.swap), seconds(e.delays.thrashing)
	p.VoluntarySwitches, p.InvoluntarySwitches = signed(e.total.voluntary), signed(e.total.involuntary)
	e.publishTraffic()
	e.publishKnown(s)
}

func (e *entry) publishKnown(s *Scanner) {
	flags := e.record.thread.flags
	delayed := flags&flagDelays != 0 && s.BlockDelays()
	e.Known.Set(process.KnowsChildren|process.KnowsSwitches, true)
	e.Known.Set(process.KnowsIO, flags&flagIO != 0)
	e.Known.Set(process.KnowsRunDelay, flags&flagRunDelay != 0)
	e.Known.Set(process.KnowsBlockDelay|process.KnowsSwapDelay|process.KnowsThrashing, delayed)
	e.Known.Set(process.KnowsTCP|process.KnowsUDP, s.programs.traffic)
	e.Known.Set(process.KnowsPaths, s.programs.paths != nil)
}

// publishCPU divides the exact time on a CPU as the kernel does for the proc
// file system: in the proportion of the two counters that it keeps by sampling.
// Neither part goes back, and what was told to others binds as well.
func (e *entry) publishCPU() {
	run := e.total.run
	if e.user+e.system < run {
		r := &e.record
		e.user, e.system = divide(run, e.total.user, e.total.system, max(e.user, r.toldUser), max(e.system, r.toldSystem))
	}
	e.UserTime, e.SystemTime = seconds(e.user), seconds(e.system)
}

func divide(run, sampledUser, sampledSystem, userBefore, systemBefore uint64) (user, system uint64) {
	switch {
	case sampledSystem == 0:
		system = 0
	case sampledUser == 0:
		system = run
	default:
		high, low := bits.Mul64(sampledSystem, run)
		sum := sampledUser + sampledSystem
		if high >= sum { // the counters make no sense
			system = run / 2
			break
		}
		system, _ = bits.Div64(high, low, sum)
	}
	system = min(max(system, systemBefore), run)
	user = run - system
	if user < userBefore {
		user = min(userBefore, run)
		system = run - user
	}
	return user, system
}

// rebase notes that the counters of traffic began anew: they hang on the main
// thread, which another thread replaces when it executes a program.
func (e *entry) rebase(now *traffic) {
	before := &e.record.traffic
	if now.tcpReceived < before.tcpReceived || now.tcpTransmitted < before.tcpTransmitted ||
		now.udpReceived < before.udpReceived || now.udpTransmitted < before.udpTransmitted || now.flight < before.flight {
		e.traffic.add(before)
	}
}

func (e *entry) publishTraffic() {
	t, n := e.record.traffic, &e.Network
	t.add(&e.traffic)
	n.TCP.Received = max(n.TCP.Received, signed(t.tcpReceived))
	n.TCP.Transmitted = max(n.TCP.Transmitted, signed(t.tcpTransmitted))
	n.UDP.Received = max(n.UDP.Received, signed(t.udpReceived))
	n.UDP.Transmitted = max(n.UDP.Transmitted, signed(t.udpTransmitted))
	n.Flight = max(n.Flight, signed(t.flight))
}

func seconds(ns uint64) float64 { return float64(ns) / 1e9 }

// signed is n as the fields of processes have it. No counter of the kernel comes
// near the end of the range, but rubbish does.
func signed(n uint64) int64 {
	return int64(min(n, 1<<62)) //nolint:gosec // it fits
}
