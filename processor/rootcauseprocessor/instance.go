package rootcauseprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// instance is the processor of one pipeline.
type instance struct {
	rt      *runtime
	release func(*runtime)
	events  *outlet[plog.Logs]       // in a logs pipeline
	gauges  *outlet[pmetric.Metrics] // in a metrics pipeline

	mu      sync.Mutex
	started bool
	stopped bool
}

func (i *instance) options() []processorhelper.Option {
	return []processorhelper.Option{
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		processorhelper.WithStart(i.start),
		processorhelper.WithShutdown(i.shutdown),
	}
}

func (i *instance) start(ctx context.Context, host component.Host) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.rt.start(ctx, host); err != nil {
		return err
	}
	i.started = true
	i.rt.attach(i.events, i.gauges) //nolint:contextcheck // the outlets outlive it too
	return nil
}

// shutdown may come without a start, and twice.
func (i *instance) shutdown(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stopped {
		return nil
	}
	i.stopped = true
	defer i.release(i.rt)
	if !i.started {
		return nil
	}
	if i.events != nil {
		i.rt.flush(ctx)
	}
	i.rt.detach(ctx, i.events, i.gauges)
	return i.rt.stop(ctx)
}
