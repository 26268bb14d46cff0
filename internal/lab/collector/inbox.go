package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/otel-culprit/culprit/internal/event"
)

const maxRequest = 8 << 20 // bytes

// Inbox receives the collector's findings over OTLP/HTTP and remembers them.
type Inbox struct {
	service string // whose findings count

	mu       sync.Mutex
	verdicts []Finding
	windows  map[string]event.Window  // open, by ID
	known    map[string]event.Window  // all, by ID
	episodes map[string]event.Episode // open, by ID
	broken   error                    // the last record that could not be read
	news     chan struct{}            // holds one value when something came
}

// Finding is a verdict and when it came.
type Finding struct {
	Received time.Time
	Verdict  event.Verdict
}

// NewInbox makes an inbox for the findings on a service.
func NewInbox(service string) *Inbox {
	return &Inbox{
		service:  service,
		windows:  map[string]event.Window{},
		known:    map[string]event.Window{},
		episodes: map[string]event.Episode{},
		news:     make(chan struct{}, 1),
	}
}

// Serve listens on addr until the returned function is called.
func (b *Inbox) Serve(ctx context.Context, addr string) (stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for findings: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /v1/logs", b)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Close
	}()
	return func() {
		_ = server.Close()
		<-done
	}, nil
}

func (b *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request := plogotlp.NewExportRequest()
	if err = request.UnmarshalProto(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.Take(request.Logs(), time.Now())
	answer, err := plogotlp.NewExportResponse().MarshalProto()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer) // the collector tries again if it did not get it
}

// Take remembers the findings among the records.
func (b *Inbox) Take(logs plog.Logs, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w, err := range event.Windows(logs) {
		b.broken = errors.Join(b.broken, err)
		if err != nil {
			continue
		}
		b.known[w.ID] = w
		keep(b.windows, w.ID, w, w.Phase)
	}
	for e, err := range event.Episodes(logs) {
		b.broken = errors.Join(b.broken, err)
		if err == nil && e.Service == b.service {
			keep(b.episodes, e.ID, e, e.Phase)
		}
	}
	for v, err := range event.Verdicts(logs) {
		b.broken = errors.Join(b.broken, err)
		if err == nil && v.Service == b.service {
			b.verdicts = append(b.verdicts, Finding{Received: now, Verdict: v})
		}
	}
	select {
	case b.news <- struct{}{}:
	default:
	}
}

func keep[T any](open map[string]T, id string, value T, phase event.Phase) {
	if phase == event.Closed {
		delete(open, id)
	} else {
		open[id] = value
	}
}

// Since gives the open verdicts received after a time.
func (b *Inbox) Since(t time.Time) []Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Finding
	for _, f := range b.verdicts {
		if f.Received.After(t) && f.Verdict.Phase != event.Closed {
			out = append(out, f)
		}
	}
	return out
}

// Until gives all verdicts received before a time.
func (b *Inbox) Until(t time.Time) []Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.verdicts), func(f Finding) bool { return f.Received.After(t) })
}

// OpenNow counts the backups and the episodes that are open.
func (b *Inbox) OpenNow() (windows, episodes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.windows), len(b.episodes)
}

// Window looks up a window, open or not.
func (b *Inbox) Window(id string) (event.Window, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, ok := b.known[id]
	return w, ok
}

// Unreadable tells of records that could not be read.
func (b *Inbox) Unreadable() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

// Await returns when what it waits for is there, the time is over or ctx ends.
func (b *Inbox) Await(ctx context.Context, atMost time.Duration, there func() bool) {
	timeout := time.NewTimer(atMost)
	defer timeout.Stop()
	for !there() {
		select {
		case <-ctx.Done():
			return
		case <-timeout.C:
			return
		case <-b.news:
		}
	}
}
