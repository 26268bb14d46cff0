package rootcauseprocessor

import (
	"context"
	"time"
)

// shutdownGrace is how long a pipeline or a disk may take at shutdown, unless the
// collector says less.
const shutdownGrace = 5 * time.Second

// outlet hands what the engine found to one pipeline. It has a goroutine of its
// own, so that a pipeline that blocks stops nothing else.
type outlet[T any] struct {
	consume func(context.Context, T) error
	refused func(context.Context, T, error)
	waiting chan T
	cancel  context.CancelFunc
	done    chan struct{}
}

// newOutlet makes an outlet in which a number of items may wait.
func newOutlet[T any](backlog int, consume func(context.Context, T) error, refused func(context.Context, T, error)) *outlet[T] {
	return &outlet[T]{consume: consume, refused: refused, waiting: make(chan T, backlog), done: make(chan struct{})}
}

func (o *outlet[T]) start() {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:gosec // stop calls it
	o.cancel = cancel
	go func() {
		defer close(o.done)
		for item := range o.waiting {
			if err := o.consume(ctx, item); err != nil {
				o.refused(ctx, item, err)
			}
		}
	}()
}

// offer never blocks; false means that too many wait already.
func (o *outlet[T]) offer(item T) bool {
	select {
	case o.waiting <- item:
		return true
	default:
		return false
	}
}

// stop hands over what waits, and returns when that is done. When the time is up
// the pipeline's context is cancelled first. Nothing may be offered any more.
func (o *outlet[T]) stop(ctx context.Context) {
	close(o.waiting)
	ctx, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	select {
	case <-o.done:
	case <-ctx.Done():
	}
	o.cancel()
	<-o.done
}
