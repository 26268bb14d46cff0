package main

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// counter adds a point of a cumulative sum.
func counter(md pmetric.Metrics, name string, value int64, attributes map[string]any) {
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	p := m.SetEmptySum().DataPoints().AppendEmpty()
	p.SetIntValue(value)
	if err := p.Attributes().FromRaw(attributes); err != nil {
		panic(err)
	}
}

func sent(t *testing.T, endpoint string, md pmetric.Metrics) int {
	t.Helper()
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	require.NoError(t, err)
	return posted(t, endpoint, body)
}

func posted(t *testing.T, endpoint string, body []byte) int {
	t.Helper()
	resp, err := http.Post(endpoint+"/v1/metrics", "application/x-protobuf", bytes.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestLedgerCreditsTheWorkloadBeforeTheProcess(t *testing.T) {
	l := &ledger{}
	endpoint, stop, err := l.serve()
	require.NoError(t, err)
	defer stop()

	md := pmetric.NewMetrics()
	counter(md, metricProcessDisk, 10, map[string]any{attributePID: int64(7), attributeDisk: "read", "process.executable.name": "a"})
	counter(md, metricProcessDisk, 99, map[string]any{attributePID: int64(8), attributeDisk: "read"})
	counter(md, metricProcessDisk, 55, map[string]any{attributePID: int64(7), attributeDisk: "write"})
	require.Equal(t, http.StatusOK, sent(t, endpoint, md))

	lookups := of(7, metricWorkloadDisk, metricProcessDisk, attributeDisk, "read")
	got := compare(l, "bytes read", 20, lookups)
	require.Equal(t, share{What: "bytes read", Truth: 20, Credited: new(10.0), Share: new(0.5), Metric: metricProcessDisk}, got)

	md = pmetric.NewMetrics()
	counter(md, metricWorkloadDisk, 19, map[string]any{attributeWorkloadPID: int64(7), attributeDisk: "read"})
	counter(md, metricWorkloadDisk, 0, map[string]any{attributeWorkloadPID: int64(7), attributeDisk: "write"})
	require.Equal(t, http.StatusOK, sent(t, endpoint, md))
	md = pmetric.NewMetrics()
	counter(md, metricWorkloadDisk, 18, map[string]any{attributeWorkloadPID: int64(7), attributeDisk: "read"})
	require.Equal(t, http.StatusOK, sent(t, endpoint, md))

	got = compare(l, "bytes read", 20, lookups)
	require.Equal(t, share{What: "bytes read", Truth: 20, Credited: new(19.0), Share: new(0.95), Metric: metricWorkloadDisk}, got)
	require.Equal(t, 3, l.count())

	got = compare(l, "nothing used", 0, of(7, metricWorkloadDisk, metricProcessDisk, attributeDisk, "write"))
	require.Equal(t, new(0.0), got.Credited)
	require.Nil(t, got.Share, "a share of nothing is no number")

	got = compare(l, "unknown", 20, of(9, metricWorkloadDisk, metricProcessDisk))
	require.Equal(t, share{What: "unknown", Truth: 20}, got)
}

func TestLedgerRefusesWhatIsNoOTLP(t *testing.T) {
	l := &ledger{}
	endpoint, stop, err := l.serve()
	require.NoError(t, err)
	defer stop()
	require.Equal(t, http.StatusBadRequest, posted(t, endpoint, []byte{0xff, 0xff, 0xff}))
	require.Zero(t, l.count())
}
