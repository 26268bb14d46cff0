package rootcauseprocessor

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/otelfact"
	"github.com/otel-culprit/culprit/internal/rootcause"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
)

// Why events or gauges were not handed to a pipeline.
const (
	lostRefused  = "refused"   // the pipeline returned an error
	lostFull     = "full"      // it is busy, and too many wait already
	lostShutDown = "shut_down" // it is not there any more
)

// complainEvery is how often the log tells of facts that are dropped or refused;
// the counters tell it at once.
const complainEvery = time.Minute

// counters are the processor's own telemetry.
type counters struct {
	tel *metadata.TelemetryBuilder
	log *zap.Logger

	taken, refused map[fact.Kind]int64 // of the engine's goroutine, since the last report
	lastRefusal    error
	refusals       int64 // since the last complaint
	unqueued       atomic.Int64
	unrecorded     atomic.Int64
	complained     time.Time
}

func newCounters(tel *metadata.TelemetryBuilder, log *zap.Logger) counters {
	return counters{tel: tel, log: log, taken: map[fact.Kind]int64{}, refused: map[fact.Kind]int64{}}
}

func with(pairs ...string) metric.MeasurementOption {
	set := make([]attribute.KeyValue, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		set = append(set, attribute.String(pairs[i], pairs[i+1]))
	}
	return metric.WithAttributeSet(attribute.NewSet(set...))
}

// fact counts a fact that the engine took, or refused with an error.
func (c *counters) fact(f fact.Fact, err error) {
	if err == nil {
		c.taken[f.Kind()]++
		return
	}
	c.refused[f.Kind()]++
	c.refusals++
	c.lastRefusal = err
}

// report hands on what was counted, and complains from time to time.
func (c *counters) report(ctx context.Context, now time.Time) {
	for kind, n := range c.taken {
		c.tel.RootcauseFacts.Add(ctx, n, with("kind", string(kind)))
	}
	for kind, n := range c.refused {
		c.tel.RootcauseFactsRefused.Add(ctx, n, with("kind", string(kind)))
	}
	clear(c.taken)
	clear(c.refused)
	if since := now.Sub(c.complained); since >= 0 && since < complainEvery {
		return
	}
	c.complained = now
	if n := c.unqueued.Swap(0); n > 0 {
		c.log.Warn("Facts were dropped because the queue to the engine was full; raise queue_size or send less", zap.Int64("facts", n))
	}
	if n := c.unrecorded.Swap(0); n > 0 {
		c.log.Warn("Facts are missing in the journal because it could not be written", zap.Int64("facts", n))
	}
	if c.refusals > 0 {
		c.log.Warn("Facts were refused by the engine", zap.Int64("facts", c.refusals), zap.NamedError("last", c.lastRefusal))
		c.refusals = 0
	}
}

// dropped counts facts that found no room in the queue.
func (c *counters) dropped(ctx context.Context, n int) {
	c.unqueued.Add(int64(n))
	c.tel.RootcauseFactsDropped.Add(ctx, int64(n))
}

// unwritten counts facts that are not in the journal.
func (c *counters) unwritten(ctx context.Context, n int64) {
	if n > 0 {
		c.unrecorded.Add(n)
		c.tel.RootcauseJournalDropped.Add(ctx, n)
	}
}

// skipped counts what could not be decoded.
func (c *counters) skipped(ctx context.Context, why map[otelfact.Reason]int64) {
	for reason, n := range why {
		c.tel.RootcauseItemsSkipped.Add(ctx, n, with("reason", string(reason)))
	}
}

// lost counts events that did not get into a logs pipeline.
func (c *counters) lost(ctx context.Context, n int, why string, err error) {
	c.tel.RootcauseEventsDropped.Add(ctx, int64(n), with("reason", why))
	c.log.Error("Events did not get into the logs pipeline", zap.Int("events", n), zap.String("reason", why), zap.Error(err))
}

// unshown counts points of gauges that did not get into a metrics pipeline.
func (c *counters) unshown(ctx context.Context, n int, why string) {
	c.tel.RootcauseGaugesDropped.Add(ctx, int64(n), with("reason", why))
}

// made counts and logs what the engine found.
func (c *counters) made(ctx context.Context, events []rootcause.Event) {
	for _, e := range events {
		switch e := e.(type) {
		case rootcause.Window:
			c.tel.RootcauseEvents.Add(ctx, 1, with("event", event.NameBackupWindow, "phase", e.Phase.String()))
		case rootcause.Episode:
			c.tel.RootcauseEvents.Add(ctx, 1, with("event", event.NameEpisode, "phase", e.Phase.String()))
		case rootcause.Verdict:
			c.tel.RootcauseEvents.Add(ctx, 1, with("event", event.NameVerdict, "phase", e.Phase.String()))
			c.tel.RootcauseVerdicts.Add(ctx, 1, with("state", e.State.String(), "phase", e.Phase.String()))
		}
	}
}
