//go:build e2e

package e2e_test

import (
	"context"
	"maps"
	"math"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// incident plays a night on a host in real time: each second it tells a
// collector what the host's receivers and the services on it would. While a
// backup runs, requests to the shop take eight times as long, and those to the
// innocent service as long as ever.
type incident struct {
	end func() // no more is told

	mu             sync.Mutex
	booted         time.Time
	told           time.Time // the last second
	stalled        float64   // seconds that tasks waited for the disk
	shop, innocent *program
	restic         *program // nil while no backup runs
}

// program is a process with what it used since it was born. A service also has
// the requests that it answered.
type program struct {
	pid               int64
	born              time.Time
	args              []string
	cpu, read, queued float64 // seconds, bytes, seconds
	fast, slow        uint64  // up to 50 ms, up to 400 ms
}

// playIncident begins the night, which ends with the test at the latest.
func playIncident(t *testing.T, c *culprit) *incident {
	t.Helper()
	now := time.Now()
	booted := now.Add(-time.Hour)
	n := &incident{
		booted: booted, told: now,
		shop:     &program{pid: 100, born: booted, args: []string{"shop", "--listen", ":80"}},
		innocent: &program{pid: 110, born: booted, args: []string{"innocent"}},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				body, err := pmetricotlp.NewExportRequestFromMetrics(n.next(now)).MarshalProto()
				if err == nil {
					err = send(ctx, c.url+"/v1/metrics", body)
				}
				if err != nil && ctx.Err() == nil {
					t.Errorf("telemetry of the incident was not taken: %v", err)
				}
			}
		}
	}()
	n.end = func() {
		cancel()
		<-ended
	}
	t.Cleanup(n.end)
	return n
}

// startBackup tells since when all is bad.
func (n *incident) startBackup() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.restic = &program{pid: 4711, born: n.told.Add(time.Millisecond), args: []string{"restic", "backup", "/srv"}}
	return n.told
}

// endBackup tells since when all is well.
func (n *incident) endBackup() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.restic = nil
	return n.told
}

// next lets time pass up to now, and is what is exported then.
func (n *incident) next(now time.Time) pmetric.Metrics {
	n.mu.Lock()
	defer n.mu.Unlock()
	seconds := now.Sub(n.told).Seconds()
	n.told = now
	answered := uint64(math.Round(60 * seconds))
	n.innocent.fast += answered
	if n.restic == nil {
		n.shop.fast += answered
		n.stalled += 0.01 * seconds
	} else {
		n.shop.slow += answered
		n.stalled += 0.6 * seconds
		n.restic.read += 100e6 * seconds
	}

	e := export{md: pmetric.NewMetrics(), at: now}
	e.resource(attributes{"host.name": "web1", "os.type": "linux"})
	e.counter("rootcause.pressure.stall.time", n.booted, n.stalled,
		attributes{"rootcause.pressure.resource": "io", "rootcause.pressure.level": "some"})
	for _, p := range []*program{n.shop, n.innocent, n.restic} {
		if p != nil {
			p.cpu += 0.2 * seconds
			p.queued += 0.002 * seconds
			p.read += 2e6 * seconds // the sites read their files, too
			e.process(p)
		}
	}
	e.requests("shop", n.shop)
	e.requests("innocent", n.innocent)
	return e.md
}

// export builds the metrics of one second.
type export struct {
	md pmetric.Metrics
	sm pmetric.ScopeMetrics
	at time.Time
}

type attributes map[string]any

func (a attributes) and(more attributes) attributes {
	all := maps.Clone(a)
	maps.Copy(all, more)
	return all
}

func (a attributes) to(m pcommon.Map) {
	if err := m.FromRaw(a); err != nil {
		panic(err)
	}
}

// resource begins the metrics of another resource.
func (e *export) resource(a attributes) {
	rm := e.md.ResourceMetrics().AppendEmpty()
	a.to(rm.Resource().Attributes())
	e.sm = rm.ScopeMetrics().AppendEmpty()
}

func (e *export) metric(name, unit string) pmetric.Metric {
	m := e.sm.Metrics().AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	return m
}

func (e *export) counter(name string, since time.Time, value float64, a attributes) {
	unit := "s"
	if name == "process.disk.io" {
		unit = "By"
	}
	sum := e.metric(name, unit).SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := sum.DataPoints().AppendEmpty()
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(since))
	p.SetTimestamp(pcommon.NewTimestampFromTime(e.at))
	p.SetDoubleValue(value)
	a.to(p.Attributes())
}

// process tells of a process as the procfs receiver does.
func (e *export) process(p *program) {
	id := attributes{
		"process.pid": p.pid, "process.creation.time": creation(p.born), "process.executable.name": p.args[0],
	}
	args := make([]any, len(p.args))
	for i, arg := range p.args {
		args[i] = arg
	}
	uptime := e.metric("process.uptime", "s").SetEmptyGauge().DataPoints().AppendEmpty()
	uptime.SetTimestamp(pcommon.NewTimestampFromTime(e.at))
	uptime.SetDoubleValue(e.at.Sub(p.born).Seconds())
	id.and(attributes{
		"process.parent_pid": 1, "process.group_leader.pid": p.pid, "process.session_leader.pid": p.pid, "process.command_args": args,
	}).to(uptime.Attributes())
	e.counter("process.cpu.time", p.born, p.cpu, id.and(attributes{"cpu.mode": "user"}))
	e.counter("process.disk.io", p.born, p.read, id.and(attributes{"disk.io.direction": "read"}))
	e.counter("rootcause.process.wait.time", p.born, p.queued, id.and(attributes{"rootcause.wait.type": "run_queue"}))
}

func creation(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// requests tells of a service as its own OpenTelemetry SDK does.
func (e *export) requests(service string, p *program) {
	e.resource(attributes{
		"service.name": service, "host.name": "web1", "process.pid": p.pid, "process.creation.time": creation(p.born),
	})
	h := e.metric("http.server.request.duration", "s").SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	dp := h.DataPoints().AppendEmpty()
	dp.SetStartTimestamp(pcommon.NewTimestampFromTime(p.born))
	dp.SetTimestamp(pcommon.NewTimestampFromTime(e.at))
	dp.ExplicitBounds().FromRaw([]float64{0.025, 0.05, 0.2, 0.4})
	dp.BucketCounts().FromRaw([]uint64{0, p.fast, 0, p.slow, 0})
	dp.SetCount(p.fast + p.slow)
	dp.SetSum(0.04*float64(p.fast) + 0.32*float64(p.slow))
	attributes{"http.request.method": "GET", "http.route": "/item/{id}", "http.response.status_code": 200}.to(dp.Attributes())
}
