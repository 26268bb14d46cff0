package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	procs    []int         // idle processes, one run of all collectors for each
	jobs     int           // sessions over which they are spread
	duration time.Duration // measured for each collector and population
	rounds   int           // parts of it, in which the order is another one each time
	warmup   time.Duration // before each part
	interval time.Duration // from one scrape of a collector to the next
	scrape   time.Duration // from one scrape of a Prometheus endpoint to the next
	floor    bool          // measure without idle processes too
	only     *regexp.Regexp
	list     bool
	binary   string // our collector
	root     string // the project's directory
	markdown string // file with the table; empty for none
	check    string
	checks   checkOptions
	verbatim []string // the command line, for the page
}

// checkOptions are the flags of -check.
type checkOptions struct {
	sources     []string
	aggregation string
	seconds     time.Duration
	rate        int
	bytes       int64
	dir         string
	linger      time.Duration
}

const usage = `Benchscan compares what it costs to read every process of this host each second.

  go run ./test/benchscan [flags]            measure; one JSON line for each collector and population
  go run ./test/benchscan -check shortlived  how much of short-lived children's CPU and bytes is credited
  go run ./test/benchscan -check network     how much of a process's network bytes is credited

Build the collector first (make build). Peers that are not installed are skipped; on Debian:
  apt-get install --no-install-recommends prometheus-process-exporter netdata-core sysstat
Leave other work off the machine meanwhile. Root sees the disk use of all processes and can use eBPF.

Flags:
`

// parseOptions reads the command line; help and errors of the flags go to out.
func parseOptions(args []string, out io.Writer) (options, error) {
	o := options{verbatim: args}
	fs := flag.NewFlagSet("benchscan", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() { _, _ = io.WriteString(out, usage); fs.PrintDefaults() }
	procs := fs.String("procs", "500,2000", "idle processes, a list of `numbers`")
	only := fs.String("only", "", "measure collectors whose name matches this `regexp`")
	fs.IntVar(&o.jobs, "jobs", 1, "sessions (jobs) over which the idle processes are spread")
	fs.DurationVar(&o.duration, "duration", time.Minute, "measured time for each collector and population")
	fs.IntVar(&o.rounds, "rounds", 3, "parts of the measured time; collectors take turns in another order in each")
	fs.DurationVar(&o.warmup, "warmup", 5*time.Second, "time a collector runs before each part")
	fs.DurationVar(&o.interval, "interval", time.Second, "collection interval; pidstat and apps.plugin know whole seconds only")
	fs.DurationVar(&o.scrape, "scrape", time.Second, "time between scrapes of Prometheus endpoints")
	fs.BoolVar(&o.floor, "floor", true, "also measure without idle processes, for us_marginal")
	fs.BoolVar(&o.list, "list", false, "list the collectors, and why some cannot run, and end")
	fs.StringVar(&o.binary, "bin", "bin/otelcol-culprit", "our collector")
	fs.StringVar(&o.root, "root", ".", "directory of the project")
	fs.StringVar(&o.markdown, "markdown", "", "write the table between the markers in this `file`, such as docs/benchmarks.md")
	fs.StringVar(&o.check, "check", "", "check accuracy in place of measuring: shortlived or network")
	sources := fs.String("source", "procfs,ebpf", "check: sources of the receiver, a list; default stands for no setting")
	fs.StringVar(&o.checks.aggregation, "aggregation", "", "check: aggregation of the receiver (workload for shortlived, process for network)")
	fs.DurationVar(&o.checks.seconds, "seconds", 20*time.Second, "check shortlived: how long the script runs")
	fs.IntVar(&o.checks.rate, "rate", 200, "check shortlived: processes started each second")
	fs.Int64Var(&o.checks.bytes, "bytes", 4<<30, "check network: bytes to send")
	fs.StringVar(&o.checks.dir, "dir", "/var/tmp", "check shortlived: directory on a real disk")
	fs.DurationVar(&o.checks.linger, "linger", 3*time.Second, "check: how long the programs, and long connections, live after their work")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q; see -help", fs.Arg(0))
	}
	return o.complete(*procs, *only, *sources)
}

// complete reads the flags that are lists or expressions and checks the others.
func (o options) complete(procs, only, sources string) (options, error) {
	var err error
	if o.procs, err = numbers(procs); err != nil {
		return o, fmt.Errorf("-procs: %w", err)
	}
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	o.checks.sources = strings.Split(sources, ",")
	switch {
	case !slices.Contains([]string{"", checkShortlived, checkNetwork}, o.check):
		return o, fmt.Errorf("-check must be %s or %s; it is %q", checkShortlived, checkNetwork, o.check)
	case o.jobs < 1 || o.rounds < 1 || o.checks.rate < 1 || o.checks.bytes < 1:
		return o, errors.New("-jobs, -rounds, -rate and -bytes must be 1 or more")
	case o.interval <= 0 || o.scrape <= 0 || o.checks.seconds <= 0 || o.warmup < 0 || o.checks.linger < 0:
		return o, errors.New("-interval, -scrape and -seconds must be more than 0, -warmup and -linger not less")
	case o.window() < o.interval:
		return o, errors.New("-duration divided by -rounds must not be less than -interval")
	}
	return o, nil
}

// window is how long one part of the measured time takes.
func (o options) window() time.Duration { return o.duration / time.Duration(o.rounds) }

// populations are the numbers of idle processes to measure with, the floor first.
func (o options) populations() []int {
	out := slices.Clone(o.procs)
	if o.floor {
		out = append(out, 0)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// numbers reads a list such as 500,2000.
func numbers(s string) ([]int, error) {
	var out []int
	for word := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is no number of processes", word)
		}
		out = append(out, n)
	}
	return out, nil
}
