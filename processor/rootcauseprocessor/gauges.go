package rootcauseprocessor

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/rootcause"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
)

// gauge is a metric that the processor emits.
type gauge struct {
	name, unit, description string
}

var (
	gaugeLatency    = gauge{"rootcause.latency.current", "s", "Latency of the service, counting requests that are not finished."}
	gaugeBaseline   = gauge{"rootcause.latency.baseline", "s", "Usual latency of the service."}
	gaugeUpper      = gauge{"rootcause.latency.upper", "s", "Latency at which the usual band ends."}
	gaugeRate       = gauge{"rootcause.request.rate", "{request}/s", "Requests to the service."}
	gaugeErrors     = gauge{"rootcause.request.error.rate", "{error}/s", "Requests to the service that failed."}
	gaugeEpisode    = gauge{"rootcause.episode.active", "1", "Whether the service is slower than usual."}
	gaugeConfidence = gauge{"rootcause.verdict.confidence", "1", "Probability of the cause, while a verdict is open."}
	gaugeBackup     = gauge{"rootcause.backup.active", "1", "1 while the backup runs."}
	gaugeCPU        = gauge{"rootcause.workload.cpu.usage", "{cpu}", "CPUs that the workload uses."}
	gaugeDisk       = gauge{"rootcause.workload.disk.rate", "By/s", "Bytes that the workload reads from and writes to storage."}
	gaugeNetwork    = gauge{"rootcause.workload.network.rate", "By/s", "Bytes that the workload receives and transmits."}
	gaugeMemory     = gauge{"rootcause.workload.memory.usage", "By", "Memory that the workload holds."}
)

var gauges = []gauge{
	gaugeLatency, gaugeBaseline, gaugeUpper, gaugeRate, gaugeErrors, gaugeEpisode, gaugeConfidence, gaugeBackup,
	gaugeCPU, gaugeDisk, gaugeNetwork, gaugeMemory,
}

// labels are attributes of a point, in pairs of name and value.
type labels []string

func (l labels) key() string { return strings.Join(l, "\x00") }

// point is a value of a gauge, or with stale the end of its series.
type point struct {
	labels labels
	value  float64
	stale  bool
}

// points are the points of each gauge under the key of their labels.
type points map[string]map[string]point

// add sums, because workloads of one name are one series.
func (p points) add(g gauge, value float64, l labels) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	if p[g.name] == nil {
		p[g.name] = map[string]point{}
	}
	before := p[g.name][l.key()]
	p[g.name][l.key()] = point{labels: l, value: before.value + value}
}

// set replaces.
func (p points) set(g gauge, value float64, l labels) {
	delete(p[g.name], l.key())
	p.add(g, value, l)
}

// exposition makes gauges out of snapshots for one pipeline. A series that ends gets one point
// without a value, so that no dashboard goes on showing its last one.
type exposition struct {
	last points // that the pipeline took
}

func (x *exposition) metrics(current points, now time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	sm := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	for _, g := range gauges {
		all := maps.Clone(current[g.name])
		for key, p := range x.last[g.name] {
			if _, there := all[key]; !there {
				if all == nil {
					all = map[string]point{}
				}
				all[key] = point{labels: p.labels, stale: true}
			}
		}
		if len(all) > 0 {
			g.write(sm.Metrics().AppendEmpty(), all, pcommon.NewTimestampFromTime(now))
		}
	}
	return md
}

func (g gauge) write(m pmetric.Metric, all map[string]point, now pcommon.Timestamp) {
	m.SetName(g.name)
	m.SetUnit(g.unit)
	m.SetDescription(g.description)
	out := m.SetEmptyGauge().DataPoints()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		p, dp := all[key], out.AppendEmpty()
		dp.SetTimestamp(now)
		if p.stale {
			dp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		} else {
			dp.SetDoubleValue(p.value)
		}
		for i := 0; i+1 < len(p.labels); i += 2 {
			if p.labels[i+1] != "" {
				dp.Attributes().PutStr(p.labels[i], p.labels[i+1])
			}
		}
	}
}

// collect gives the points of a snapshot.
func collect(s rootcause.Snapshot) points {
	p := points{}
	for _, v := range s.Victims {
		victim := labels{"service.name", v.Victim.Service, "host.name", v.Victim.Host}
		p.set(gaugeLatency, v.Latency, victim)
		p.set(gaugeBaseline, v.Baseline, victim)
		p.set(gaugeUpper, v.Upper, victim)
		p.set(gaugeRate, v.Rate, victim)
		p.set(gaugeErrors, v.ErrorRate, victim)
		p.set(gaugeEpisode, oneIf(v.InEpisode), victim)
		if v.VerdictID != "" {
			p.set(gaugeConfidence, v.Probability, append(slices.Clone(victim),
				"rootcause.verdict.state", v.State.String(),
				"rootcause.cause.kind", string(v.Top.Cause),
				"rootcause.cause.resource", v.Top.Resource.String(),
				"rootcause.cause.workload", v.Top.Workload.Name))
		}
	}
	for _, w := range s.Backups {
		p.set(gaugeBackup, 1, labels{"host.name", w.Workload.Host, "rootcause.backup.tool", w.Tool, "rootcause.workload", w.Workload.Name})
	}
	for _, w := range s.Top {
		workload := labels{"host.name", w.Workload.Host, "rootcause.workload", w.Workload.Name}
		p.add(gaugeCPU, w.CPU, workload)
		p.add(gaugeDisk, w.Disk, workload)
		p.add(gaugeNetwork, w.Network, workload)
		p.add(gaugeMemory, w.Memory, workload)
	}
	return p
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
