package otelfact

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otel-culprit/culprit/internal/fact"
)

// dice makes data of the shapes that the decoder knows, with values that it
// should not trust, out of random bytes.
type dice struct {
	bytes []byte
	at    int
}

func (x *dice) byte() byte {
	if len(x.bytes) == 0 {
		return 0
	}
	b := x.bytes[x.at%len(x.bytes)]
	x.at++
	return b
}

func (x *dice) below(n int) int { return int(x.byte()) % n }

func (x *dice) uint64() uint64 {
	var b [8]byte
	for i := range b {
		b[i] = x.byte()
	}
	return binary.LittleEndian.Uint64(b[:])
}

func (x *dice) float() float64 {
	switch x.below(8) {
	case 0:
		return math.Float64frombits(x.uint64())
	case 1:
		return []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, math.Copysign(0, -1)}[x.below(6)]
	default:
		return float64(x.byte())
	}
}

func (x *dice) stamp() pcommon.Timestamp {
	if x.below(8) == 0 {
		return pcommon.Timestamp(x.uint64())
	}
	return stamp(float64(x.below(64)))
}

func (x *dice) count() uint64 {
	if x.below(16) == 0 {
		return x.uint64()
	}
	return uint64(x.byte())
}

func (x *dice) text() string {
	return []string{
		"user", "read", "receive", "some", "io", "run_queue", "major", "shop", "web1", "sda", "I/O error", "\xff", strings.Repeat("é", 2000), "",
		"2026-11-21T02:00:00.5Z", "rootcause.mark", "rootcause.verdict", "refault", "swap_in", "page_in", "major", "free", "used", "waits", "time", "Lock", "kernel", "\x1b[3", "Nov 21 02:00:01 web1 kernel: x",
	}[x.below(29)]
}

var attributeNames = []string{
	"host.name", "service.name", "service.peer.name", "process.pid", "process.creation.time", "cpu.mode", "state", "disk.io.direction",
	"direction", "system.device", "device", "network.interface.name", "network.io.direction", "rootcause.pressure.resource",
	"rootcause.pressure.level", "rootcause.capability", "rootcause.wait.type", "system.paging.fault.type", "process.executable.name",
	"process.command_args", "http.response.status_code", "error.type", "cpu", "rootcause.mark.name", "otel.event.name",
	"rootcause.paging.type", "process.linux.cgroup", "type", "system.filesystem.mountpoint", "system.filesystem.state", "mode", "kind", "wait_event_type",
	"mysql.instance.endpoint", "rootcause.workload", "rootcause.workload.type",
	"_TRANSPORT", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "PRIORITY", "message", "http.route", "http.request.method", "rpc.method", "peer.service",
	"server.address", "db.system.name",
}

func (x *dice) attributes(m pcommon.Map) {
	for range x.below(12) {
		name := attributeNames[x.below(len(attributeNames))]
		switch {
		case name == "process.creation.time" && x.below(4) > 0:
			m.PutStr(name, "2026-11-21T02:00:00.5Z")
		case name == "process.pid" && x.below(4) > 0:
			m.PutInt(name, int64(x.below(4)))
		default:
			x.value(m.PutEmpty(name))
		}
	}
}

func (x *dice) value(v pcommon.Value) {
	switch x.below(8) {
	case 0:
		v.SetInt(int64(x.uint64()))
	case 1:
		v.SetDouble(x.float())
	case 2:
		v.SetEmptySlice().AppendEmpty().SetStr(x.text())
	case 3:
		v.SetEmptyMap().PutStr("MESSAGE", x.text())
	case 4:
	default:
		v.SetStr(x.text())
	}
}

func (x *dice) metrics() pmetric.Metrics {
	names := []string{server, client, age, "configured"}
	for name := range hostMetrics {
		names = append(names, name)
	}
	for name := range lockMetrics {
		names = append(names, name)
	}
	slices.Sort(names)
	md := pmetric.NewMetrics()
	for range 1 + x.below(2) {
		rm := md.ResourceMetrics().AppendEmpty()
		x.attributes(rm.Resource().Attributes())
		sm := rm.ScopeMetrics().AppendEmpty()
		for range x.below(8) {
			m := sm.Metrics().AppendEmpty()
			m.SetName(names[x.below(len(names))])
			m.SetUnit([]string{"s", "ms", "", "By"}[x.below(4)])
			x.data(m)
		}
	}
	return md
}

