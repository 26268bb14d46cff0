package procfsreceiver

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/workload"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// processMetrics is how many metrics are missing if processes cannot be listed:
// those of processes and workloads, backends and the rest of the links.
const processMetrics = 24

type procfsScraper struct {
	cfg *Config
	set receiver.Settings

	// Made by start.
	telemetry *telemetry
	census    *census
	host      *host
	stalls    *stalls
	rest      unattributed
	boot      pcommon.Timestamp
	sources   []hostSource
	mb        *metadata.MetricsBuilder
	resource  pcommon.Resource
	last      time.Time // the last scrape began
}

func newScraper(cfg *Config, set receiver.Settings) *procfsScraper {
	return &procfsScraper{cfg: cfg, set: set}
}

func (s *procfsScraper) start(ctx context.Context, _ component.Host) error {
	if err := s.open(); err != nil {
		return errors.Join(err, s.shutdown(ctx))
	}
	return nil
}

// open opens the host's files and tries them.
func (s *procfsScraper) open() error {
	root := hostRoot(s.cfg.RootPath)
	var err error
	if s.telemetry, err = newTelemetry(s.set.TelemetrySettings); err != nil {
		return err
	}
	if s.census, err = openCensus(s.cfg, root, s.set.Logger); err != nil {
		return err
	}
	s.boot = pcommon.NewTimestampFromTime(s.census.source.Boot())
	s.mb = metadata.NewMetricsBuilder(s.cfg.MetricsBuilderConfig, s.set, metadata.WithStartTime(s.boot))
	rb := s.mb.NewResourceBuilder()
	rb.SetHostName(root.hostName())
	rb.SetOsType("linux")
	s.resource = rb.Emit()
	if s.host, err = newHost(root, s.mb); err != nil {
		return err
	}
	s.stalls = newStalls(root)
	s.probe()
	return nil
}

// probe tries everything once and says once what this host does not have.
func (s *procfsScraper) probe() {
	log, now := s.set.Logger, time.Now()
	s.sources = s.sources[:0]
	for _, src := range s.host.sources() {
		if err := src.record(now); err != nil {
			log.Warn("A source of metrics is missing on this host",
				zap.Strings("metrics", src.metrics), zap.String("cure", src.cure), zap.Error(err))
			continue
		}
		s.sources = append(s.sources, src)
	}
	s.mb.Emit() // to be forgotten
	if !s.stalls.knowsMemory() {
		log.Warn("Paging of control groups cannot be seen on this host", zap.String("metric", "rootcause.paging.io"),
			zap.String("cure", "boot with the memory controller (cgroup_enable=memory), and mount its control groups"))
	}
	for _, m := range s.census.missing() {
		log.Warn("Something about processes cannot be seen on this host",
			zap.Strings("metrics", m.metrics), zap.Int("processes", m.processes), zap.String("cure", m.cure))
	}
}

func (s *procfsScraper) shutdown(context.Context) error {
	if s.stalls != nil {
		s.stalls.close()
		s.stalls = nil
	}
	if s.telemetry != nil {
		s.telemetry.Shutdown()
		s.telemetry = nil
	}
	if s.census == nil {
		return nil
	}
	err := s.census.close()
	s.census = nil
	return err
}

func (s *procfsScraper) scrape(ctx context.Context) (pmetric.Metrics, error) {
	if s.census == nil {
		return pmetric.NewMetrics(), errors.New("the receiver is not running")
	}
	var errs scrapererror.ScrapeErrors
	began := time.Now()
	s.telemetry.skipped(ctx, s.skipped(began))
	clock := stopwatch{last: began}

	// What the host says comes first: the links are compared with the processes.
	s.mb.Reset(metadata.WithStartTime(s.boot))
	for _, src := range s.sources {
		if err := src.record(began); err != nil {
			errs.AddPartial(len(src.metrics), err)
		}
	}
	s.telemetry.took(ctx, metadata.AttributePartHost, clock.lap())

	if err := s.census.scan(); err != nil {
		errs.AddPartial(processMetrics, err)
		return s.mb.Emit(metadata.WithResource(s.resource)), errs.Combine()
	}
	s.telemetry.took(ctx, metadata.AttributePartProcesses, clock.lap())
	if err := s.census.network(); err != nil {
		errs.AddPartial(1, err)
	}
	s.telemetry.took(ctx, metadata.AttributePartNetwork, clock.lap())
	r := newRecorder(s.mb, began)
	r.now = s.sinceBoot(began)
	r.withArgs = s.cfg.CommandLine == CommandLineScrubbed
	s.census.account(r.now, began)
	s.tell(r)
	s.telemetry.took(ctx, metadata.AttributePartWorkloads, clock.lap())
	s.telemetry.census(ctx, s.census)
	return s.mb.Emit(metadata.WithResource(s.resource)), errs.Combine()
}

