package rootcauseprocessor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// shown gives the points of each gauge: attributes and value, nil for the end of
// a series.
func shown(md pmetric.Metrics) map[string][]map[string]any {
	all := map[string][]map[string]any{}
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		for _, p := range m.Gauge().DataPoints().All() {
			one := p.Attributes().AsRaw()
			one["value"] = p.DoubleValue()
			if p.Flags().NoRecordedValue() {
				one["value"] = nil
			}
			all[m.Name()] = append(all[m.Name()], one)
		}
	}
	return all
}

// give is the way of a snapshot into a pipeline that is not busy.
func (x *exposition) give(s rootcause.Snapshot, now time.Time) pmetric.Metrics {
	current := collect(s)
	md := x.metrics(current, now)
	x.last = current
	return md
}

func TestExposition(t *testing.T) {
	restic := backup.Workload{Host: "web1", Name: "restic", PID: 7, Start: 1}
	var x exposition
	now := time.Unix(1_790_000_000, 0)
	first := shown(x.give(rootcause.Snapshot{
		Victims: []rootcause.VictimView{
			{
				Victim: rootcause.Victim{Service: "shop", Host: "web1"}, Latency: 2, Baseline: 0.5, Upper: 0.75, Rate: 10, ErrorRate: 2, InEpisode: true,
				VerdictID: "v", State: rootcause.StateNamed, Probability: 0.9,
				Top: rootcause.Suspect{Cause: rootcause.Contention, Resource: rootcause.SharedDisk, Workload: restic, Probability: 0.5, Together: true},
			},
			{Victim: rootcause.Victim{Service: "api"}, Latency: math.NaN(), Baseline: math.NaN(), Upper: math.NaN()},
		},
		Backups: []backup.Window{{Tool: "restic", Workload: restic}, {Tool: "restic", Workload: backup.Workload{Host: "web1", Name: "restic", PID: 8}}},
		Top: []rootcause.WorkloadView{
			{Workload: restic, CPU: 0.5, Disk: 100, Network: 10, Memory: 1000},
			{Workload: backup.Workload{Host: "web1", Name: "restic", PID: 8}, CPU: 0.25, Disk: 100, Memory: 1},
		},
	}, now))
	shop := func(value any) map[string]any {
		return map[string]any{"service.name": "shop", "host.name": "web1", "value": value}
	}
	api := func(value any) map[string]any { return map[string]any{"service.name": "api", "value": value} }
	workload := func(value any) []map[string]any {
		return []map[string]any{{"host.name": "web1", "rootcause.workload": "restic", "value": value}}
	}
	verdict := func(value any) []map[string]any {
		return []map[string]any{{
			"service.name": "shop", "host.name": "web1", "rootcause.verdict.state": "named", "rootcause.cause.kind": "contention",
			"rootcause.cause.resource": "disk", "rootcause.cause.workload": "restic", "value": value,
		}}
	}
	running := func(value any) []map[string]any {
		return []map[string]any{{"host.name": "web1", "rootcause.backup.tool": "restic", "rootcause.workload": "restic", "value": value}}
	}
	require.Equal(t, map[string][]map[string]any{
		"rootcause.latency.current":       {shop(2.0)},
		"rootcause.latency.baseline":      {shop(0.5)},
		"rootcause.latency.upper":         {shop(0.75)},
		"rootcause.request.rate":          {api(0.0), shop(10.0)},
		"rootcause.request.error.rate":    {api(0.0), shop(2.0)},
		"rootcause.episode.active":        {api(0.0), shop(1.0)},
		"rootcause.verdict.confidence":    verdict(0.9),
		"rootcause.backup.active":         running(1.0),
		"rootcause.workload.cpu.usage":    workload(0.75),
		"rootcause.workload.disk.rate":    workload(200.0),
		"rootcause.workload.network.rate": workload(10.0),
		"rootcause.workload.memory.usage": workload(1001.0),
	}, first)

	second := shown(x.give(rootcause.Snapshot{
		Victims: []rootcause.VictimView{{Victim: rootcause.Victim{Service: "shop", Host: "web1"}, Latency: 0.5, Baseline: 0.5, Upper: 0.75}},
	}, now))
	require.Equal(t, verdict(nil), second["rootcause.verdict.confidence"])
	require.Equal(t, running(nil), second["rootcause.backup.active"])
	require.Equal(t, workload(nil), second["rootcause.workload.disk.rate"])
	require.Equal(t, []map[string]any{api(nil), shop(0.0)}, second["rootcause.episode.active"])

	third := shown(x.give(rootcause.Snapshot{}, now))
	require.NotContains(t, third, "rootcause.verdict.confidence", "its end was told once")
	require.Equal(t, []map[string]any{shop(nil)}, third["rootcause.episode.active"])
	require.Zero(t, x.give(rootcause.Snapshot{}, now).DataPointCount())
}
