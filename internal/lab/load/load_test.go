package load

import (
	"context"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// answers is a site in the bubble's own time.
type answers func(at time.Time) (wait time.Duration, status int)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	wait, status := a(time.Now())
	select {
	case <-time.After(wait):
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: http.NoBody}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// runLoad plays a load on a site for some time, with one rate for each part.
func runLoad(t *testing.T, site answers, part time.Duration, rates ...float64) (l *Load, began time.Time, stop func()) {
	t.Helper()
	l, err := New("http://127.0.0.1:1", 7)
	require.NoError(t, err)
	l.client.Transport = site
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	began = time.Now()
	for _, rate := range rates {
		l.SetRate(ctx, rate)
		time.Sleep(part)
	}
	return l, began, func() {
		cancel()
		<-done
	}
}

func TestLoadIsPoissonAndFollowsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, began, stop := runLoad(t, func(time.Time) (time.Duration, int) { return time.Millisecond, http.StatusOK },
			200*time.Second, 50, 150)
		defer stop()
		slow, fast := l.Stats(began, began.Add(200*time.Second)), l.Stats(began.Add(200*time.Second), began.Add(400*time.Second))
		require.InEpsilon(t, 50, slow.Rate, 0.05)
		require.InEpsilon(t, 150, fast.Rate, 0.05)
		require.InDelta(t, 1, slow.P95, 1e-6)
		require.Zero(t, slow.Failed)

		// The counts of a Poisson process vary as much as they are large.
		var sum, squares float64
		const seconds = 200
		for i := range seconds {
			n := float64(l.Stats(began.Add(time.Duration(i)*time.Second), began.Add(time.Duration(i+1)*time.Second)).Offered)
			sum += n
			squares += n * n
		}
		mean := sum / seconds
		require.InEpsilon(t, mean, squares/seconds-mean*mean, 0.35)
	})
}

func TestLoadDoesNotWaitForASiteThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		stall := func(at time.Time) (time.Duration, int) {
			if s := at.Sub(begin); s > 10*time.Second && s < 14*time.Second {
				return begin.Add(14 * time.Second).Sub(at), http.StatusOK
			}
			return 2 * time.Millisecond, http.StatusOK
		}
		l, began, stop := runLoad(t, stall, 13*time.Second, 100)
		during := l.Stats(began.Add(10*time.Second), began.Add(13*time.Second))
		require.InDelta(t, 300, during.Offered, 60, "requests go on")
		require.Equal(t, during.Offered, during.Unfinished)
		require.InDelta(t, 1500, during.P50, 200, "the unfinished count with their age")
		time.Sleep(2 * time.Second)
		after := l.Stats(began.Add(10*time.Second), began.Add(13*time.Second))
		require.Zero(t, after.Unfinished)
		require.InDelta(t, 2500, after.P50, 200, "from the planned start until the end of the stall")
		stop()
	})
}

func TestLoadCountsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, began, stop := runLoad(t, func(time.Time) (time.Duration, int) { return 0, http.StatusBadGateway }, 10*time.Second, 20)
		defer stop()
		s := l.Stats(began, began.Add(10*time.Second))
		require.Equal(t, s.Offered, s.Failed)
		require.Positive(t, s.Offered)
	})
}

func TestLoadStaysOnTheLoopback(t *testing.T) {
	for _, base := range []string{"http://192.0.2.1:80", "http://shop.example.com:80", "http://127.0.0.1", "::"} {
		_, err := New(base, 1)
		require.ErrorContains(t, err, "site to load", base)
	}
}

func TestStats(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	visits := []visit{
		{planned: at(0), took: 100 * time.Millisecond},
		{planned: at(1), took: 10 * time.Millisecond},
		{planned: at(2), took: -1},
		{planned: at(3), took: 30 * time.Millisecond, failed: true},
		{planned: at(4), took: 500 * time.Millisecond},
	}
	require.Equal(t, Stats{Offered: 3, Unfinished: 1, Failed: 1, Rate: 1, P50: 30, P95: 8000, P99: 8000}, statsOf(visits, at(1), at(4), at(10)))
	none := statsOf(visits, at(5), at(6), at(10))
	require.Zero(t, none.Offered)
	require.True(t, math.IsNaN(none.P50) && math.IsNaN(none.P95) && math.IsNaN(none.P99))
	require.Zero(t, statsOf(visits, at(3), at(1), at(10)).Rate)
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	require.InDelta(t, 5, quantile(values, 0.5), 0)
	require.InDelta(t, 10, quantile(values, 0.95), 0)
	require.InDelta(t, 1, quantile(values, 0), 0)
	require.InDelta(t, 10, quantile(values, 1), 0)
	require.InDelta(t, 3, quantile([]float64{3}, 0.5), 0)
}

func TestTheSymptomBeginsWhenVisitsAreSlow(t *testing.T) {
	start := time.Unix(1000, 0)
	var visits []visit
	for i := range 200 { // one each 100 ms; slow from 10 s on, and one slow at 4 s
		took := 10 * time.Millisecond
		if i >= 100 || i == 40 {
			took = 100 * time.Millisecond
		}
		visits = append(visits, visit{planned: start.Add(time.Duration(i) * 100 * time.Millisecond), took: took})
	}
	end := start.Add(20 * time.Second)
	at, ok := slowFrom(visits, start.Add(5*time.Second), end, end, 20)
	require.True(t, ok)
	require.Equal(t, start.Add(10*time.Second), at)
	_, ok = slowFrom(visits, start, end, end, 200)
	require.False(t, ok, "none was so slow")
	visits[199].took = -1
	at, ok = slowFrom(visits, start.Add(19900*time.Millisecond), end, end.Add(time.Minute), 20_000)
	require.True(t, ok, "an unfinished visit counts with its age")
	require.Equal(t, visits[199].planned, at)
}