// skipped is how many scrapes did not take place since the last one: while one
// runs, the ticks of the controller are dropped and not queued.
func (s *procfsScraper) skipped(now time.Time) int64 {
	gap := now.Sub(s.last)
	first := s.last.IsZero()
	s.last = now
	if first || s.cfg.CollectionInterval <= 0 {
		return 0
	}
	// A scrape that comes late by half an interval is late, not skipped.
	return max(0, int64((gap+s.cfg.CollectionInterval/2)/s.cfg.CollectionInterval)-1)
}

// tell records what the census knows.
func (s *procfsScraper) tell(r recorder) {
	c := s.census
	for _, w := range c.workloads {
		r.workload(w)
		s.pressure(r, w.of)
	}
	s.stalls.next()
	for _, p := range c.processes {
		r.since(p.Start)
		r.describe(p.Process, p.key)
		r.rtt(p.Process)
		if p.counted {
			r.process(p)
		}
	}
	for _, f := range c.related {
		r.backend(f)
	}
	if passed, known := c.passed(); known {
		s.rest.post(s.host.passed, passed)
		r.since(c.began)
		r.unattributed(s.rest.rest)
	}
}

// pressure records that of the control group which a workload has to itself, and
// what it read again or swapped for want of memory.
func (s *procfsScraper) pressure(r recorder, w *workload.Workload) {
	if w == nil || len(w.Cgroup) <= 1 || (w.Type != workload.Unit && w.Type != workload.Container) {
		return
	}
	for i := range pressures {
		if st, ok := s.stalls.of(w.Cgroup, i); ok {
			r.since(later(s.census.source.Boot(), st.since))
			r.pressure(w.Cgroup, i, st)
		}
	}
	if p, ok := s.stalls.paging(w.Cgroup); ok {
		r.since(later(s.census.source.Boot(), p.since))
		r.paging(w.Cgroup, p)
	}
}

// sinceBoot is the time by the clock by which processes start: it does not jump
// when somebody sets the host's clock. Without that clock the other one has to do.
func (s *procfsScraper) sinceBoot(wall time.Time) time.Time {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return wall
	}
	return s.census.source.Boot().Add(time.Duration(ts.Nano()))
}

// stopwatch measures one part after another.
type stopwatch struct{ last time.Time }

func (w *stopwatch) lap() time.Duration {
	now := time.Now()
	d := now.Sub(w.last)
	w.last = now
	return d
}

// telemetry is what the receiver says of itself.
type telemetry struct {
	*metadata.TelemetryBuilder
	parts map[metadata.AttributePart]metric.MeasurementOption
}

func newTelemetry(set component.TelemetrySettings) (*telemetry, error) {
	tb, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{TelemetryBuilder: tb, parts: map[metadata.AttributePart]metric.MeasurementOption{}}
	for name, part := range metadata.MapAttributePart {
		t.parts[part] = metric.WithAttributeSet(attribute.NewSet(attribute.String("part", name)))
	}
	return t, nil
}

func (t *telemetry) took(ctx context.Context, part metadata.AttributePart, d time.Duration) {
	t.ProcfsScanDuration.Record(ctx, d.Seconds(), t.parts[part])
}

func (t *telemetry) skipped(ctx context.Context, n int64) { t.ProcfsScansSkipped.Add(ctx, n) }

func (t *telemetry) census(ctx context.Context, c *census) {
	t.ProcfsProcessesSeen.Record(ctx, int64(len(c.snap.Processes)))
	t.ProcfsProcessesUnreadable.Record(ctx, int64(c.snap.Unreadable))
	t.ProcfsProcessesVanished.Add(ctx, int64(c.snap.Vanished))
	t.ProcfsEventsLost.Add(ctx, c.snap.Lost)
	t.ProcfsSeries.Record(ctx, int64(len(c.workloads)+len(c.processes)))
	t.ProcfsSeriesSummed.Record(ctx, int64(c.summed))
	t.ProcfsSource.Record(ctx, 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("source", c.name.String()))))
}
