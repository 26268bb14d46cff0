package bpfscan

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/procscan"
)

// record makes a record whose numbers count up, so that no two fields agree.
func record(k kind, id uint32) []byte {
	b := make([]byte, k.size())
	for i := headSize; i < len(b); i++ {
		b[i] = byte(i)
	}
	binary.LittleEndian.PutUint16(b, uint16(k))
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)))
	binary.LittleEndian.PutUint32(b[4:], id)
	return b
}

func at32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
func at64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }

// The offsets are those of bpf/record.h, counted by hand.
func TestParse(t *testing.T) {
	b := record(kindExit, 42)
	var l leaderRecord
	require.Equal(t, at64(b, 368), parseExit(b, &l))
	require.Equal(t, at32(b, 8), l.thread.process)
	require.Equal(t, at64(b, 16), l.thread.start)
	require.Equal(t, at64(b, 24), l.thread.usage.run)
	require.Equal(t, at64(b, 88), l.thread.usage.major)
	require.Equal(t, at64(b, 120), l.thread.delays.thrashing)
	require.Equal(t, at32(b, 128), uint32(l.thread.nice))
	require.Equal(t, process.NormalIOPriority(at32(b, 132)), l.thread.ioPriority)
	require.Equal(t, at64(b, 136), l.ended.run)
	require.Equal(t, at64(b, 216), l.childrenSystem)
	require.Equal(t, at64(b, 232), l.toldSystem)
	require.Equal(t, at64(b, 264), l.traffic.udpTransmitted)
	require.Equal(t, at64(b, 272), l.traffic.flight)
	require.Equal(t, at64(b, 304), l.cgroup.cpu)
	require.Equal(t, at32(b, 348), l.threads)
	require.Equal(t, b[352:368], l.name[:])

	var f freeRecord
	b = record(kindFree, 42)
	parseFree(b, &f)
	require.Equal(t, at64(b, 8), f.start)
	require.Equal(t, at64(b, 96), f.childrenSystem)
}

// stream is a list of the kernel without a kernel.
func stream(records ...[]byte) (all []byte) {
	for _, r := range records {
		all = append(all, r...)
	}
	return all
}

// feed gives a list to a scanner as readTasks does.
func (s *Scanner) feed(b []byte) error {
	for len(b) > 0 {
		h, r, rest, err := cutRecord(b)
		if err != nil {
			return err
		}
		if err := s.take(h, r); err != nil {
			return err
		}
		b = rest
	}
	return io.EOF
}

func newFed(tb testing.TB) *Scanner {
	tb.Helper()
	procs, err := procscan.Open(procscan.Options{Root: "/proc"})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, procs.Close()) })
	return newScanner(Options{Root: "/nonexistent"}, procs, &programs{traffic: true})
}

func FuzzRecords(f *testing.F) {
	f.Add(stream(record(kindBegin, 1), record(kindLeader, 7), record(kindThread, 9), record(kindEnd, 0)))
	f.Add(stream(record(kindBegin, 1), record(kindThread, 3), record(kindThread, 5), record(kindLeader, 6), record(kindEnd, 0)))
	f.Add(stream(record(kindBegin, 1), record(kindLeader, 7), record(kindSame, 8), record(kindEnd, 0)))
	f.Add(stream(record(kindLeader, 7), record(kindLeader, 7))[:500])
	f.Add([]byte{1, 0, 255, 255, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newFed(t)
		for range 2 {
			s.begin()
			if err := s.feed(b); !errors.Is(err, io.EOF) {
				require.True(t, errors.Is(err, errTruncated) || errors.Is(err, errMalformed), err)
				s.keepOld()
				continue
			}
			s.dropBefore(math.MaxUint32)
			s.finish()
			for i, p := range s.snap.Processes {
				require.Truef(t, i == 0 || s.snap.Processes[i-1].PID < p.PID, "by PID")
				for _, v := range []float64{p.UserTime, p.SystemTime, p.RunDelay, p.BlockDelay, p.ChildrenUser} {
					require.False(t, math.IsNaN(v) || math.IsInf(v, 0) || v < 0)
				}
				for _, v := range []int64{p.ReadBytes, p.WriteBytes, p.MinorFaults, p.Network.TCP.Received} {
					require.GreaterOrEqual(t, v, int64(0))
				}
			}
		}
	})
}

func TestDivide(t *testing.T) {
	for name, c := range map[string]struct {
		run, user, system, userBefore, systemBefore uint64
		wantUser, wantSystem                        uint64
	}{
		"in proportion":          {run: 1000, user: 3, system: 1, wantUser: 750, wantSystem: 250},
		"nothing sampled":        {run: 1000, wantUser: 1000},
		"only system sampled":    {run: 1000, system: 5, wantSystem: 1000},
		"system never goes back": {run: 1000, user: 9, system: 1, systemBefore: 400, wantUser: 600, wantSystem: 400},
		"user never goes back":   {run: 1000, user: 1, system: 9, userBefore: 400, wantUser: 400, wantSystem: 600},
		"more told than was":     {run: 10, user: 1, system: 1, userBefore: 40, systemBefore: 40, wantUser: 10},
		"rubbish":                {run: math.MaxUint64, user: math.MaxUint64, system: math.MaxUint64, wantUser: math.MaxUint64/2 + 1, wantSystem: math.MaxUint64 / 2},
	} {
		t.Run(name, func(t *testing.T) {
			user, system := divide(c.run, c.user, c.system, c.userBefore, c.systemBefore)
			require.Equal(t, c.wantUser, user)
			require.Equal(t, c.wantSystem, system)
		})
	}
}

// The kernel at times adds the time since boot to the block I/O delay of a
// thread.
func TestDelayThatIsLongerThanTimeIsDropped(t *testing.T) {
	const second = uint64(1e9)
	var e entry
	e.wait(&delays{}, &delays{run: second, block: 6000 * second}, 10*second)
	require.Equal(t, delays{run: second}, e.delays, "at first sight")
	e.wait(&delays{block: 6000 * second}, &delays{block: 6000*second + second/2, run: 1}, second)
	require.Equal(t, second/2, e.delays.block, "and goes on from there")
	e.wait(&delays{block: 7000 * second}, &delays{block: 0}, second)
	require.Equal(t, second/2, e.delays.block, "never back")
}

func TestCgroupNames(t *testing.T) {
	c := cgroupNames{}
	a, b := cgroupID{unified: 1, cpu: 7}, cgroupID{unified: 1, cpu: 8}
	require.Empty(t, c.path(a))
	c.learn(a, "/a")
	c.learn(a, "/a")
	c.learn(b, "")
	require.Equal(t, "/a", c.path(a))
	require.Empty(t, c.path(b))
	c.learn(a, "/b")
	c.learn(a, "/a")
	c.learn(a, "/b")
	require.Equal(t, "/a", c.path(a), "a process was moved")
	c.learn(a, "/c")
	require.Empty(t, c.path(a), "not sure")
	c.learn(a, "/a")
	require.Empty(t, c.path(a), "for good")
	for i := range uint64(maxCgroups + 10) {
		c.learn(cgroupID{unified: i + 2}, "/x")
	}
	require.LessOrEqual(t, len(c), maxCgroups)
}
