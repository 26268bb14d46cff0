package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// sink is what a collector under test does with its metrics.
type sink string

const (
	sinkNop        sink = "nop"
	sinkRootcause  sink = "rootcause, nop"
	sinkPrometheus sink = "prometheus"
	sinkFull       sink = "rootcause, prometheus"
	sinkOTLP       sink = "otlp" // to this program
)

func (s sink) processor() bool  { return strings.HasPrefix(string(s), "rootcause") }
func (s sink) prometheus() bool { return strings.HasSuffix(string(s), "prometheus") }

// receiver is what a collector under test reads with.
type receiver struct {
	hostmetrics bool     // its process scraper; else ours
	source      string   // of ours; empty for no setting
	aggregation string   // of ours; empty for no setting
	off, on     []string // metrics to switch off and on
	quiet       bool     // ours without the bytes of sockets
	attributes  []string // resource attributes to switch on
}

// everything is set when all processes are to have series of their own.
func (r receiver) everything() bool { return r.aggregation == aggregationProcess }

// The values of the receiver's settings.
const (
	sourceProcfs        = "procfs"
	sourceEBPF          = "ebpf"
	aggregationProcess  = "process"
	aggregationWorkload = "workload"
)

// ports are where a collector listens, on the loopback interface.
type ports struct {
	prometheus, telemetry, otlp int
}

// settings are all that is in a configuration of the collector.
type settings struct {
	Receiver receiver
	Sink     sink
	Interval time.Duration
	Ports    ports
	Endpoint string // where sinkOTLP sends to
}

// Methods that the template uses.

func (s settings) OurReceiver() bool    { return !s.Receiver.hostmetrics }
func (s settings) Source() string       { return s.Receiver.source }
func (s settings) Aggregation() string  { return s.Receiver.aggregation }
func (s settings) Everything() bool     { return s.Receiver.everything() }
func (s settings) Quiet() bool          { return s.Receiver.quiet }
func (s settings) Off() []string        { return s.Receiver.off }
func (s settings) On() []string         { return s.Receiver.on }
func (s settings) Attributes() []string { return s.Receiver.attributes }
func (s settings) Rootcause() bool      { return s.Sink.processor() }
func (s settings) OTLP() bool           { return s.Sink == sinkOTLP }
func (s settings) Prometheus() int {
	if s.Sink.prometheus() {
		return s.Ports.prometheus
	}
	return 0
}

func (s settings) Telemetry() int { return s.Ports.telemetry }
func (s settings) Listen() int    { return s.Ports.otlp }

// Exporter is the name of the exporter of metrics.
func (s settings) Exporter() string {
	switch {
	case s.Sink == sinkOTLP:
		return "otlp_http"
	case s.Sink.prometheus():
		return "prometheus"
	}
	return "nop"
}

// render writes the configuration as YAML.
func (s settings) render() ([]byte, error) {
	var out bytes.Buffer
	if err := configuration.Execute(&out, s); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return out.Bytes(), nil
}

var configuration = template.Must(template.New("").Parse(`receivers:
{{- if .OurReceiver}}
  procfs:
    collection_interval: {{.Interval}}
    initial_delay: 100ms
{{- with .Source}}
    source: {{.}}
{{- end}}
{{- with .Aggregation}}
    aggregation: {{.}}
{{- end}}
{{- if .Everything}}
    limit: 0
{{- end}}
{{- if .Quiet}}
    network: false
{{- end}}
{{- if .Off}}
    metrics:
{{- range .Off}}
      {{.}}: {enabled: false}
{{- end}}
{{- end}}
{{- else}}
  hostmetrics:
    collection_interval: {{.Interval}}
    initial_delay: 100ms
    scrapers:
      process:
        mute_process_all_errors: true
{{- if .On}}
        metrics:
{{- range .On}}
          {{.}}: {enabled: true}
{{- end}}
{{- end}}
{{- if .Attributes}}
        resource_attributes:
{{- range .Attributes}}
          {{.}}: {enabled: true}
{{- end}}
{{- end}}
{{- end}}
{{- if .Rootcause}}
  otlp:
    protocols:
      http: {endpoint: 127.0.0.1:{{.Listen}}}
processors:
  rootcause: {}
{{- end}}
exporters:
  nop: {}
{{- with .Prometheus}}
  prometheus:
    endpoint: 127.0.0.1:{{.}}
{{- if not $.OurReceiver}}
    resource_to_telemetry_conversion: {enabled: true} # otherwise processes are one series
{{- end}}
{{- end}}
{{- if .OTLP}}
  otlp_http:
    endpoint: {{.Endpoint}}
    compression: none
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
{{- end}}
service:
  telemetry:
    logs: {level: warn}
    metrics:
      level: normal
      readers:
        - pull: {exporter: {prometheus: {host: 127.0.0.1, port: {{.Telemetry}}}}}
  pipelines:
    metrics:
      receivers: [{{if .OurReceiver}}procfs{{else}}hostmetrics{{end}}]
{{- if .Rootcause}}
      processors: [rootcause]
{{- end}}
      exporters: [{{.Exporter}}]
{{- if .Rootcause}}
    logs:
      receivers: [otlp]
      processors: [rootcause]
      exporters: [nop]
{{- end}}
`))

// declaredMetrics reads the names of the metrics of a component from its
// metadata.yaml: the keys right below "metrics:".
func declaredMetrics(text []byte) []string {
	var out []string
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, " \r\n")
		switch {
		case line == "" || strings.HasPrefix(strings.TrimSpace(line), "#"):
		case !strings.HasPrefix(line, " "):
			inside = line == "metrics:"
		case inside && strings.HasPrefix(line, "  ") && line[2] != ' ' && strings.HasSuffix(line, ":"):
			out = append(out, strings.TrimSuffix(line[2:], ":"))
		}
	}
	return out
}
