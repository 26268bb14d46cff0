package bpfscan

import (
	"bytes"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/process"
)

// describeEvery is after how many scans a process that ran is described afresh:
// it may have given itself another command line. What others do to it shows in
// its record.
const describeEvery = 30

// delaySlack is how much longer than the time it could have waited a thread may
// have, in ns: the list takes a while.
const delaySlack = uint64(50 * time.Millisecond)

// entry is what is kept of a process from scan to scan.
type entry struct {
	process.Process
	task   task // its main thread
	record leaderRecord
	live   usage // of its threads, as far as they are listed
	total  usage // and of those that ended; never goes back
	delays delays
	count  uint32 // threads that are listed

	user, system uint64  // ns of CPU, as told
	traffic      traffic // before its counters began anew

	described int // scan
	touched   int // scan
	gone      bool
	fresh     bool // not described yet
	reordered bool // a thread has another priority
	early     bool // a thread has a smaller ID and is listed before the process
	skipped   bool // it was not settled in the last scan
	published identityShown

	// The distinct priorities of its threads.
	nices, ioPriorities []int32
}

// identityShown is the part of a record that belongs to the description.
type identityShown struct {
	parent, group, session, user uint32
	execs, cpus                  uint64
	cpuCount                     uint32
	cgroup                       cgroupID
	name                         [16]byte
	nice                         int32
	ioPriority                   uint32
	tty                          bool
}

// enter starts to keep a process.
func (s *Scanner) enter(pid uint32, record *leaderRecord) *entry {
	e := s.newEntry(pid, record, s.now)
	s.entries[pid] = e
	s.touch(e)
	return e
}

// newEntry is for a process as it was at a time in ns since boot.
func (s *Scanner) newEntry(pid uint32, record *leaderRecord, now uint64) *entry {
	e := &entry{record: *record, live: record.thread.usage, count: 1, fresh: true}
	e.task = task{id: pid, record: record.thread, owner: e, since: record.thread.start}
	e.PID = int64(pid)
	e.Start = s.Boot().Add(time.Duration(record.thread.start / tick * tick)) //nolint:gosec // less than centuries
	e.Created = e.Start.Format("2006-01-02T15:04:05.000Z07:00")
	e.wait(&delays{}, &record.thread.delays, now-min(record.thread.start, now))
	return e
}

// adopt adds a thread.
func (e *entry) adopt(t *task, now uint64) {
	t.owner = e
	e.live.add(&t.record.usage)
	e.wait(&delays{}, &t.record.delays, now-min(t.since, now))
	e.count++
	e.early = e.early || int64(t.id) < e.PID
	e.reordered = true
}

func (e *entry) identity() identity {
	return identity{pid: uint32(e.PID), start: e.record.thread.start} //nolint:gosec // a PID is 22 bits
}

// wait adds what a thread waited. At times the kernel adds the whole time since
// boot to the block I/O delay of a thread that never began to wait: what is
// longer than the time that passed is dropped.
func (e *entry) wait(before, now *delays, passed uint64) {
	passed += delaySlack
	e.delays.run += step(before.run, now.run, passed)
	e.delays.block += step(before.block, now.block, passed)
	e.delays.swap += step(before.swap, now.swap, passed)
	e.delays.thrashing += step(before.thrashing, now.thrashing, passed)
}

func step(before, now, most uint64) uint64 {
	if now <= before || now-before > most {
		return 0
	}
	return now - before
}

// settle works out what the process is and used, and describes it if it may
// have become something else.
func (s *Scanner) settle(e *entry) {
	if e.skipped = e.early && e.count > e.record.threads && !e.skipped; e.skipped {
		// A thread may have ended between its record and that of the process, in
		// which it stands as well. The next scan knows.
		s.skipped = append(s.skipped, e)
		return
	}
	ran := e.total.run
	total := e.record.ended
	total.add(&e.live)
	e.total.raise(&total)
	if e.fresh || e.total.run != ran {
		e.Ran = true
		s.ran = append(s.ran, e)
	}
	s.publish(e)
	shown := e.shown()
	moved := shown != e.published
	if moved && !e.fresh {
		e.Described++
	}
	e.published = shown
	if moved || e.fresh || (e.Ran && s.scans-e.described >= describeEvery) {
		s.describe(e)
	}
}

// shown is what the description is made of.
func (e *entry) shown() identityShown {
	r := &e.record
	return identityShown{
		parent: r.parent, group: r.group, session: r.session, user: r.user,
		execs: r.execs, cpus: r.cpus, cpuCount: r.cpuCount, cgroup: r.cgroup, name: r.name,
		nice: r.thread.nice, ioPriority: r.thread.ioPriority, tty: r.thread.flags&flagTTY != 0,
	}
}

// rename makes the name that is shown of the kernel's.
func (e *entry) rename() {
	name, _, _ := bytes.Cut(e.record.name[:], []byte{0})
	name = process.DisplayName(name, e.record.thread.flags&flagKernel != 0)
	if e.Name != string(name) {
		e.Name = strings.ToValidUTF8(string(name), "\uFFFD")
	}
}
