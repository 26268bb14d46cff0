package delivery

import (
	"context"
	"errors"
	"sync"
	"time"
)

// firstBackoff is the pause after the first of several failures; each further
// failure doubles it, up to the loop's interval.
const firstBackoff = time.Second

// Loop brings a server to a wanted state again and again: when woken, at an
// interval, and after failures with growing pauses. What is sent is the state
// of that moment, so that nothing stale is ever repeated and nothing piles up
// while the server is away.
//
// One goroutine runs the function, never twice at a time. It is the caller who
// keeps the wanted state, and who logs.
type Loop struct {
	interval time.Duration
	call     func(context.Context) error
	wake     chan struct{}
	stop     chan struct{}
	done     chan struct{}
	cancel   context.CancelFunc
	ctx      context.Context //nolint:containedctx // the loop's own life, not a call's
	started  bool
	stopped  sync.Once
}

// NewLoop makes a loop that is not running yet. An error of the function makes
// the loop pause: for as long as a [StatusError] wishes, at least for the
// backoff, and at most for the interval.
func NewLoop(interval time.Duration, call func(context.Context) error) *Loop {
	ctx, cancel := context.WithCancel(context.Background())
	return &Loop{
		interval: interval, call: call, ctx: ctx, cancel: cancel,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// Start runs the loop until Stop; the function is called at once.
func (l *Loop) Start() {
	l.started = true
	l.Wake()
	go l.run()
}

// Wake asks for a call soon; it never blocks. Many wishes make one call.
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Stop ends the loop and waits for it. A wish that is still open is fulfilled
// first, once, and so is one whose last call failed; if the context ends before, whatever runs is cancelled. Stop
// may be called without Start, and twice.
func (l *Loop) Stop(ctx context.Context) error {
	l.stopped.Do(func() { close(l.stop) })
	defer l.cancel()
	if !l.started {
		return nil
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		l.cancel()
		<-l.done
		return ctx.Err()
	}
}

func (l *Loop) run() {
	defer close(l.done)
	failures := 0
	timer := time.NewTimer(l.interval)
	defer timer.Stop()
	for {
		wake := l.wake
		if failures > 0 {
			wake = nil // the pause is not cut short
		}
		select {
		case <-l.stop:
			l.flush()
			return
		case <-wake:
		case <-timer.C:
		}
		l.drain()
		err := l.call(l.ctx)
		if err == nil {
			failures = 0
			timer.Reset(l.interval)
			continue
		}
		failures++
		l.Wake() // what was not sent is still wanted, at the latest by Stop
		timer.Reset(l.pause(err, failures))
	}
}

// flush fulfils a wish that is still open.
func (l *Loop) flush() {
	select {
	case <-l.wake:
		_ = l.call(l.ctx) // the function itself reports its errors
	default:
	}
}

// drain takes back a wish that the call about to be made fulfils.
func (l *Loop) drain() {
	select {
	case <-l.wake:
	default:
	}
}

// pause is how long to wait after so many failures in a row.
func (l *Loop) pause(err error, failures int) time.Duration {
	backoff := l.interval
	if failures < 20 { // beyond, the doubling would overflow
		backoff = min(firstBackoff<<(failures-1), l.interval)
	}
	if status, ok := errors.AsType[*StatusError](err); ok {
		// A server may ask for more, but then what it holds would run out
		// before it is renewed.
		return min(max(backoff, status.RetryAfter), l.interval)
	}
	return backoff
}
