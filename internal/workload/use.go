package workload

import (
	"math"

	"github.com/otel-culprit/culprit/internal/process"
)

// Totals is what was used and waited for since the counters started. No field
// ever goes back.
type Totals struct {
	UserTime            float64 // seconds of CPU
	SystemTime          float64 // seconds of CPU
	ReadBytes           int64   // from storage
	WriteBytes          int64   // to storage
	TCP, UDP            process.Traffic
	RunDelay            float64 // seconds
	BlockDelay          float64 // seconds
	SwapDelay           float64 // seconds
	ThrashingDelay      float64 // seconds
	MinorFaults         int64
	MajorFaults         int64
	VoluntarySwitches   int64
	InvoluntarySwitches int64
	Retransmits         int64 // TCP segments
	Flight              int64 // TCP bytes sent, each times the milliseconds of its round trip
}

// The counters of a process. The first numInherited pass to whoever waits for it
// when it ends; the last two are what it inherited so itself. Bytes have no
// counter of their own for that: readBytes and writeBytes hold both.
const (
	userTime   = iota // in ticks, as are all times
	systemTime        //
	readBytes
	writeBytes
	tcpReceived
	tcpTransmitted
	udpReceived
	udpTransmitted
	runDelay
	blockDelay
	swapDelay
	thrashingDelay
	minorFaults
	majorFaults
	voluntarySwitches
	involuntarySwitches
	retransmits
	flight
	childrenUser
	childrenSystem
	numCounters

	numTotals    = childrenUser
	numInherited = tcpReceived
)

// always is the group of the counters that every process has.
const always process.Known = 1 << 15

// groups says to which group of fields each counter belongs.
var groups = [numCounters]process.Known{
	always, always, process.KnowsIO, process.KnowsIO,
	process.KnowsTCP, process.KnowsTCP, process.KnowsUDP, process.KnowsUDP,
	process.KnowsRunDelay, process.KnowsBlockDelay, process.KnowsSwapDelay, process.KnowsThrashing,
	always, always, process.KnowsSwitches, process.KnowsSwitches, process.KnowsPaths, process.KnowsTCP,
	process.KnowsChildren, process.KnowsChildren,
}

// reading is what the counters of a process say. Integers add up exactly in any
// order, which the ledger relies on.
type reading [numCounters]int64

// use is what was used, without what was inherited.
type use [numTotals]int64

// legacy is the part of a use that passes to whoever waits for the process.
type legacy [numInherited]int64

// readingOf never holds a negative number.
func readingOf(p *process.Process) reading {
	n := &p.Network
	return reading{
		ticks(p.UserTime), ticks(p.SystemTime), amount(p.ReadBytes), amount(p.WriteBytes),
		amount(n.TCP.Received), amount(n.TCP.Transmitted), amount(n.UDP.Received), amount(n.UDP.Transmitted),
		ticks(p.RunDelay), ticks(p.BlockDelay), ticks(p.SwapDelay), ticks(p.ThrashingDelay),
		amount(p.MinorFaults), amount(p.MajorFaults), amount(p.VoluntarySwitches), amount(p.InvoluntarySwitches),
		amount(n.Retransmits), amount(n.Flight), ticks(p.ChildrenUser), ticks(p.ChildrenSystem),
	}
}

// ticksPerSecond is coarse enough for 3,000 years of CPU, which large hosts reach
// in a decade, and fine enough for the shortest process.
const ticksPerSecond = 1e7

// most is far from what overflows when a few are added.
const most = 1 << 60

func amount(n int64) int64 { return min(max(n, 0), most) }

// ticks makes nothing of what is no sensible number of seconds.
func ticks(seconds float64) int64 {
	n := math.Round(seconds * ticksPerSecond)
	if !(n > 0) || n > most {
		return 0
	}
	return int64(n)
}

func seconds(ticks int64) float64 { return float64(ticks) / ticksPerSecond }

func (u *use) totals() Totals {
	return Totals{
		UserTime: seconds(u[userTime]), SystemTime: seconds(u[systemTime]),
		ReadBytes: u[readBytes], WriteBytes: u[writeBytes],
		TCP:      process.Traffic{Received: u[tcpReceived], Transmitted: u[tcpTransmitted]},
		UDP:      process.Traffic{Received: u[udpReceived], Transmitted: u[udpTransmitted]},
		RunDelay: seconds(u[runDelay]), BlockDelay: seconds(u[blockDelay]),
		SwapDelay: seconds(u[swapDelay]), ThrashingDelay: seconds(u[thrashingDelay]),
		MinorFaults: u[minorFaults], MajorFaults: u[majorFaults],
		VoluntarySwitches: u[voluntarySwitches], InvoluntarySwitches: u[involuntarySwitches],
		Retransmits: u[retransmits], Flight: u[flight],
	}
}

func (u *use) add(more *use) {
	for i := range u {
		u[i] = plus(u[i], more[i])
	}
}

func (u *use) inherit(more legacy) {
	for i, n := range more {
		u[i] = plus(u[i], n)
	}
}

// plus stays at the largest number rather than go back.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