func (x *dice) data(m pmetric.Metric) {
	temporality := pmetric.AggregationTemporality(x.below(3))
	switch x.below(6) {
	case 0:
		x.number(m.SetEmptyGauge().DataPoints().AppendEmpty())
	case 1, 2:
		s := m.SetEmptySum()
		s.SetIsMonotonic(x.below(4) > 0)
		s.SetAggregationTemporality(temporality)
		for range x.below(4) {
			x.number(s.DataPoints().AppendEmpty())
		}
	case 3:
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		p := h.DataPoints().AppendEmpty()
		x.attributes(p.Attributes())
		p.SetTimestamp(x.stamp())
		p.SetStartTimestamp(x.stamp())
		for i := range x.below(4) {
			p.ExplicitBounds().Append(x.float() + float64(300*i))
			p.BucketCounts().Append(x.count())
		}
		p.BucketCounts().Append(x.count())
		p.SetCount(x.count())
		p.SetSum(x.float())
		p.SetMax(x.float())
	case 4:
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(temporality)
		p := h.DataPoints().AppendEmpty()
		x.attributes(p.Attributes())
		p.SetTimestamp(x.stamp())
		p.SetStartTimestamp(x.stamp())
		p.SetScale(int32(x.below(8)) - 4)
		p.Positive().SetOffset(int32(x.below(8)) - 4)
		if x.below(8) == 0 {
			p.SetScale(int32(x.uint64()))
			p.Positive().SetOffset(int32(x.uint64()))
		}
		for range x.below(6) {
			p.Positive().BucketCounts().Append(x.count())
		}
		p.SetZeroCount(x.count())
		p.SetZeroThreshold(x.float())
	default:
		m.SetEmptySummary().DataPoints().AppendEmpty()
	}
}

func (x *dice) number(p pmetric.NumberDataPoint) {
	x.attributes(p.Attributes())
	p.SetTimestamp(x.stamp())
	p.SetStartTimestamp(x.stamp())
	switch x.below(4) {
	case 0:
		p.SetIntValue(int64(x.uint64()))
	case 1:
	default:
		p.SetDoubleValue(x.float())
	}
}

func (x *dice) traces() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	x.attributes(rs.Resource().Attributes())
	for range x.below(6) {
		s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		s.SetKind(ptrace.SpanKind(x.below(6)))
		s.SetStartTimestamp(x.stamp())
		s.SetEndTimestamp(x.stamp())
		x.attributes(s.Attributes())
	}
	return td
}

func (x *dice) logRecords() plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	x.attributes(rl.Resource().Attributes())
	r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetTimestamp(x.stamp())
	r.SetSeverityNumber(plog.SeverityNumber(x.below(25)))
	r.SetEventName(x.text())
	x.value(r.Body())
	x.attributes(r.Attributes())
	return ld
}

// FuzzDecoder feeds arbitrary data: nothing panics, and every fact is one that
// the engine and a journal can take.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("some seed"))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 200, 100, 50, 25, 12, 6, 3})
	f.Fuzz(func(t *testing.T, seed []byte) {
		x := &dice{bytes: seed[:min(len(seed), 4096)]}
		d := NewDecoder(Options{LatencyMetrics: []string{"configured"}, MaxState: 200})
		check := func(facts fact.Fact) { requireSane(t, facts) }
		for i := range 8 {
			last := time.Time{}
			d.Metrics(x.metrics(), func(f fact.Fact) {
				require.False(t, f.When().Before(last), "in the order of time")
				last = f.When()
				check(f)
			})
			d.Traces(x.traces(), check)
			d.Logs(x.logRecords(), check)
			d.Advance(second(float64(i*x.below(255))), check)
			require.LessOrEqual(t, d.states, 200)
			require.GreaterOrEqual(t, d.states, 0)
		}
		d.Advance(second(1e6), check)
		d.Advance(second(2e6), check)
		require.Zero(t, d.states, "all is forgotten in the end")
	})
}

