package httpprobereceiver

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// site answers requests after a delay, in the bubble's own time.
type site struct {
	delay atomic.Int64 // nanoseconds
}

func (s *site) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-time.After(time.Duration(s.delay.Load())):
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

func bubbleProber(t *testing.T, s *site, change func(*TargetConfig)) *prober {
	t.Helper()
	target := defaultTarget()
	target.URL, target.Service = "http://shop/", "shop"
	if change != nil {
		change(&target)
	}
	p, err := newProber(&target, &http.Client{Transport: s}, zap.NewNop())
	require.NoError(t, err)
	return p
}

// during runs the prober for d and gives back how to stop it.
func during(p *prober, d time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.run(ctx)
	}()
	time.Sleep(d)
	synctest.Wait()
	return func() {
		cancel()
		<-done
	}
}

func (p *prober) countOf(o outcome) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.finished[o]; h != nil {
		return h.count
	}
	return 0
}

func (p *prober) sumOf(o outcome) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.finished[o]; h != nil {
		return h.sum
	}
	return 0
}

func (p *prober) age() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.oldest(time.Now())
}

var fine = outcome{status: http.StatusOK}

func TestThePlanDoesNotWaitForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s site
		s.delay.Store(int64(3500 * time.Millisecond))
		p := bubbleProber(t, &s, nil)
		// Starts at 0, 1, ... 9 s; those until 6 s are answered by 9.9 s.
		stop := during(p, 9900*time.Millisecond)
		require.EqualValues(t, 10, p.started)
		require.EqualValues(t, 7, p.countOf(fine))
		require.InDelta(t, 7*3.5, p.sumOf(fine), 1e-9)
		require.Equal(t, 2900*time.Millisecond, p.age())
		stop()
		require.EqualValues(t, 7, p.countOf(fine), "what the shutdown cut off is not counted")
	})
}

func TestAStallIsSeenWhileItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s site
		s.delay.Store(int64(time.Hour))
		p := bubbleProber(t, &s, func(c *TargetConfig) { c.Timeout = 5 * time.Second })
		defer during(p, 0)()
		for second := range 5 {
			time.Sleep(time.Second - time.Nanosecond)
			synctest.Wait()
			require.Equal(t, time.Duration(second+1)*time.Second-time.Duration(second+1), p.age())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		timeout := outcome{errorType: errTimeout}
		require.EqualValues(t, 2, p.countOf(timeout))
		require.InDelta(t, 10, p.sumOf(timeout), 1e-9, "a timeout counts with its full duration")
	})
}

func TestUnfinishedRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s site
		s.delay.Store(int64(time.Hour))
		p := bubbleProber(t, &s, func(c *TargetConfig) { c.MaxInFlight = 2 })
		defer during(p, 4500*time.Millisecond)()
		// Starts at 0 and 1 s wait; those at 2, 3 and 4 s are refused at the
		// age of the first.
		crowded := outcome{errorType: errCrowded}
		require.EqualValues(t, 2, p.started)
		require.EqualValues(t, 3, p.countOf(crowded))
		require.InDelta(t, 2+3+4, p.sumOf(crowded), 1e-9)
	})
}

func TestStartsMissedForLongAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		p := bubbleProber(t, &site{}, func(c *TargetConfig) { c.Timeout = 3 * time.Second })
		p.logger = zap.New(core)
		time.Sleep(100*time.Second + 500*time.Millisecond) // the prober could not run
		stop := during(p, 0)
		stop()
		// 98, 99 and 100 s are young enough to be sent.
		require.EqualValues(t, 3, p.started)
		require.EqualValues(t, 98, logs.All()[0].ContextMap()["probes"])
	})
}

func TestHistogramBucketsIncludeTheirUpperBound(t *testing.T) {
	h := newHistogram()
	h.add(-time.Second)
	h.add(time.Millisecond)
	h.add(time.Millisecond + time.Nanosecond)
	h.add(time.Hour)
	require.EqualValues(t, 2, h.counts[0])
	require.EqualValues(t, 1, h.counts[1])
	require.EqualValues(t, 1, h.counts[len(bounds)])
	require.EqualValues(t, 4, h.count)
}
