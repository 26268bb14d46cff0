package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subject is a collector under test.
type subject struct {
	name    string
	metrics string // what it reads and where that goes
	version string
	skipped string // why it cannot run here; empty if it can
	plan    func() (plan, error)
}

// plan is how to run a subject once.
type plan struct {
	argv      []string
	scrape    string // URL of a Prometheus endpoint to read; empty for none
	onScrape  bool   // it reads the processes when it is scraped
	telemetry string // URL with its own telemetry; empty for none
	source    string // which our receiver has to use; empty for any
	marker    string // in one line of its output for each scrape; empty for none
}

// bench is where subjects find what they need.
type bench struct {
	options
	dir string // for configurations
}

// subjects are all collectors under test, those that cannot run here with the
// reason.
func (b *bench) subjects(ctx context.Context) []subject {
	out := b.ours()
	out = append(out, b.hostmetrics()...)
	for i := range out {
		b.prepareOurs(ctx, &out[i])
	}
	out = append(out, b.processExporter(ctx), b.appsPlugin(ctx), b.pidstat(ctx))
	return slices.DeleteFunc(out, func(s subject) bool { return !b.only.MatchString(s.name) })
}

// hostmetricsDefault are the metrics that the process scraper of the host
// metrics receiver has without settings; ours measure the same under these names.
var hostmetricsDefault = []string{"process.cpu.time", "process.disk.io", "process.memory.usage", "process.memory.virtual"}

// hostmetricsMatching are those that have to be switched on to have what ours has.
var hostmetricsMatching = []string{"process.context_switches", "process.paging.faults", "process.threads", "process.uptime"}

// ours are the settings of our receiver that are compared.
func (b *bench) ours() []subject {
	alike := receiver{source: sourceProcfs, aggregation: aggregationProcess, quiet: true, off: b.others()}
	rows := []struct {
		name  string
		reads string
		in    receiver
		sinks []sink
	}{
		{name: "culprit-default", reads: "as shipped", sinks: []sink{sinkFull, sinkNop}},
		{name: "culprit-procfs-workload", reads: "workloads", in: receiver{source: sourceProcfs, aggregation: aggregationWorkload}, sinks: []sink{sinkFull, sinkRootcause, sinkNop}},
		{name: "culprit-ebpf-workload", reads: "workloads", in: receiver{source: sourceEBPF, aggregation: aggregationWorkload}, sinks: []sink{sinkFull, sinkRootcause, sinkNop}},
		{name: "culprit-procfs-process", reads: "each process", in: receiver{source: sourceProcfs, aggregation: aggregationProcess}, sinks: []sink{sinkFull, sinkNop}},
		{name: "culprit-ebpf-process", reads: "each process", in: receiver{source: sourceEBPF, aggregation: aggregationProcess}, sinks: []sink{sinkFull, sinkNop}},
		{name: "culprit-procfs-process-hostmetrics-default", reads: "each process, 4 metrics", in: alike, sinks: []sink{sinkPrometheus, sinkNop}},
	}
	var out []subject
	for _, row := range rows {
		for i, s := range row.sinks {
			name := row.name
			if i > 0 {
				name += "-" + strings.ReplaceAll(string(s), ", ", "-")
			}
			out = append(out, b.otel(name, row.reads, row.in, s))
		}
	}
	return out
}

// hostmetrics are the settings of the host metrics receiver that are compared.
func (b *bench) hostmetrics() []subject {
	standard := receiver{hostmetrics: true}
	matching := receiver{hostmetrics: true, on: hostmetricsMatching, attributes: []string{"process.cgroup"}}
	return []subject{
		b.otel("hostmetrics-default-nop", "each process, 4 metrics", standard, sinkNop),
		b.otel("hostmetrics-default", "each process, 4 metrics", standard, sinkPrometheus),
		b.otel("hostmetrics-matching-nop", "each process, 8 metrics", matching, sinkNop),
		b.otel("hostmetrics-matching", "each process, 8 metrics", matching, sinkPrometheus),
	}
}

