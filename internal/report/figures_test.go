package report_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/report"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

func TestFiguresHaveOneWording(t *testing.T) {
	clock := func(at time.Time) string { return at.UTC().Format(time.TimeOnly) }
	now := rootcause.Verdict{Phase: rootcause.Opened, At: second(10), Latency: 0.25, Baseline: 0.1, RequestRate: 72.43, UsualRate: 78.5}
	recovered := rootcause.Verdict{Phase: rootcause.Closed, At: second(90), Latency: 0.11, Baseline: 0.1, RequestRate: 80, UsualRate: 78.5}
	over := rootcause.Episode{Phase: rootcause.Closed, Latency: 2, Baseline: 0.1}
	for name, tt := range map[string]struct {
		told              []rootcause.Verdict
		episode           rootcause.Episode
		clock             func(time.Time) string
		latency, requests string
	}{
		"still slow": {
			[]rootcause.Verdict{now},
			rootcause.Episode{Phase: rootcause.Opened, Latency: 0.2},
			clock,
			"250\u00a0ms at 00:00:10, 2.5 times the usual 100\u00a0ms", "72.4 per second at 00:00:10, usually 78.5",
		},
		"over": {
			[]rootcause.Verdict{now, recovered},
			over, clock,
			"2\u00a0s at worst, 20 times the usual 100\u00a0ms", "72.4 per second at 00:00:10, usually 78.5",
		},
		"without a clock": {
			[]rootcause.Verdict{now},
			rootcause.Episode{},
			nil,
			"250\u00a0ms 2.5 times the usual 100\u00a0ms", "72.4 per second usually 78.5",
		},
		"nothing known": {
			[]rootcause.Verdict{{At: second(1), Latency: math.NaN(), RequestRate: math.NaN()}},
			rootcause.Episode{},
			clock,
			"unknown at 00:00:01, what is usual is not learned yet", "unknown at 00:00:01, what is usual is not learned yet",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := report.FiguresOf(tt.told, tt.episode)
			value, note := f.Latency(tt.clock)
			require.Equal(t, tt.latency, value+" "+note)
			value, note = f.Requests(tt.clock)
			require.Equal(t, tt.requests, value+" "+note)
		})
	}
	require.Equal(t, "2\u00a0s at worst, 20 times the usual 100\u00a0ms", report.EpisodeLatency(over))
	over.Phase = rootcause.Opened
	require.Equal(t, "2\u00a0s, 20 times the usual 100\u00a0ms", report.EpisodeLatency(over))
}
