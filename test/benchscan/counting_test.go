package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseCounts(t *testing.T) {
	page := `# TYPE otelcol_procfs_scan_duration_seconds histogram
otelcol_procfs_scan_duration_seconds_bucket{part="processes",le="1"} 9
otelcol_procfs_scan_duration_seconds_sum{part="processes"} 0.2
otelcol_procfs_scan_duration_seconds_count{part="processes",service_name="a b"} 7
otelcol_procfs_scan_duration_seconds_count{part="host"} 8
otelcol_scraper_scraped_metric_points_total{receiver="procfs"} 120
otelcol_scraper_scraped_metric_points_total{receiver="hostmetrics"} 3e2
otelcol_scraper_errored_metric_points_total{receiver="procfs"} 5
otelcol_scraper_scraped_metric_points_total{receiver="odd"} NaN
`
	require.Equal(t, scrapeCount{scans: 7, points: 420}, parseCounts([]byte(page)))
	require.Equal(t, scrapeCount{scans: 4}, parseCounts([]byte("otelcol_procfs_scan_duration_seconds_count 4\n")))
	require.Equal(t, scrapeCount{source: "ebpf"}, parseCounts([]byte("otelcol_procfs_source{otel_scope_name=\"x\",source=\"ebpf\"} 1\n")))
	require.Zero(t, parseCounts(nil))
}

func TestScrapesBetween(t *testing.T) {
	for name, test := range map[string]struct {
		from, to  scrapeCount
		perScrape float64
		want      int
		ok        bool
	}{
		"scans":                {from: scrapeCount{scans: 3, points: 9}, to: scrapeCount{scans: 13, points: 900}, perScrape: 9, want: 10, ok: true},
		"points":               {from: scrapeCount{points: 100}, to: scrapeCount{points: 1120}, perScrape: 100, want: 10, ok: true},
		"size unknown":         {from: scrapeCount{points: 100}, to: scrapeCount{points: 1120}},
		"nothing":              {perScrape: 100},
		"telemetry of another": {from: scrapeCount{scans: 9, points: 100}, to: scrapeCount{scans: 2}, perScrape: 100},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := test.from.between(test.to, test.perScrape)
			require.Equal(t, test.ok, ok)
			require.Equal(t, test.want, got)
		})
	}
}

func FuzzParseCounts(f *testing.F) {
	f.Add([]byte("otelcol_procfs_scan_duration_seconds_count{part=\"processes\"} 7\n"))
	f.Add([]byte("otelcol_scraper_scraped_metric_points_total +Inf\n"))
	f.Fuzz(func(t *testing.T, page []byte) {
		c := parseCounts(page)
		require.True(t, c.points >= 0 && c.points <= float64(len(page))*(1<<53), "%v", c)
	})
}

func TestLinesWithTheMarkerAreCounted(t *testing.T) {
	long := strings.Repeat("x", 1<<17)
	text := "BEGIN apps.cpu 0\nBEGIN apps.cpu_user 0\n" + long + "BEGIN apps.cpu 1\nBEGIN apps.cpu 1000017\n" + "BEGIN apps.cpu 5"
	c := &lineCounter{marker: []byte("BEGIN apps.cpu ")}
	c.drain(strings.NewReader(text))
	require.Equal(t, int64(3), c.seen.Load(), "not the one far into a long line")

	c = &lineCounter{}
	c.drain(bytes.NewReader([]byte(text)))
	require.Zero(t, c.seen.Load(), "without a marker nothing is counted")
}
