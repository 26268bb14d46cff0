package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// ledger keeps the largest value of each series that a collector sent.
type ledger struct {
	mu      sync.Mutex
	series  map[string]*series
	batches int
}

type series struct {
	metric     string
	attributes map[string]string
	value      float64
}

// observe takes the points of sums and gauges.
func (l *ledger) observe(md pmetric.Metrics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches++
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				l.observeMetric(m)
			}
		}
	}
}

func (l *ledger) observeMetric(m pmetric.Metric) {
	var points pmetric.NumberDataPointSlice
	switch m.Type() {
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	case pmetric.MetricTypeEmpty, pmetric.MetricTypeHistogram, pmetric.MetricTypeExponentialHistogram, pmetric.MetricTypeSummary:
		return
	}
	for _, p := range points.All() {
		value := p.DoubleValue()
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			value = float64(p.IntValue())
		}
		attributes := texts(p.Attributes())
		key := identity(m.Name(), attributes)
		if l.series == nil {
			l.series = make(map[string]*series)
		}
		s, ok := l.series[key]
		if !ok {
			s = &series{metric: m.Name(), attributes: attributes}
			l.series[key] = s
		}
		s.value = max(s.value, value)
	}
}

func texts(m pcommon.Map) map[string]string {
	out := make(map[string]string, m.Len())
	for k, v := range m.All() {
		out[k] = v.AsString()
	}
	return out
}

func identity(metric string, attributes map[string]string) string {
	var b strings.Builder
	b.WriteString(metric)
	for _, k := range slices.Sorted(maps.Keys(attributes)) {
		fmt.Fprintf(&b, "\x00%s\x00%s", k, attributes[k])
	}
	return b.String()
}

// sum adds the series of a metric that have all these attributes; not ok if
// there are none.
func (l *ledger) sum(metric string, where map[string]string) (total float64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.series {
		if s.metric == metric && holds(s.attributes, where) {
			total += s.value
			ok = true
		}
	}
	return total, ok
}

func holds(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.batches
}

// ServeHTTP takes metrics as OTLP in its binary form.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const most = 256 << 20
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	req := pmetricotlp.NewExportRequest()
	if err = req.UnmarshalProto(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.observe(req.Metrics())
	answer, err := pmetricotlp.NewExportResponse().MarshalProto()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer) // the collector logs what it misses
}

// serve listens for a collector on the loopback interface until stop is called.
func (l *ledger) serve() (endpoint string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: l, ReadHeaderTimeout: patience}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until it is closed
	}()
	return "http://" + listener.Addr().String(), func() { _ = server.Close(); <-done }, nil
}

// await waits until the collector sent so many batches.
func (l *ledger) await(ctx context.Context, batches int, c *child) error {
	for end := time.Now().Add(30 * time.Second); l.count() < batches; {
		if err := c.ended(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("the collector sent nothing; it said: %s", c.words)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
