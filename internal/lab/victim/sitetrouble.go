package victim

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otel-culprit/culprit/internal/lab/wait"
)

// trouble is what a site can suffer from that is its own fault; zero for
// nothing.
type trouble struct {
	GCPauseMs   float64 `json:"gc_pause_ms"`  // in each second in which all requests stand still and the site's CPU works
	AllocateMiB float64 `json:"allocate_mib"` // of memory for each request, on top
	LockMs      float64 `json:"lock_ms"`      // how long a lock is held that all requests need
	LockPerS    float64 `json:"lock_per_s"`   // how often a second
}

// usualTrouble is none.
var usualTrouble = trouble{LockPerS: 30}

// troubles is what the site suffers from now.
type troubles struct {
	is atomic.Pointer[trouble]
	// paused is closed when the pause ends; nil if there is none.
	paused atomic.Pointer[chan struct{}]

	mu    sync.Mutex // the lock that all requests need
	begun int        // requests
}

func newTroubles() *troubles {
	t := new(troubles)
	none := usualTrouble
	t.is.Store(&none)
	return t
}

func (t *troubles) now() trouble { return *t.is.Load() }

func (t *troubles) set(s trouble) error {
	for _, one := range []struct {
		name        string
		value, most float64
	}{
		{"gc_pause_ms", s.GCPauseMs, 900},
		{"allocate_mib", s.AllocateMiB, 256},
		{"lock_ms", s.LockMs, 1000},
		{"lock_per_s", s.LockPerS, 1000},
	} {
		if one.value < 0 || one.value > one.most {
			return fmt.Errorf("%s must be from 0 to %v, not %v", one.name, one.most, one.value)
		}
	}
	if s.LockPerS == 0 {
		s.LockMs = 0
	}
	t.is.Store(&s)
	return nil
}

func (t *troubles) requests() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.begun
}

// begin lets a request suffer from the lock and from its memory.
func (t *troubles) begin(ctx context.Context) {
	t.mu.Lock()
	t.begun++
	t.mu.Unlock()
	memory := make([]byte, int(t.now().AllocateMiB*(1<<20)))
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1 // else the kernel gives none
	}
	t.stand(ctx)
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

// lock holds the lock again and again until ctx ends.
func (t *troubles) lock(ctx context.Context) {
	const idle = 100 * time.Millisecond
	for pause := idle; wait.Sleep(ctx, pause) == nil; {
		now := t.now()
		if now.LockMs == 0 {
			pause = idle
			continue
		}
		began := time.Now()
		t.mu.Lock()
		_ = wait.Sleep(ctx, wait.Milliseconds(now.LockMs)) // then ctx has ended
		t.mu.Unlock()
		pause = max(0, wait.Milliseconds(1000/now.LockPerS)-time.Since(began))
	}
}
