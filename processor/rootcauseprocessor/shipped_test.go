package rootcauseprocessor

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
)

// site makes the telemetry of a host, second by second: a shop that serves 50
// requests per second, and from some second on a backup that takes its disk.
type site struct {
	begin   time.Time
	backup  int    // second in which it starts
	fast    uint64 // requests up to 10 ms
	slow    uint64 // requests up to 1 s
	read    float64
	stalled float64
	hidden  bool // the shop does not say its process.pid
}

func (s *site) second(n int) pmetric.Metrics {
	now := s.begin.Add(time.Duration(n) * time.Second)
	at := pcommon.NewTimestampFromTime(now)
	since := pcommon.NewTimestampFromTime(s.begin.Add(-time.Hour))
	md := pmetric.NewMetrics()

	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("host.name", "web1")
	sm := rm.ScopeMetrics().AppendEmpty()
	point := func(name string, start pcommon.Timestamp, value float64, attributes map[string]any) {
		m := sm.Metrics().AppendEmpty()
		m.SetName(name)
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		p := sum.DataPoints().AppendEmpty()
		p.SetStartTimestamp(start)
		p.SetTimestamp(at)
		p.SetDoubleValue(value)
		if err := p.Attributes().FromRaw(attributes); err != nil {
			panic(err)
		}
	}
	process := func(pid int, command string, born time.Time, read, waited float64) {
		id := func(more map[string]any) map[string]any {
			all := map[string]any{"process.pid": pid, "process.creation.time": born.UTC().Format("2006-01-02T15:04:05.000Z"), "process.executable.name": command}
			maps.Copy(all, more)
			return all
		}
		start := pcommon.NewTimestampFromTime(born)
		m := sm.Metrics().AppendEmpty()
		m.SetName("process.uptime")
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(at)
		p.SetDoubleValue(now.Sub(born).Seconds())
		if err := p.Attributes().FromRaw(id(map[string]any{
			"process.parent_pid": 1, "process.group_leader.pid": pid, "process.session_leader.pid": pid,
		})); err != nil {
			panic(err)
		}
		point("process.cpu.time", start, 0.1*float64(n), id(map[string]any{"cpu.mode": "user"}))
		point("process.disk.io", start, read, id(map[string]any{"disk.io.direction": "read"}))
		point("process.disk.io", start, 0, id(map[string]any{"disk.io.direction": "write"}))
		point("rootcause.process.wait.time", start, waited, id(map[string]any{"rootcause.wait.type": "block_io"}))
	}
	running := n >= s.backup
	s.fast += 50
	if running {
		s.fast -= 40
		s.slow += 40
		s.read += 200e6
		s.stalled += 0.7
	}
	process(100, "shop", s.begin.Add(-time.Hour), 0, s.stalled)
	if running {
		process(200, "restic", s.begin.Add(time.Duration(s.backup)*time.Second-time.Second/2), s.read, 0)
	}
	point("rootcause.pressure.stall.time", since, s.stalled,
		map[string]any{"rootcause.pressure.resource": "io", "rootcause.pressure.level": "some"})

	rm = md.ResourceMetrics().AppendEmpty()
	if err := rm.Resource().Attributes().FromRaw(map[string]any{"service.name": "shop", "host.name": "web1", "process.pid": 100}); err != nil {
		panic(err)
	}
	if s.hidden {
		rm.Resource().Attributes().Remove("process.pid")
	}
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("http.server.request.duration")
	m.SetUnit("s")
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := h.DataPoints().AppendEmpty()
	p.SetStartTimestamp(since)
	p.SetTimestamp(at)
	p.ExplicitBounds().FromRaw([]float64{0.005, 0.01, 0.5, 1})
	p.BucketCounts().FromRaw([]uint64{0, s.fast, 0, s.slow, 0})
	p.SetCount(s.fast + s.slow)
	return md
}

// A night in a minute: what the receivers would send goes in, verdicts come out.
func TestShippedEngineFindsTheBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		factory := NewFactory()
		cfg := factory.CreateDefaultConfig()
		set := processortest.NewNopSettings(metadata.Type)
		var logs consumertest.LogsSink
		var gauges consumertest.MetricsSink
		m, err := factory.CreateMetrics(t.Context(), set, cfg, &gauges)
		require.NoError(t, err)
		l, err := factory.CreateLogs(t.Context(), set, cfg, &logs)
		require.NoError(t, err)
		for _, c := range []component.Component{m, l} {
			require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
		}
		s := &site{begin: time.Now(), backup: 400}
		for n := 1; n < 460; n++ {
			time.Sleep(time.Second)
			require.NoError(t, m.ConsumeMetrics(t.Context(), s.second(n)))
		}
		require.NoError(t, m.Shutdown(context.Background()))
		require.NoError(t, l.Shutdown(context.Background()))

		names := map[string]int{}
		var verdicts []event.Verdict
		for _, r := range events(&logs) {
			names[r.EventName()]++
			t.Log(r.Timestamp().AsTime().Sub(s.begin), r.Body().Str())
			if r.EventName() == event.NameVerdict {
				v, err := event.ParseVerdict(r, pcommon.NewResource())
				require.NoError(t, err)
				verdicts = append(verdicts, v)
			}
		}
		require.Equal(t, 1, names[event.NameBackupWindow], fmt.Sprint(names))
		require.Equal(t, 1, names[event.NameEpisode])
		require.NotEmpty(t, verdicts)
		last := verdicts[len(verdicts)-1]
		require.Equal(t, event.Named, last.State)
		require.Equal(t, "restic", last.Cause.Workload)
		require.EqualValues(t, 200, last.Cause.PID)
		require.Equal(t, "disk", last.Cause.Resource)
		require.NotEmpty(t, last.For)
		require.Equal(t, "charged", last.Backups[0].Finding)
		require.NotEmpty(t, gauges.AllMetrics())
	})
}
