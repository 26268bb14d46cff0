package victim

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/otel-culprit/culprit/internal/lab/wait"
)

// trouble is what a site can suffer from that is its own fault; zero for
// nothing.
type trouble struct {
	GCPauseMs float64 `json:"gc_pause_ms"` // in each second in which all requests stand still and the site's CPU works
}

// troubles is what the site suffers from now.
type troubles struct {
	is atomic.Pointer[trouble]
	// paused is closed when the pause ends; nil if there is none.
	paused atomic.Pointer[chan struct{}]
}

func newTroubles() *troubles {
	t := new(troubles)
	t.is.Store(new(trouble))
	return t
}

func (t *troubles) now() trouble { return *t.is.Load() }

func (t *troubles) set(s trouble) error {
	const most = 900
	if s.GCPauseMs < 0 || s.GCPauseMs > most {
		return fmt.Errorf("gc_pause_ms must be from 0 to %d, not %v", most, s.GCPauseMs)
	}
	t.is.Store(&s)
	return nil
}

// stand stands still during a pause. Requests call it often.
func (t *troubles) stand(ctx context.Context) {
	if paused := t.paused.Load(); paused != nil {
		select {
		case <-*paused:
		case <-ctx.Done():
		}
	}
}

// pause makes the pauses until ctx ends.
func (t *troubles) pause(ctx context.Context) {
	for wait.Sleep(ctx, time.Second-wait.Milliseconds(t.now().GCPauseMs)) == nil {
		if length := wait.Milliseconds(t.now().GCPauseMs); length > 0 {
			over := make(chan struct{})
			t.paused.Store(&over)
			for end := time.Now().Add(length); time.Now().Before(end); {
				hash(1)
			}
			t.paused.Store(nil)
			close(over)
		}
	}
}
