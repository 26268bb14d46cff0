package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
)

// What can be checked.
const (
	checkShortlived = "shortlived"
	checkNetwork    = "network"
)

// verdict is how much of what a job used our collector credited to it.
type verdict struct {
	Check       string  `json:"check"`
	Source      string  `json:"source"`
	Aggregation string  `json:"aggregation"`
	Skipped     string  `json:"skipped,omitempty"`
	Processes   int64   `json:"processes,omitempty"` // short-lived ones that ran
	Shares      []share `json:"shares,omitempty"`
}

// share compares one amount.
type share struct {
	What     string   `json:"what"`
	Truth    float64  `json:"truth"`              // seconds or bytes
	Credited *float64 `json:"credited,omitempty"` // nil if the collector has no such series
	Share    *float64 `json:"share,omitempty"`    // nil too if the truth is 0
	Metric   string   `json:"metric,omitempty"`   // which the credited amount is from
}

// lookup is where an amount may be found.
type lookup struct {
	metric string
	where  map[string]string
}

// compare takes the first lookup that finds something.
func compare(l *ledger, what string, truth float64, lookups []lookup) share {
	s := share{What: what, Truth: truth}
	for _, at := range lookups {
		if value, ok := l.sum(at.metric, at.where); ok {
			s.Metric, s.Credited = at.metric, &value
			if truth > 0 {
				s.Share = new(math.Round(value/truth*1e5) / 1e5)
			}
			return s
		}
	}
	return s
}

// of looks at the workload that a process leads, and then at the process alone.
func of(pid int, workload, process string, where ...string) []lookup {
	at := func(metric, key string) lookup {
		out := lookup{metric: metric, where: map[string]string{key: strconv.Itoa(pid)}}
		for i := 0; i+1 < len(where); i += 2 {
			out.where[where[i]] = where[i+1]
		}
		return out
	}
	return []lookup{at(workload, attributeWorkloadPID), at(process, attributePID)}
}

// runCheck checks every source and prints a JSON line for each.
func runCheck(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "benchscan")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a few small files, temporary ones
	b := &bench{options: o, dir: dir}
	for _, source := range o.checks.sources {
		v, err := b.checkSource(ctx, source)
		if err != nil {
			return fmt.Errorf("check %s with source %s: %w", o.check, source, err)
		}
		for _, s := range v.Shares {
			logf("%s", s)
		}
		if err := json.NewEncoder(os.Stdout).Encode(v); err != nil {
			return err
		}
	}
	return nil
}

func (s share) String() string {
	if s.Share == nil {
		return fmt.Sprintf("  %-28s %14.2f  not credited", s.What, s.Truth)
	}
	return fmt.Sprintf("  %-28s %14.2f  credited %14.2f = %7.3f %% by %s", s.What, s.Truth, *s.Credited, 100**s.Share, s.Metric)
}

// checkSource runs the collector with one source, and the check against it.
func (b *bench) checkSource(ctx context.Context, source string) (verdict, error) {
	v := verdict{Check: b.check, Source: source, Aggregation: b.checks.aggregation}
	if v.Aggregation == "" {
		v.Aggregation = map[string]string{checkShortlived: aggregationWorkload, checkNetwork: aggregationProcess}[b.check]
	}
	in := receiver{source: source, aggregation: v.Aggregation}
	if source == "default" {
		in, v.Aggregation = receiver{}, "default"
	}
	l := &ledger{}
	endpoint, closeLedger, err := l.serve()
	if err != nil {
		return v, err
	}
	defer closeLedger()
	p, err := b.otelPlan("check-"+filepath.Base(source), settings{Receiver: in, Sink: sinkOTLP, Interval: b.interval, Endpoint: endpoint})
	if err != nil {
		return v, err
	}
	if reason := b.refusal(ctx, p.argv[2]); reason != "" {
		v.Skipped = reason
		logf("skip  %s: %s", source, v.Skipped)
		return v, nil
	}
	c, err := start(launch{argv: p.argv})
	if err != nil {
		return v, err
	}
	defer c.stop()
	if err = l.await(ctx, 2, c); err != nil {
		return v, err
	}
	logf("check %s, source %s, aggregation %s", b.check, source, v.Aggregation)
	if b.check == checkNetwork {
		v.Shares, err = b.creditNetwork(ctx, l)
		return v, err
	}
	v.Processes, v.Shares, err = b.creditShortlived(ctx, l)
	return v, err
}
