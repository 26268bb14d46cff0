package victim

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/wait"
)

// upstreamBase is what an answer of the upstream takes when nothing is wrong.
const upstreamBase = time.Millisecond

// upstreamSettings can be changed on controlPath.
type upstreamSettings struct {
	DelayMs float64 `json:"delay_ms"` // more than usual
}

// Upstream is another service that a site asks. It serves on addr until ctx
// ends, and answers everything after a delay.
func Upstream(ctx context.Context, addr string) error {
	if err := load.MustBeOurs(addr); err != nil {
		return err
	}
	var now atomic.Pointer[upstreamSettings]
	now.Store(new(upstreamSettings))
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+controlPath, controlled(
		func() upstreamSettings { return *now.Load() },
		func(s upstreamSettings) error {
			if s.DelayMs < 0 || s.DelayMs > maxDelayMs {
				return fmt.Errorf("delay_ms must be from 0 to %d, not %v", maxDelayMs, s.DelayMs)
			}
			now.Store(&s)
			return nil
		}))
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if wait.Sleep(r.Context(), upstreamBase+wait.Milliseconds(now.Load().DelayMs)) == nil {
			_, _ = w.Write([]byte("in stock\n")) // whoever asked has gone
		}
	})
	return serveUntil(ctx, "the upstream", addr, mux)
}

// maxDelayMs is shorter than the patience of visitors.
const maxDelayMs = 20_000
