package rootcauseprocessor

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// servicesEvery is how often the engine is told of the services and of what hosts
// share, so that a journal whose older part was dropped still has them.
const servicesEvery = time.Minute

// paramsEvery is how often the journal is told that the engine has other numbers
// than the shipped ones. It is a mark, which a timeline shows: not every minute.
const paramsEvery = time.Hour

// run is the engine's goroutine.
func (rt *runtime) run(ctx context.Context) {
	defer close(rt.stopped)
	ticker := time.NewTicker(rt.cfg.Tick)
	defer ticker.Stop()
	begin := wallClock()
	rt.step(ctx, []fact.Fact{fact.Tick{At: begin}}) // before any other fact: what is the future is told by the last tick
	rt.recall(ctx, begin)
	rt.repeat(ctx, begin) // a run that begins forgets what was said of services
	for {
		select {
		case <-ctx.Done():
			rt.drain(ctx) // for the journal
			rt.remember(ctx, wallClock())
			return
		case <-rt.queue.ready:
			rt.drain(ctx)
		case <-ticker.C:
			rt.tick(ctx)
		case flushed := <-rt.flushing:
			rt.tick(ctx)
			close(flushed)
		}
	}
}

// flush makes the engine judge all that was seen before the call, unless the
// time is up first.
func (rt *runtime) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	flushed := make(chan struct{})
	select {
	case rt.flushing <- flushed:
		<-flushed
	case <-ctx.Done():
	}
}

// drain gives the engine the facts that wait for it.
func (rt *runtime) drain(ctx context.Context) {
	for _, facts := range rt.queue.take() {
		rt.step(ctx, facts)
	}
}

// tick gives the engine what waits and tells it the time.
func (rt *runtime) tick(ctx context.Context) {
	now := wallClock()
	rt.drain(ctx)
	rt.step(ctx, rt.advance(ctx, now))
	rt.step(ctx, []fact.Fact{fact.Tick{At: now}})
	rt.repeat(ctx, now)
	if now.Sub(rt.lastGauges) >= rt.cfg.MetricsInterval || now.Before(rt.lastGauges) {
		rt.lastGauges = now
		rt.expose(ctx, now)
	}
	if now.Sub(rt.remembered) >= rememberEvery || now.Before(rt.remembered) {
		rt.remember(ctx, now)
	}
	rt.counters.report(ctx, now)
}

// wallClock is the time without the monotonic clock: a journal has none.
func wallClock() time.Time { return time.Now().UTC().Round(0) }

// repeat tells the engine from time to time what the configuration says of the
// services and of what hosts share.
func (rt *runtime) repeat(ctx context.Context, now time.Time) {
	if now.Sub(rt.lastServices) >= servicesEvery || now.Before(rt.lastServices) {
		rt.lastServices = now
		rt.step(ctx, slices.Concat(rt.cfg.services(now), rt.cfg.shared(now)))
	}
	if rt.otherParams != "" && (now.Sub(rt.lastParams) >= paramsEvery || now.Before(rt.lastParams)) {
		rt.lastParams = now
		rt.step(ctx, []fact.Fact{fact.Mark{At: now, Name: params.MarkName, Text: rt.otherParams}})
	}
}

// step gives the engine facts in their order, and sends out what follows.
func (rt *runtime) step(ctx context.Context, facts []fact.Fact) {
	var events []rootcause.Event
	for _, f := range facts {
		more, err := rt.engine.Step(f)
		rt.counters.fact(f, err)
		events = append(events, more...)
	}
	rt.record(ctx, facts...)
	if len(events) > 0 {
		rt.counters.made(ctx, events)
		rt.emit(ctx, events)
	}
}

// record puts facts into the journal, if there is one.
func (rt *runtime) record(ctx context.Context, facts ...fact.Fact) {
	if rt.recorder != nil {
		rt.recorder.add(ctx, facts)
	}
}

// emit puts events into the logs pipelines.
func (rt *runtime) emit(ctx context.Context, events []rootcause.Event) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if len(rt.events) == 0 {
		rt.counters.lost(ctx, len(events), lostShutDown, nil)
	}
	for _, o := range rt.events {
		if !o.offer(newLogs(events)) {
			rt.counters.lost(ctx, len(events), lostFull, nil)
		}
	}
}

// expose puts gauges into the metrics pipelines. A pipeline that is still busy
// with the last ones gets none; what has ended by then it learns the next time.
func (rt *runtime) expose(ctx context.Context, now time.Time) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if len(rt.gauges) == 0 {
		return
	}
	current := collect(rt.engine.Snapshot())
	for o, x := range rt.gauges {
		md := x.metrics(current, now)
		n := md.DataPointCount()
		switch {
		case n == 0:
			x.last = current
		case o.offer(md): // md is no longer ours
			x.last = current
		default:
			rt.counters.unshown(ctx, n, lostFull)
		}
	}
}

func (rt *runtime) eventsRefused(ctx context.Context, ld plog.Logs, err error) {
	rt.counters.lost(ctx, ld.LogRecordCount(), lostRefused, err)
}

func (rt *runtime) gaugesRefused(ctx context.Context, md pmetric.Metrics, err error) {
	rt.counters.unshown(ctx, md.DataPointCount(), lostRefused)
	rt.log.Warn("Gauges were refused by the metrics pipeline", zap.Error(err))
}
