package httpprobereceiver

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// prober sends requests to one target:
//
//	plan      |0      |1      |2      |3      |4
//	sent      |---done|-------------------timeout
//	                  |       |---done|  each starts on time, whoever still waits
//
// A latency is counted from the planned start, so the prober's own delays are
// seen and not hidden.
type prober struct {
	target *TargetConfig
	attrs  attributes
	client *http.Client
	logger *zap.Logger
	start  time.Time
	host   string // that serves the target; empty if it is not known

	waiting sync.WaitGroup

	mu       sync.Mutex
	inFlight map[uint64]time.Time // planned starts of the unfinished, by number
	started  uint64
	finished map[outcome]*histogram
}

func newProber(target *TargetConfig, client *http.Client, logger *zap.Logger) (*prober, error) {
	u, err := target.parseURL()
	if err != nil {
		return nil, err
	}
	return &prober{
		target:   target,
		attrs:    target.attributes(u),
		client:   client,
		logger:   logger,
		start:    time.Now(),
		inFlight: make(map[uint64]time.Time),
		finished: make(map[outcome]*histogram),
	}, nil
}

// run probes until ctx ends, and returns when no request is left.
func (p *prober) run(ctx context.Context) {
	defer p.waiting.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for planned := p.start; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		planned = p.skipMissed(planned)
		for !planned.After(time.Now()) {
			p.send(ctx, planned)
			planned = planned.Add(p.target.Interval)
		}
		timer.Reset(time.Until(planned))
	}
}

// skipMissed leaves out starts that are too old to be sent: whoever kept the
// prober from running that long says nothing about the site.
func (p *prober) skipMissed(planned time.Time) time.Time {
	late := time.Since(planned) - p.target.Timeout
	if late < 0 {
		return planned
	}
	missed := late/p.target.Interval + 1
	p.logger.Warn("probes left out, because the prober itself could not run in time",
		zap.String("url", p.target.URL), zap.Int64("probes", int64(missed)))
	return planned.Add(missed * p.target.Interval)
}

// send starts the request planned for that time, unless too many wait.
func (p *prober) send(ctx context.Context, planned time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.inFlight) >= p.target.MaxInFlight {
		// It would have waited at least as long as the oldest one does.
		p.count(outcome{errorType: errCrowded}, p.oldest(time.Now()))
		return
	}
	number := p.started
	p.started++
	p.inFlight[number] = planned
	p.waiting.Go(func() {
		o, took := p.request(ctx, planned)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.inFlight, number)
		if ctx.Err() == nil { // the receiver's end is not the site's fault
			p.count(o, took)
		}
	})
}

// request does one request and reads its answer to the end.
func (p *prober) request(ctx context.Context, planned time.Time) (outcome, time.Duration) {
	ctx, cancel := context.WithDeadline(ctx, planned.Add(p.target.Timeout))
	defer cancel()
	status, err := p.exchange(ctx)
	if ctx.Err() != nil {
		return outcome{status: status, errorType: errTimeout}, p.target.Timeout
	}
	return outcomeOf(status, err), time.Since(planned)
}

func (p *prober) exchange(ctx context.Context) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, p.target.Method, p.target.URL, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close() // nothing was written, so nothing can be lost
	return resp.StatusCode, err
}

// count adds a finished request; the caller holds mu.
func (p *prober) count(o outcome, took time.Duration) {
	h := p.finished[o]
	if h == nil {
		h = newHistogram()
		p.finished[o] = h
	}
	h.add(took)
}

// oldest is the age of the oldest unfinished request; the caller holds mu.
func (p *prober) oldest(now time.Time) time.Duration {
	var age time.Duration
	for _, planned := range p.inFlight {
		age = max(age, now.Sub(planned))
	}
	return age
}
