package demo

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/output"
	"github.com/otel-culprit/culprit/internal/lab/victim"
)

// tellEpisode lets the inbox know of an episode of the demo's site.
func tellEpisode(b *collector.Inbox, phase event.Phase) {
	now := time.Now()
	e := event.Episode{ID: "e1", Phase: phase, At: now, Service: victim.Service, Onset: now}
	if phase == event.Closed {
		e.End = now
	}
	logs := plog.NewLogs()
	e.Record(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	b.Take(logs, now)
}

func TestAnActWaitsForCalm(t *testing.T) {
	const tooLong = 70 * time.Second
	for name, test := range map[string]struct {
		closes time.Duration // after which the incident is closed; zero if none is open
		left   time.Duration // of the demo
		waits  time.Duration
		says   []string
	}{
		"no incident":    {0, time.Hour, 0, nil},
		"it closes":      {12 * time.Second, time.Hour, 12 * time.Second, []string{"act 2 waits up to 30 s"}},
		"it stays open":  {tooLong, time.Hour, 30 * time.Second, []string{"act 2 waits up to 30 s", "still open, and act 2 begins"}},
		"time is scarce": {tooLong, 100*time.Second + ending + 7*time.Second, 7 * time.Second, []string{"act 2 waits up to 7 s", "still open, and act 2 begins"}},
		"no time left":   {tooLong, 100 * time.Second, 0, []string{"The incident is still open, and act 2 begins"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				d := &demo{plan: DefaultPlan(), end: time.Now().Add(test.left), inbox: collector.NewInbox(victim.Service), screen: output.New(&out, false)}
				if test.closes > 0 {
					tellEpisode(d.inbox, event.Opened)
					time.AfterFunc(test.closes, func() { tellEpisode(d.inbox, event.Closed) })
				}
				began := time.Now()
				require.NoError(t, d.awaitCalm(t.Context(), "act 2", 100*time.Second))
				require.Equal(t, test.waits, time.Since(began))
				for _, text := range test.says {
					require.Contains(t, out.String(), text)
				}
				require.Equal(t, len(test.says) == 0, out.Len() == 0, out.String())
				time.Sleep(tooLong)
			})
		})
	}
}

func TestWaitingForCalmIsBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &demo{plan: DefaultPlan(), end: time.Now().Add(time.Hour), inbox: collector.NewInbox(victim.Service), screen: output.New(new(bytes.Buffer), false)}
		tellEpisode(d.inbox, event.Opened)
		interrupted := errors.New("interrupted")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, interrupted)
		defer cancel()
		require.ErrorIs(t, d.awaitCalm(ctx, "act 1", 0), interrupted)
	})
}

func TestWarnIfUnsteady(t *testing.T) {
	warning := func(s load.Stats) string {
		var out bytes.Buffer
		d := &demo{screen: output.New(&out, false)}
		d.warnIfUnsteady(s)
		return out.String()
	}
	require.Empty(t, warning(load.Stats{Offered: 900, P50: 9, P95: 25}))
	require.Empty(t, warning(load.Stats{P50: math.NaN(), P95: math.NaN()}))
	require.Contains(t, warning(load.Stats{Offered: 900, P50: 9, P95: 90}), "Other work on this machine may spoil the figures")
	require.Contains(t, warning(load.Stats{Offered: 900, Failed: 3, P50: 9, P95: 25}), "3 of 900 requests failed")
}
