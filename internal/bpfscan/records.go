package bpfscan

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/otel-culprit/culprit/internal/process"
)

// kind tells the records of the programs apart; bpf/record.h describes them.
type kind uint16

const (
	kindBegin       kind = 1
	kindThread      kind = 2
	kindLeader      kind = 3
	kindEnd         kind = 4
	kindExit        kind = 5
	kindFree        kind = 6
	kindSame        kind = 7
	kindPaths       kind = 8
	kindRetransmits kind = 9
)

// Sizes of the records, their heads included.
const (
	headSize        = 8
	beginSize       = headSize + 16
	threadSize      = headSize + 128
	leaderSize      = threadSize + 232
	endSize         = headSize + 8
	exitSize        = leaderSize + 8
	freeSize        = headSize + 96
	pathsSize       = headSize + 24
	retransmitsSize = headSize + 16
)

// The flags of a thread.
const (
	flagKernel = 1 << iota
	flagTTY
	flagDelays
	flagRunDelay
	flagIO
	flagDiscarded
)

var (
	errTruncated = errors.New("the kernel's list ends too early")
	errMalformed = errors.New("the kernel's list has an unexpected form")
)

// head is what all records begin with.
type head struct {
	kind kind
	id   uint32 // of the thread
}

// size is how long a record of this kind is; zero if there is no such kind.
func (k kind) size() int {
	switch k {
	case kindBegin:
		return beginSize
	case kindThread:
		return threadSize
	case kindLeader:
		return leaderSize
	case kindEnd:
		return endSize
	case kindExit:
		return exitSize
	case kindFree:
		return freeSize
	case kindSame:
		return headSize
	case kindPaths:
		return pathsSize
	case kindRetransmits:
		return retransmitsSize
	default:
		return 0
	}
}

// cutRecord takes the first record off b. It is errTruncated if b ends before
// the record does.
func cutRecord(b []byte) (h head, record, rest []byte, err error) {
	if len(b) < headSize {
		return head{}, nil, b, errTruncated
	}
	h = head{kind: kind(binary.LittleEndian.Uint16(b)), id: binary.LittleEndian.Uint32(b[4:])}
	size := h.kind.size()
	if size == 0 || int(binary.LittleEndian.Uint16(b[2:])) != size {
		return head{}, nil, b, fmt.Errorf("%w: kind %d of %d bytes", errMalformed, h.kind, binary.LittleEndian.Uint16(b[2:]))
	}
	if len(b) < size {
		return head{}, nil, b, errTruncated
	}
	return h, b[:size], b[size:], nil
}

// usage is what threads used since they started.
type usage struct {
	run, user, system      uint64 // ns
	read, written          uint64 // bytes
	voluntary, involuntary uint64
	minor, major           uint64
}

func (u *usage) add(v *usage) {
	u.run += v.run
	u.user += v.user
	u.system += v.system
	u.read += v.read
	u.written += v.written
	u.voluntary += v.voluntary
	u.involuntary += v.involuntary
	u.minor += v.minor
	u.major += v.major
}

func (u *usage) subtract(v *usage) {
	u.run -= v.run
	u.user -= v.user
	u.system -= v.system
	u.read -= v.read
	u.written -= v.written
	u.voluntary -= v.voluntary
	u.involuntary -= v.involuntary
	u.minor -= v.minor
	u.major -= v.major
}

// raise makes every field at least that of v.
func (u *usage) raise(v *usage) {
	u.run = max(u.run, v.run)
	u.user = max(u.user, v.user)
	u.system = max(u.system, v.system)
	u.read = max(u.read, v.read)
	u.written = max(u.written, v.written)
	u.voluntary = max(u.voluntary, v.voluntary)
	u.involuntary = max(u.involuntary, v.involuntary)
	u.minor = max(u.minor, v.minor)
	u.major = max(u.major, v.major)
}

// delays are how long a thread waited, in ns.
type delays struct {
	run, block, swap, thrashing uint64
}

// threadRecord is what the kernel says of a thread.
type threadRecord struct {
	process    uint32
	flags      uint32
	start      uint64 // ns since boot
	usage      usage
	delays     delays
	nice       int32
	ioPriority uint32
}

// traffic is what went over the sockets of a process, in bytes.
type traffic struct {
	tcpReceived, tcpTransmitted, udpReceived, udpTransmitted uint64
	flight                                                   uint64 // bytes times ms
}

func (t *traffic) add(u *traffic) {
	t.tcpReceived += u.tcpReceived
	t.tcpTransmitted += u.tcpTransmitted
	t.udpReceived += u.udpReceived
	t.udpTransmitted += u.udpTransmitted
	t.flight += u.flight
}

