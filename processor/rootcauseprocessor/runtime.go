package rootcauseprocessor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/otelfact"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
)

// runtime is what all instances of one component ID share: the decoder, the
// queue and the engine with its goroutine.
//
//	pipelines -> decoder -> queue -> engine -> outlets -> pipelines
//	                                       \-> recorder -> journal
//	                                       \-> keeper -> storage
type runtime struct {
	cfg       *Config
	id        component.ID
	log       *zap.Logger
	tel       *metadata.TelemetryBuilder
	counters  counters
	newEngine newEngine
	instances int // guarded by sharing

	decoding sync.Mutex
	decoder  *otelfact.Decoder

	queue    *queue
	flushing chan chan struct{}

	mu       sync.Mutex
	hasLogs  bool // the ID is in a logs pipeline
	running  int  // instances that were started
	events   []*outlet[plog.Logs]
	gauges   map[*outlet[pmetric.Metrics]]*exposition
	cancel   context.CancelFunc
	stopped  chan struct{}
	recorder *recorder // nil without a journal
	keeper   *keeper   // nil without a storage

	// Of the engine's goroutine.
	engine       engine
	lastGauges   time.Time
	lastServices time.Time
	otherParams  string // what the journal says of parameters that are not shipped
	lastParams   time.Time
	remembered   time.Time
}

func newRuntime(set processor.Settings, cfg *Config, newEngine newEngine, tel *metadata.TelemetryBuilder) *runtime {
	return &runtime{
		cfg:       cfg,
		id:        set.ID,
		log:       set.Logger,
		tel:       tel,
		counters:  newCounters(tel, set.Logger),
		newEngine: newEngine,
		decoder:   otelfact.NewDecoder(otelfact.Options{LatencyMetrics: cfg.LatencyMetrics, Evidence: shippedEvidence()}),
		queue:     newQueue(cfg.QueueSize),
		flushing:  make(chan chan struct{}),
		gauges:    map[*outlet[pmetric.Metrics]]*exposition{},
	}
}

// services are what the configuration says of each service, sorted by its name.
func (c *Config) services(at time.Time) []fact.Fact {
	byName := map[string]fact.Service{}
	for _, s := range c.Services {
		byName[s.Name] = fact.Service{At: at, Name: s.Name, Processes: slices.Clone(s.Processes)}
	}
	for _, o := range c.Objectives {
		s := byName[o.Service]
		s.At, s.Name, s.Objective = at, o.Service, o.Latency.Seconds()
		byName[o.Service] = s
	}
	facts := make([]fact.Fact, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		facts = append(facts, byName[name])
	}
	return facts
}

// errNoLogs is why Start fails when nobody would learn the verdicts.
var errNoLogs = errors.New("it is in no logs pipeline, so its verdicts would go nowhere: " +
	"add it to the processors of the logs pipeline whose exporters are to deliver them")

// start is called by each instance; the first one starts the engine.
func (rt *runtime) start(ctx context.Context, host component.Host) error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if !rt.hasLogs {
		return errNoLogs
	}
	if rt.running == 0 {
		if err := rt.startEngine(ctx, host); err != nil {
			return err
		}
	}
	rt.running++
	return nil
}

func (rt *runtime) startEngine(ctx context.Context, host component.Host) error {
	numbers, provenance, err := params.Open(rt.cfg.Params)
	if err != nil {
		return fmt.Errorf("params: %w", err)
	}
	if rt.otherParams, err = params.Remark(numbers, rt.cfg.Params); err != nil {
		return fmt.Errorf("params: %w", err)
	}
	if rt.otherParams != "" {
		rt.log.Info("The engine's numbers are not the shipped ones", zap.String("params", rt.cfg.Params), zap.Stringer("provenance", provenance))
	}
	made, err := rt.newEngine(numbers)
	if err != nil {
		return err
	}
	rt.engine, rt.lastServices, rt.lastParams = made, time.Time{}, time.Time{}
	if rt.cfg.StorageID != nil {
		if rt.keeper, err = openKeeper(ctx, rt, host); err != nil {
			return err
		}
	}
	if rt.cfg.Journal.HasValue() {
		rt.recorder, err = startRecorder(rt.cfg.Journal.Get(), rt.cfg.QueueSize, &rt.counters) //nolint:contextcheck // it outlives the context of Start
		if err != nil {
			return errors.Join(err, rt.keeper.stop(ctx))
		}
	}
	running, cancel := context.WithCancel(context.Background())
	rt.cancel, rt.stopped = cancel, make(chan struct{})
	go rt.run(running) //nolint:contextcheck // the engine outlives the context of Start
	return nil
}

// stop is called by each instance that was started; the last one stops the
// engine and closes the journal.
func (rt *runtime) stop(ctx context.Context) error {
	rt.mu.Lock()
	rt.running--
	last := rt.running == 0
	rt.mu.Unlock()
	if !last {
		return nil
	}
	rt.cancel()
	<-rt.stopped
	return errors.Join(rt.keeper.stop(ctx), rt.recorder.stop(ctx))
}

// joinLogs notes that the ID is in a logs pipeline; all instances are created
// before the first is started.
func (rt *runtime) joinLogs() {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.hasLogs = true
}

// attach opens the outlets of an instance; either may be nil.
func (rt *runtime) attach(events *outlet[plog.Logs], gauges *outlet[pmetric.Metrics]) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if events != nil {
		events.start()
		rt.events = append(rt.events, events)
	}
	if gauges != nil {
		gauges.start()
		rt.gauges[gauges] = &exposition{}
	}
}

// detach closes them, after what waits in them was handed over.
func (rt *runtime) detach(ctx context.Context, events *outlet[plog.Logs], gauges *outlet[pmetric.Metrics]) {
	rt.mu.Lock()
	rt.events = slices.DeleteFunc(rt.events, func(o *outlet[plog.Logs]) bool { return o == events })
	delete(rt.gauges, gauges)
	rt.mu.Unlock()
	if events != nil {
		events.stop(ctx)
	}
	if gauges != nil {
		gauges.stop(ctx)
	}
}
