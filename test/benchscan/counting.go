package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// lineCounter counts the lines of a collector's output that hold marker: one for
// each scrape.
type lineCounter struct {
	marker []byte
	seen   atomic.Int64
}

// drain reads all of r and counts.
func (c *lineCounter) drain(r io.Reader) {
	in := bufio.NewReaderSize(r, 1<<16)
	for continued := false; ; {
		line, err := in.ReadSlice('\n')
		if !continued && len(c.marker) > 0 && bytes.Contains(line, c.marker) {
			c.seen.Add(1)
		}
		continued = err == bufio.ErrBufferFull //nolint:errorlint // ReadSlice returns it bare
		if err != nil && !continued {
			return
		}
	}
}

// The collector's own metrics that tell how often it scraped.
const (
	telemetryScans  = "otelcol_procfs_scan_duration" // histogram: one for each scan
	telemetrySource = "otelcol_procfs_source"
	telemetryPoints = "otelcol_scraper_scraped_metric_points"
)

// scrapeCount is what a collector's own telemetry says at one time.
type scrapeCount struct {
	scans  int64   // scans of our receiver; 0 if it has none
	points float64 // points that scrapers made
	source string  // of our receiver, as it says itself; empty if it does not
}

// parseCounts reads a page of a collector's own telemetry.
func parseCounts(page []byte) scrapeCount {
	var c scrapeCount
	for line := range strings.Lines(string(page)) {
		name, labels, value := sample(line)
		switch {
		case strings.HasPrefix(name, telemetryScans) && strings.HasSuffix(name, "_count") &&
			(!strings.Contains(labels, `part="`) || strings.Contains(labels, `part="processes"`)):
			c.scans += int64(value)
		case name == telemetrySource && value > 0:
			_, rest, _ := strings.Cut(labels, `source="`)
			c.source, _, _ = strings.Cut(rest, `"`)
		case strings.HasPrefix(name, telemetryPoints):
			c.points += value
		}
	}
	return c
}

// sample splits a line of the Prometheus text format. A line that is none has an
// empty name.
func sample(line string) (name, labels string, value float64) {
	line = strings.TrimSpace(line)
	cut := strings.LastIndexByte(line, ' ')
	if cut < 0 || strings.HasPrefix(line, "#") {
		return "", "", 0
	}
	value, err := strconv.ParseFloat(line[cut+1:], 64)
	if err != nil || math.IsNaN(value) || value < 0 || value > 1<<53 {
		return "", "", 0
	}
	name, labels, _ = strings.Cut(line[:cut], "{")
	return name, labels, value
}

// between is how many scrapes lie between two counts, if each makes so many
// points; not ok if that cannot be told.
func (c scrapeCount) between(later scrapeCount, perScrape float64) (int, bool) {
	switch {
	case later.scans > c.scans:
		return int(later.scans - c.scans), true
	case perScrape > 0 && later.points > c.points:
		return int(math.Round((later.points - c.points) / perScrape)), true
	}
	return 0, false
}

// get fetches a page.
func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // all of it was read
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return body, err
}

// pointsPerScrape watches the telemetry during the warm-up until it has seen the
// points of one whole scrape. 0 if it saw none.
func pointsPerScrape(ctx context.Context, url string, patience time.Duration) float64 {
	var last, step float64
	steps := 0
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if page, err := get(ctx, url); err == nil {
			if now := parseCounts(page).points; now != last {
				step, last = now-last, now
				steps++
			}
		}
		// The first step is from nothing to wherever it stood.
		const whole = 3
		if steps >= whole || sleep(ctx, 100*time.Millisecond) != nil {
			break
		}
	}
	if steps < 2 {
		return 0
	}
	return step
}

// sleep waits for d, or less when ctx ends; then it returns why.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
