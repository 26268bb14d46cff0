package main

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// reader scrapes a Prometheus endpoint again and again.
type reader struct {
	url    string // empty for none
	every  time.Duration
	read   atomic.Int64
	failed atomic.Int64
}

// run reads until ctx ends.
func (r *reader) run(ctx context.Context) {
	if r.url == "" {
		return
	}
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := get(ctx, r.url); err == nil {
			r.read.Add(1)
		} else if ctx.Err() == nil {
			r.failed.Add(1)
		}
	}
}

// measurement is one window of one running collector.
type measurement struct {
	b         *bench
	plan      plan
	child     *child
	lines     *lineCounter
	pages     *reader
	perScrape float64 // points of a scrape; 0 if unknown
}

// mark is what is read at both ends of a window.
type mark struct {
	at    time.Time
	cpu   time.Duration
	busy  time.Duration // CPU time of the host without this program
	total int
	pids  []int
	lines int64
	pages int64
	told  scrapeCount
}

// take measures for as long as the options say.
func (m *measurement) take(ctx context.Context) (window, error) {
	told := m.telemetry(ctx) // not in the measured time, here as below
	from, err := m.mark()
	if err != nil {
		return window{}, err
	}
	var w window
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	done := time.NewTimer(m.b.window())
	defer done.Stop()
	for running := true; running; {
		select {
		case <-ctx.Done():
			return window{}, context.Cause(ctx)
		case <-m.child.done:
			return window{}, m.child.ended()
		case <-tick.C:
			w.rss = append(w.rss, resident(from.pids))
		case <-done.C:
			running = false
		}
	}
	w.rss = append(w.rss, resident(from.pids))
	to, err := m.mark()
	if err != nil {
		return window{}, err
	}
	w.cpu = to.cpu - from.cpu
	w.elapsed = to.at.Sub(from.at)
	w.expected = int(math.Round(float64(w.elapsed) / float64(m.b.interval)))
	w.others = max(0, (to.busy-from.busy-w.cpu).Seconds()/w.elapsed.Seconds())
	if moved := math.Abs(float64(to.total - from.total)); moved > 10+float64(from.total)/50 {
		logf("CAREFUL  the host had %d processes at first and %d in the end", from.total, to.total)
	}
	w.total = float64(from.total+to.total) / 2
	from.told, to.told = told, m.telemetry(ctx)
	w.scrapes, w.counted = m.scrapes(from, to)
	w.source = to.told.source
	if want := m.plan.source; want != "" && w.source != "" && w.source != want {
		return w, fmt.Errorf("it reads from %s, not from %s", w.source, want)
	}
	return w, nil
}

// telemetry is what the collector says of itself; nothing if it says nothing.
func (m *measurement) telemetry(ctx context.Context) scrapeCount {
	if m.plan.telemetry == "" {
		return scrapeCount{}
	}
	text, err := get(ctx, m.plan.telemetry)
	if err != nil {
		return scrapeCount{}
	}
	return parseCounts(text)
}

func (m *measurement) mark() (mark, error) {
	var k mark
	c, err := takeCensus()
	if err != nil {
		return mark{}, err
	}
	if err := m.child.ended(); err != nil {
		return mark{}, err
	}
	k.at, k.total, k.pids = time.Now(), c.count(), tree(m.child.pid(), c.parents)
	k.cpu, k.busy = c.cpu(k.pids), hostBusy()
	k.lines, k.pages = m.lines.seen.Load(), m.pages.read.Load()
	return k, nil
}

// scrapes is how often the collector read the processes between two marks, and
// whether that was seen or is what the interval promises.
func (m *measurement) scrapes(from, to mark) (int, bool) {
	if m.plan.onScrape {
		return int(to.pages - from.pages), true
	}
	if m.plan.marker != "" {
		return int(to.lines - from.lines), true
	}
	if n, ok := from.told.between(to.told, m.perScrape); ok {
		return n, true
	}
	return int(math.Round(float64(to.at.Sub(from.at)) / float64(m.b.interval))), false
}