func requireSane(t *testing.T, f fact.Fact) {
	t.Helper()
	require.GreaterOrEqual(t, f.When().UnixNano(), int64(1))
	interval := func(over time.Duration) {
		require.Positive(t, over)
		require.LessOrEqual(t, over, maxInterval)
	}
	numbers := func(all ...float64) {
		for _, x := range all {
			require.False(t, math.IsNaN(x) || x < 0 || x > math.MaxFloat32, "%#v", f)
		}
	}
	texts := func(all ...string) {
		for _, s := range all {
			require.True(t, utf8.ValidString(s))
			require.LessOrEqual(t, len(s), max(maxName, maxBody))
		}
	}
	switch f := f.(type) {
	case fact.Described:
		texts(append(f.Args, f.Process.Host, f.Command, f.Executable, f.Cgroup, f.CPUs)...)
		require.Positive(t, f.Process.PID)
	case fact.Use:
		interval(f.Over)
		for _, x := range f.Amounts {
			if !math.IsNaN(x) {
				numbers(x)
			}
		}
	case fact.Serves:
		texts(f.Service, f.Process.Host)
		require.NotEmpty(t, f.Service)
	case fact.Latency:
		interval(f.Over)
		numbers(f.Count, f.Errors, f.Oldest)
		texts(f.Service, f.Host, f.Signal)
		require.NotEmpty(t, f.Service)
		require.LessOrEqual(t, f.Errors, f.Count)
		for i, b := range f.Buckets {
			numbers(b.Low, b.High, b.Count)
			require.LessOrEqual(t, b.Low, b.High)
			require.Positive(t, b.Count)
			if i > 0 {
				require.LessOrEqual(t, f.Buckets[i-1].Low, b.Low)
			}
		}
	case fact.CPUTime:
		interval(f.Over)
		numbers(f.Busy, f.IOWait, f.Steal, float64(f.Cores))
	case fact.Disk:
		interval(f.Over)
		numbers(f.Reads, f.Writes, f.ReadBytes, f.WriteBytes, f.OpTime, f.BusyTime, f.InFlight)
		texts(f.Host, f.Device)
	case fact.Link:
		interval(f.Over)
		numbers(f.Received, f.Transmitted, f.Errors, f.Drops, f.Speed)
		texts(f.Host, f.Interface)
	case fact.Pressure:
		interval(f.Over)
		numbers(f.Some, f.Full)
		texts(f.Host, f.Cgroup, f.Resource)
	case fact.Paging:
		interval(f.Over)
		numbers(f.Refaults, f.SwapIn, f.SwapOut)
		texts(f.Host, f.Cgroup)
	case fact.Filesystem:
		numbers(f.Size, f.Available)
		texts(f.Host, f.Mountpoint, f.Device)
		require.NotEmpty(t, f.Mountpoint)
		require.LessOrEqual(t, f.Available, f.Size)
	case fact.Locks:
		interval(f.Over)
		numbers(f.Waits, f.Time, f.Waiting)
		texts(f.Host, f.Service)
	case fact.Capability:
		texts(f.Host, f.Name)
	case fact.Calls:
		interval(f.Over)
		numbers(f.Count, f.Errors, f.Time)
		texts(f.Service, f.Host, f.Peer)
		require.NotEmpty(t, f.Service)
		require.NotEmpty(t, f.Peer)
		require.LessOrEqual(t, f.Errors, f.Count)
	case fact.Log:
		texts(f.Host, f.Service, f.Source, f.Unit, f.Body)
	case fact.Mark:
		texts(f.Name, f.Text)
	default:
		t.Fatalf("unexpected %T", f)
	}
}

// processes is how many the benchmark has.
const processes = 2000

// procfs is a scrape of processes as the procfs receiver makes it.
func procfs(at float64) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	put(rm.Resource().Attributes(), web1)
	sm := rm.ScopeMetrics().AppendEmpty()
	add := func(name, kind string, values ...string) {
		m := sm.Metrics().AppendEmpty()
		m.SetName(name)
		s := m.SetEmptySum()
		s.SetIsMonotonic(true)
		s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for pid := range processes {
			for _, v := range values {
				p := s.DataPoints().AppendEmpty()
				p.SetStartTimestamp(stamp(0))
				p.SetTimestamp(stamp(at))
				p.SetDoubleValue(at)
				p.Attributes().PutInt("process.pid", int64(pid+1))
				p.Attributes().PutStr("process.creation.time", "2026-11-21T01:00:00.120Z")
				p.Attributes().PutStr("process.executable.name", "worker")
				p.Attributes().PutStr(kind, v)
			}
		}
	}
	add("process.cpu.time", "cpu.mode", "user", "system")
	add("process.disk.io", "disk.io.direction", "read", "write")
	add("process.paging.faults", "system.paging.fault.type", "major", "minor")
	add("rootcause.process.wait.time", "rootcause.wait.type", "run_queue", "block_io")
	for _, name := range []string{"process.memory.usage", "process.uptime"} {
		m := sm.Metrics().AppendEmpty()
		m.SetName(name)
		g := m.SetEmptyGauge()
		for pid := range processes {
			p := g.DataPoints().AppendEmpty()
			p.SetTimestamp(stamp(at))
			p.SetDoubleValue(at)
			p.Attributes().PutInt("process.pid", int64(pid+1))
			p.Attributes().PutStr("process.creation.time", "2026-11-21T01:00:00.120Z")
			p.Attributes().PutStr("process.executable.name", "worker")
			p.Attributes().PutInt("process.parent_pid", 1)
			p.Attributes().PutStr("process.linux.cgroup", "/system.slice/worker.service")
		}
	}
	return md
}

func BenchmarkMetrics2000Processes(b *testing.B) {
	d := NewDecoder(Options{})
	facts := 0
	emit := func(fact.Fact) { facts++ }
	scrapes := []pmetric.Metrics{procfs(1), procfs(2), procfs(3), procfs(4)}
	d.Metrics(procfs(0.5), emit)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		d.Metrics(scrapes[i%len(scrapes)], emit)
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/processes, "ns/process")
}
