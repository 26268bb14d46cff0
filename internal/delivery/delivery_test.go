package delivery_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otel-culprit/culprit/internal/delivery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCut(t *testing.T) {
	tests := []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "lo…"},
		{"ääää", 6, "ä…"},
		{"abc", 2, "ab"},
		{"ä", 1, ""},
		{"abc", 0, ""},
		{"a\xffb", 10, "a\uFFFDb"},
	}
	for _, test := range tests {
		require.Equal(t, test.want, delivery.Cut(test.in, test.limit))
	}
}

func FuzzCut(f *testing.F) {
	f.Add("ä€😀\xff", 7)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(limit%1000, 0)
		got := delivery.Cut(s, limit)
		require.LessOrEqual(t, len(got), limit)
		require.True(t, utf8.ValidString(got))
	})
}

func TestDo(t *testing.T) {
	tests := map[string]struct {
		status    int
		header    string
		permanent bool
		wait      time.Duration
	}{
		"bad request":       {http.StatusBadRequest, "", true, 0},
		"forbidden":         {http.StatusForbidden, "", true, 0},
		"request timeout":   {http.StatusRequestTimeout, "", false, 0},
		"too many, seconds": {http.StatusTooManyRequests, "17", false, 17 * time.Second},
		"too many, past":    {http.StatusTooManyRequests, "Mon, 02 Jan 2006 15:04:05 GMT", false, 0},
		"too many, odd":     {http.StatusTooManyRequests, "soon", false, 0},
		"negative":          {http.StatusServiceUnavailable, "-5", false, 0},
		"absurd":            {http.StatusServiceUnavailable, "99999999", false, 24 * time.Hour},
		"server error":      {http.StatusInternalServerError, "", false, 0},
		"not implemented":   {http.StatusNotImplemented, "", true, 0},
		"not modified":      {http.StatusNotModified, "", true, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", test.header)
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(strings.Repeat("why ", 1000)))
			}))
			defer server.Close()
			address := strings.Replace(server.URL, "http://", "http://user:secret@", 1)
			_, err := delivery.Do(server.Client(), request(t, address))
			require.Error(t, err)
			require.Equal(t, test.status, delivery.Status(err))
			require.Equal(t, test.permanent, delivery.Permanent(err))
			require.NotContains(t, err.Error(), "secret")
			require.Less(t, len(err.Error()), 700)
			var status *delivery.StatusError
			require.ErrorAs(t, err, &status)
			require.Equal(t, test.wait, status.RetryAfter)
		})
	}
}

func TestDoWithoutAnAnswer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL
	server.Close()
	_, err := delivery.Do(http.DefaultClient, request(t, address))
	require.Error(t, err)
	require.False(t, delivery.Permanent(err))
	require.Zero(t, delivery.Status(err))
}

func TestDoReturnsTheBodyUpToALimit(t *testing.T) {
	size := 10
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, size))
	}))
	defer server.Close()
	body, err := delivery.Do(server.Client(), request(t, server.URL))
	require.NoError(t, err)
	require.Len(t, body, 10)

	size = 5 << 20
	_, err = delivery.Do(server.Client(), request(t, server.URL))
	require.ErrorContains(t, err, "longer than")
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	return r
}

// recorder notes when it was called, in seconds since it was made.
type recorder struct {
	start  time.Time
	answer func(call int) error

	mu    sync.Mutex
	calls []float64
}

func (r *recorder) seen() []float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

func (r *recorder) sync(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, time.Since(r.start).Seconds())
	if r.answer == nil {
		return nil
	}
	return r.answer(len(r.calls))
}

func TestLoopRunsAtStartAtIntervalsAndWhenWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{start: time.Now()}
		loop := delivery.NewLoop(time.Minute, r.sync)
		loop.Start()
		pass(90 * time.Second)
		loop.Wake()
		loop.Wake()
		pass(59 * time.Second)
		require.Equal(t, []float64{0, 60, 90}, r.seen())
		pass(2 * time.Second)
		require.NoError(t, loop.Stop(t.Context()))
		require.Equal(t, []float64{0, 60, 90, 150}, r.seen())
	})
}

func TestLoopBacksOffUpToItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{start: time.Now(), answer: func(int) error { return errors.New("down") }}
		loop := delivery.NewLoop(5*time.Second, r.sync)
		loop.Start()
		pass(1500 * time.Millisecond)
		loop.Wake() // does not cut the pause short
		pass(16500 * time.Millisecond)
		require.NoError(t, loop.Stop(t.Context()))
		require.Equal(t, []float64{0, 1, 3, 7, 12, 17, 18}, r.seen(), "Stop tries what is still wanted once more")
	})
}

func TestLoopHonoursRetryAfterAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{start: time.Now(), answer: func(call int) error {
			if call == 1 {
				return &delivery.StatusError{Status: http.StatusTooManyRequests, RetryAfter: 4 * time.Second}
			}
			return nil
		}}
		loop := delivery.NewLoop(5*time.Second, r.sync)
		loop.Start()
		pass(10 * time.Second)
		require.NoError(t, loop.Stop(t.Context()))
		require.Equal(t, []float64{0, 4, 9}, r.seen())
	})
}

func TestLoopDoesNotWaitUntilWhatTheServerHoldsRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{start: time.Now(), answer: func(int) error {
			return &delivery.StatusError{Status: http.StatusTooManyRequests, RetryAfter: 24 * time.Hour}
		}}
		loop := delivery.NewLoop(5*time.Second, r.sync)
		loop.Start()
		pass(21 * time.Second)
		require.Equal(t, []float64{0, 5, 10, 15, 20}, r.seen())
		require.NoError(t, loop.Stop(t.Context()))
	})
}

func TestLoopFulfilsAnOpenWishWhenStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{start: time.Now(), answer: func(int) error { return errors.New("down") }}
		loop := delivery.NewLoop(time.Minute, r.sync)
		loop.Start()
		synctest.Wait()
		loop.Wake()
		require.NoError(t, loop.Stop(t.Context()))
		require.NoError(t, loop.Stop(t.Context()))
		require.Equal(t, []float64{0, 0}, r.seen())
	})
}

func TestLoopStopRepeatsWhatFailed(t *testing.T) {
	for name, failures := range map[string]int{"and succeeds": 1, "and fails again, once": 9} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{start: time.Now(), answer: func(call int) error {
					if call <= failures {
						return errors.New("down")
					}
					return nil
				}}
				loop := delivery.NewLoop(time.Minute, r.sync)
				loop.Start()
				pass(500 * time.Millisecond) // in the pause, and nobody wakes it
				require.NoError(t, loop.Stop(t.Context()))
				require.Equal(t, []float64{0, 0.5}, r.seen())
			})
		})
	}
}

func TestLoopStopSendsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{start: time.Now(), answer: func(call int) error {
			if call == 1 {
				return errors.New("down")
			}
			return nil
		}}
		loop := delivery.NewLoop(time.Minute, r.sync)
		loop.Start()
		pass(10 * time.Second)
		require.NoError(t, loop.Stop(t.Context()))
		require.Equal(t, []float64{0, 1}, r.seen())
	})
}

func TestLoopStopCancelsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := delivery.NewLoop(time.Minute, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		loop.Start()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		require.ErrorIs(t, loop.Stop(ctx), context.DeadlineExceeded)
	})
}

func TestLoopStopWithoutStart(t *testing.T) {
	require.NoError(t, delivery.NewLoop(time.Minute, nil).Stop(t.Context()))
}

// pass lets time go by, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