// others are the metrics of our receiver that are not in hostmetricsDefault.
// None if the project's files are not there: then validation tells.
func (b *bench) others() []string {
	text, err := os.ReadFile(filepath.Join(b.root, "receiver/procfsreceiver/metadata.yaml"))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(declaredMetrics(text), func(name string) bool {
		return slices.Contains(hostmetricsDefault, name)
	})
}

// otel is our distribution with one receiver and one sink.
func (b *bench) otel(name, reads string, in receiver, out sink) subject {
	return subject{name: name, metrics: reads + " → " + string(out), plan: func() (plan, error) {
		return b.otelPlan(name, settings{Receiver: in, Sink: out, Interval: b.interval})
	}}
}

// otelPlan writes a configuration with ports that are free now.
func (b *bench) otelPlan(name string, s settings) (plan, error) {
	var err error
	if s.Ports, err = freePorts(); err != nil {
		return plan{}, err
	}
	text, err := s.render()
	if err != nil {
		return plan{}, err
	}
	file := filepath.Join(b.dir, name+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return plan{}, err
	}
	p := plan{argv: []string{b.binary, "--config", file}, telemetry: page(s.Ports.telemetry), source: s.Receiver.source}
	if port := s.Prometheus(); port != 0 {
		p.scrape = page(port)
	}
	return p, nil
}

func page(port int) string { return fmt.Sprintf("http://127.0.0.1:%d/metrics", port) }

// freePorts asks the kernel for ports that nobody listens on.
func freePorts() (ports, error) {
	var n [3]int
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
		if err != nil {
			return ports{}, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // only now, or the next one is the same
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return ports{}, fmt.Errorf("find a free port: %s", l.Addr())
		}
		n[i] = addr.Port
	}
	return ports{prometheus: n[0], telemetry: n[1], otlp: n[2]}, nil
}

// prepareOurs finds out whether our distribution accepts a configuration.
func (b *bench) prepareOurs(ctx context.Context, s *subject) {
	if !b.only.MatchString(s.name) {
		return
	}
	if _, err := os.Stat(b.binary); err != nil {
		s.skipped = b.binary + " is not built"
		return
	}
	p, err := s.plan()
	if err != nil {
		s.skipped = err.Error()
		return
	}
	if s.skipped = b.refusal(ctx, p.argv[2]); s.skipped != "" {
		return
	}
	text, err := output(ctx, b.binary, "--version")
	if err != nil {
		s.skipped = err.Error()
	}
	s.version = versionIn(text)
	if strings.HasPrefix(s.name, "hostmetrics") {
		s.version = componentVersion(readText(filepath.Join(b.root, "builder-config.yaml")), "hostmetricsreceiver")
	}
}

// componentVersion is the version of a component in a builder's configuration.
func componentVersion(config, name string) string {
	for line := range strings.Lines(config) {
		if _, version, ok := strings.Cut(line, "/"+name+" v"); ok {
			return strings.TrimSpace(version)
		}
	}
	return ""
}

// refusal is why our distribution does not take a configuration; empty if it does.
func (b *bench) refusal(ctx context.Context, file string) string {
	text, err := output(ctx, b.binary, "validate", "--config", file)
	switch {
	case err == nil:
		return ""
	case text == "":
		text = err.Error()
	}
	return "refused: " + oneLine(text)
}

var versions = regexp.MustCompile(`\d+\.\d+[\w.+-]*`)

// versionIn is the first version number in what a program says of itself.
func versionIn(text string) string { return strings.TrimRight(versions.FindString(text), ".-+") }

// oneLine makes a short line of what a program said. Its end is kept: that is
// where the cause of an error is.
func oneLine(text string) string {
	const most = 110
	words := []rune(strings.Join(strings.Fields(text), " "))
	if len(words) > most {
		return "…" + string(words[len(words)-most:])
	}
	return string(words)
}

// wholeSeconds is what programs want that know nothing shorter.
func (b *bench) wholeSeconds() string {
	return strconv.Itoa(max(1, int(b.interval.Round(time.Second)/time.Second)))
}