// leaderRecord is what the kernel says of the main thread of a process and of
// the process.
type leaderRecord struct {
	thread                       threadRecord
	ended                        usage // by threads that ended; bytes of children, too
	childrenUser, childrenSystem uint64
	toldUser, toldSystem         uint64 // ns, as the proc file system told last
	traffic                      traffic
	resident, total              uint64 // pages
	cgroup                       cgroupID
	execs                        uint64
	cpus                         uint64
	cpuCount                     uint32
	parent, group, session       uint32
	user, threads                uint32
	name                         [16]byte
}

// cgroupID names a cgroup of the unified hierarchy and one of that of the cpu
// controller, which may be the same.
type cgroupID struct {
	unified, cpu uint64
}

// freeRecord is what a process used in all.
type freeRecord struct {
	start                        uint64
	ended                        usage
	childrenUser, childrenSystem uint64
}

// fields reads numbers off a record that has been found long enough.
type fields []byte

func (f *fields) u64() uint64 {
	v := binary.LittleEndian.Uint64(*f)
	*f = (*f)[8:]
	return v
}

func (f *fields) u32() uint32 {
	v := binary.LittleEndian.Uint32(*f)
	*f = (*f)[4:]
	return v
}

func (f *fields) usage(u *usage) {
	u.run, u.user, u.system = f.u64(), f.u64(), f.u64()
	u.read, u.written = f.u64(), f.u64()
	u.voluntary, u.involuntary = f.u64(), f.u64()
	u.minor, u.major = f.u64(), f.u64()
}

func (f *fields) thread(t *threadRecord) {
	t.process, t.flags, t.start = f.u32(), f.u32(), f.u64()
	f.usage(&t.usage)
	t.delays = delays{run: f.u64(), block: f.u64(), swap: f.u64(), thrashing: f.u64()}
	t.nice, t.ioPriority = int32(f.u32()), process.NormalIOPriority(f.u32()) //nolint:gosec // the kernel wrote a signed number
}

func (f *fields) leader(l *leaderRecord) {
	f.thread(&l.thread)
	f.usage(&l.ended)
	l.childrenUser, l.childrenSystem = f.u64(), f.u64()
	l.toldUser, l.toldSystem = f.u64(), f.u64()
	l.traffic = traffic{tcpReceived: f.u64(), tcpTransmitted: f.u64(), udpReceived: f.u64(), udpTransmitted: f.u64(), flight: f.u64()}
	l.resident, l.total = f.u64(), f.u64()
	l.cgroup = cgroupID{unified: f.u64(), cpu: f.u64()}
	l.execs, l.cpus = f.u64(), f.u64()
	l.cpuCount, l.parent, l.group, l.session = f.u32(), f.u32(), f.u32(), f.u32()
	l.user, l.threads = f.u32(), f.u32()
	copy(l.name[:], *f)
}

func parseThread(record []byte, t *threadRecord) {
	f := fields(record[headSize:])
	f.thread(t)
}

func parseLeader(record []byte, l *leaderRecord) {
	f := fields(record[headSize:])
	f.leader(l)
}

// parseExit also returns when the process ended, in ns since boot.
func parseExit(record []byte, l *leaderRecord) (at uint64) {
	parseLeader(record, l)
	return binary.LittleEndian.Uint64(record[leaderSize:])
}

func parseFree(record []byte, r *freeRecord) {
	f := fields(record[headSize:])
	r.start = f.u64()
	f.usage(&r.ended)
	r.childrenUser, r.childrenSystem = f.u64(), f.u64()
}

// parseBegin returns when the list began, in ns since boot, and how deep the
// reader's PID namespace is.
func parseBegin(record []byte) (now, level uint64) {
	f := fields(record[headSize:])
	return f.u64(), f.u64()
}

// parseEnd returns how many messages were lost.
func parseEnd(record []byte) uint64 { return binary.LittleEndian.Uint64(record[headSize:]) }

// pathsRecord is what is known of the TCP sockets of a process.
type pathsRecord struct {
	start       uint64
	srtt        uint64 // us / 8, summed
	established uint32
	listening   uint32
}

func parsePaths(record []byte) pathsRecord {
	f := fields(record[headSize:])
	return pathsRecord{start: f.u64(), srtt: f.u64(), established: f.u32(), listening: f.u32()}
}

func parseRetransmits(record []byte) (inode, count uint64) {
	f := fields(record[headSize:])
	return f.u64(), f.u64()
}
