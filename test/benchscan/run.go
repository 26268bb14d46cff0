package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// overhead is about what starting and ending a collector takes.
const overhead = time.Second

// runBench measures everything and prints the figures.
func runBench(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "benchscan")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a few small files, temporary ones
	b := &bench{options: o, dir: dir}
	all := b.subjects(ctx)
	able := announce(all)
	if o.list || len(able) == 0 {
		return nil
	}
	windows, runErr := b.measureAll(ctx, able)
	figures := summarize(windows)
	describe(figures, all)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, f := range figures {
		if err := out.Encode(f); err != nil {
			return errors.Join(runErr, err)
		}
	}
	if runErr != nil || o.markdown == "" {
		return runErr
	}
	host := thisMachine(time.Now())
	for _, f := range figures {
		host.others = max(host.others, f.OtherCPUs)
	}
	text := table(figures, all) + facts(host, o.verbatim)
	if err := replaceGenerated(o.markdown, text); err != nil {
		return err
	}
	logf("%s is written", o.markdown)
	return nil
}

// announce says which collectors run, and returns them.
func announce(all []subject) []*subject {
	var able []*subject
	for i := range all {
		s := &all[i]
		if s.skipped != "" {
			logf("skip  %s: %s", s.name, s.skipped)
			continue
		}
		logf("have  %s %s: %s", s.name, s.version, s.metrics)
		able = append(able, s)
	}
	return able
}

// describe adds to the figures what the subjects are.
func describe(figures []figure, all []subject) {
	for i := range figures {
		for _, s := range all {
			if s.name == figures[i].Collector {
				figures[i].Metrics, figures[i].Version = s.metrics, s.version
			}
		}
	}
}

// measureAll runs every collector with every population in every round. It
// returns what it has when ctx ends.
func (b *bench) measureAll(ctx context.Context, able []*subject) ([]window, error) {
	populations := b.populations()
	each := b.window() + b.warmup + overhead
	left := b.rounds * len(populations) * len(able)
	logf("%d collectors, populations %v, %d rounds of %s: about %s", len(able), populations, b.rounds, b.window(), (time.Duration(left) * each).Round(time.Second))
	var windows []window
	for round := range b.rounds {
		for _, n := range populations {
			p, err := startPopulation(ctx, n, b.jobs)
			if err != nil {
				return windows, err
			}
			for _, s := range rotated(able, round) {
				left--
				if s.skipped != "" {
					continue
				}
				w, err := b.measure(ctx, s, n)
				if ctx.Err() != nil {
					p.stop()
					return windows, errors.New("interrupted")
				}
				if err != nil {
					s.skipped = "failed: " + oneLine(err.Error())
					logf("fail  %s: %v", s.name, err)
					continue
				}
				windows = append(windows, w)
				logf("round %d/%d  %5d idle processes  %-45s %7.2f us per process and scrape, %d of %d scrapes, %.0f MiB, others used %.2f CPUs; %s left",
					round+1, b.rounds, n, s.name, microseconds(w.cpu)/(w.total*float64(max(w.scrapes, 1))), w.scrapes, w.expected,
					mebibytes(median(w.rss)), w.others, (time.Duration(left) * each).Round(time.Second))
			}
			p.stop()
		}
	}
	return windows, nil
}

// rotated is the order of a round: each begins with another collector.
func rotated(all []*subject, round int) []*subject {
	if len(all) == 0 {
		return nil
	}
	// A third of the list at a time, so that few rounds already differ.
	by := round * max(1, len(all)/3) % len(all)
	return append(append([]*subject{}, all[by:]...), all[:by]...)
}

// measure runs one collector once.
func (b *bench) measure(ctx context.Context, s *subject, n int) (window, error) {
	p, err := s.plan()
	if err != nil {
		return window{}, err
	}
	lines := &lineCounter{marker: []byte(p.marker)}
	c, err := start(launch{argv: p.argv, output: lines.drain})
	if err != nil {
		return window{}, err
	}
	defer c.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	if err = awaitPages(ctx, c, p); err != nil {
		return window{}, err
	}
	r := &reader{url: p.scrape, every: b.scrape}
	scraping := make(chan struct{})
	go func() { defer close(scraping); r.run(ctx) }()
	defer func() { cancel(); <-scraping }()
	perScrape := 0.0
	if p.telemetry != "" {
		perScrape = pointsPerScrape(ctx, p.telemetry, max(b.warmup, 3*b.interval)-time.Since(began))
	}
	if err = sleep(ctx, b.warmup-time.Since(began)); err != nil {
		return window{}, err
	}
	m := &measurement{b: b, plan: p, child: c, lines: lines, pages: r, perScrape: perScrape}
	w, err := m.take(ctx)
	w.collector, w.procs = s.name, n
	if err == nil && r.failed.Load() > 0 {
		err = fmt.Errorf("%d scrapes of %s failed", r.failed.Load(), p.scrape)
	}
	return w, err
}

// awaitPages waits until the pages of a collector can be read.
func awaitPages(ctx context.Context, c *child, p plan) error {
	for _, url := range []string{p.telemetry, p.scrape} {
		for end := time.Now().Add(30 * time.Second); url != ""; {
			_, err := get(ctx, url)
			if err == nil {
				break
			}
			if early := c.ended(); early != nil {
				return early
			}
			if time.Now().After(end) {
				return fmt.Errorf("not ready: %w", err)
			}
			if err := sleep(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}
