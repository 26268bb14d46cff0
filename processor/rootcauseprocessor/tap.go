package rootcauseprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otel-culprit/culprit/internal/fact"
)

// The tap reads what passes through the pipelines. It only computes: the lock is
// never held while something is waited for.

func (rt *runtime) seeMetrics(ctx context.Context, md pmetric.Metrics) {
	rt.see(ctx, func(emit func(fact.Fact)) { rt.decoder.Metrics(md, emit) })
}

func (rt *runtime) seeTraces(ctx context.Context, td ptrace.Traces) {
	rt.see(ctx, func(emit func(fact.Fact)) { rt.decoder.Traces(td, emit) })
}

func (rt *runtime) seeLogs(ctx context.Context, ld plog.Logs) {
	rt.see(ctx, func(emit func(fact.Fact)) { rt.decoder.Logs(ld, emit) })
}

// see queues what decode emits.
func (rt *runtime) see(ctx context.Context, decode func(emit func(fact.Fact))) {
	rt.decoding.Lock()
	defer rt.decoding.Unlock()
	if dropped := rt.queue.add(gather(decode)); dropped > 0 {
		rt.counters.dropped(ctx, dropped)
	}
}

// advance tells the decoder the time, and gives the facts that follow.
func (rt *runtime) advance(ctx context.Context, now time.Time) []fact.Fact {
	rt.decoding.Lock()
	defer rt.decoding.Unlock()
	facts := gather(func(emit func(fact.Fact)) { rt.decoder.Advance(now, emit) })
	rt.counters.skipped(ctx, rt.decoder.TakeSkipped())
	return facts
}

func gather(decode func(emit func(fact.Fact))) []fact.Fact {
	var facts []fact.Fact
	decode(func(f fact.Fact) { facts = append(facts, f) })
	return facts
}
