//go:generate mdatagen metadata.yaml

// Package rootcauseprocessor watches the metrics, traces and logs that pass
// through it, tells the engine of internal/rootcause what it saw, and emits what
// the engine finds: events into its logs pipelines, gauges into its metrics
// pipelines. All instances of one component ID share one engine.
//
// Guaranteed: data passes through unchanged and is never held up by the engine,
// the journal or an exporter of events; every queue is bounded, and what it drops
// is counted; what the engine found before a logs pipeline shuts down is emitted
// into that pipeline first. Not guaranteed: that an event is delivered which the
// pipeline refuses; retries and queues are the exporters' work.
package rootcauseprocessor
