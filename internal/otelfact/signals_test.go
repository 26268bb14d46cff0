package otelfact

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otel-culprit/culprit/internal/fact"
)

// spans has server spans that end at the seconds given and took 0.5 s.
func spans(resource attrs, ends ...float64) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	put(rs.Resource().Attributes(), resource)
	ss := rs.ScopeSpans().AppendEmpty()
	for _, end := range ends {
		span := ss.Spans().AppendEmpty()
		span.SetKind(ptrace.SpanKindServer)
		span.SetStartTimestamp(stamp(end - 0.5))
		span.SetEndTimestamp(stamp(end))
	}
	return td
}

func TestSpans(t *testing.T) {
	d := NewDecoder(Options{})
	half := func(n float64) fact.Bucket { return fact.Bucket{Low: 0.47880164035, High: 0.5, Count: n} }
	check := func(facts []fact.Fact, at float64, over time.Duration, count, errors float64) {
		t.Helper()
		require.Len(t, facts, 1)
		f, ok := facts[0].(fact.Latency)
		require.True(t, ok)
		require.Len(t, f.Buckets, 1)
		require.InDelta(t, half(count).Low, f.Buckets[0].Low, 1e-6)
		require.InDelta(t, half(count).High, f.Buckets[0].High, 1e-6)
		require.InDelta(t, count, f.Buckets[0].Count, 0)
		f.Buckets = nil
		requireFacts(t, fact.Latency{
			At: second(at), Over: over, Service: "shop", Host: "web1", Signal: "spans", Count: count, Errors: errors,
		}, f)
	}
	require.Empty(t, tracesOf(d, spans(shop, 10, 10.25)), "less than a second")
	failed := spans(shop, 11, 10.75)
	failed.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Status().SetCode(ptrace.StatusCodeError)
	check(tracesOf(d, failed), 11, time.Second, 4, 1)
	check(tracesOf(d, spans(shop, 13.5)), 13.5, 2500*time.Millisecond, 1, 0)

	require.Empty(t, tracesOf(d, spans(shop, 13.75)))
	var rest collector
	d.Advance(second(20), rest.emit)
	require.Empty(t, rest, "more may come")
	d.Advance(second(21), rest.emit)
	check(rest, 13.75, time.Second, 1, 0)
	rest = nil
	d.Advance(second(22), rest.emit)
	require.Empty(t, rest, "silence of spans means nothing: they may be sampled")

	require.Empty(t, tracesOf(d, spans(shop, 500)), "after a long gap an interval begins anew")
	check(tracesOf(d, spans(shop, 501.5)), 501.5, 1500*time.Millisecond, 2, 0)
	require.Nil(t, d.TakeSkipped())
}

func TestSpansThatAreSkipped(t *testing.T) {
	d := NewDecoder(Options{})
	inner := spans(shop, 1, 9)
	for _, s := range inner.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		s.SetKind(ptrace.SpanKindInternal)
	}
	require.Empty(t, tracesOf(d, inner))
	require.Nil(t, d.TakeSkipped())
	require.Empty(t, tracesOf(d, spans(web1, 1, 9)))
	require.Equal(t, map[Reason]int64{MissingAttribute: 2}, d.TakeSkipped())
	unfinished := spans(shop, 9)
	unfinished.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetEndTimestamp(0)
	require.Empty(t, tracesOf(d, unfinished))
	require.Equal(t, map[Reason]int64{BadTime: 1}, d.TakeSkipped())
}

// traced has spans of a kind, one for each set of attributes, that end at a second
// and took 0.5 s.
func traced(kind ptrace.SpanKind, at float64, each ...attrs) ptrace.Traces {
	td := spans(shop, slices.Repeat([]float64{at}, len(each))...)
	for i, s := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		s.SetKind(kind)
		put(s.Attributes(), each[i])
	}
	return td
}

func TestRoutes(t *testing.T) {
	d := NewDecoder(Options{})
	cart, pay := attrs{"http.route": "/cart", "http.request.method": "GET"}, attrs{"http.route": "/pay", "http.request.method": "POST", "error.type": "500"}
	told := func(facts []fact.Fact) map[string]float64 {
		got := map[string]float64{}
		for _, f := range only[fact.Latency](facts) {
			got[f.Signal] = f.Count
		}
		return got
	}
	tracesOf(d, traced(ptrace.SpanKindServer, 10, cart))
	require.Equal(t, map[string]float64{"spans": 2}, told(tracesOf(d, traced(ptrace.SpanKindServer, 11, cart))), "one route is the sum")
	facts := tracesOf(d, traced(ptrace.SpanKindServer, 12, cart, pay, pay, attrs{"url.path": "/secret/4711"}))
	require.Equal(t, map[string]float64{"spans": 4, "spans GET /cart": 1, "spans POST /pay": 2}, told(facts), "a path is no route")
	require.Equal(t, "spans", facts[0].(fact.Latency).Signal, "the sum comes first")
	require.InDelta(t, 2, facts[2].(fact.Latency).Errors, 0)

	var many []attrs
	for i := range 30 {
		many = append(many, attrs{"rpc.service": "Shop", "rpc.method": strconv.Itoa(i)})
	}
	got := told(tracesOf(d, traced(ptrace.SpanKindServer, 13, many...)))
	require.Len(t, got, 1+maxRoutes-2+1, "the sum, the room that is left, and the rest")
	require.InDelta(t, 30-(maxRoutes-2), got["spans others"], 0)
	require.InDelta(t, 1, got["spans Shop/0"], 0)

	d.Advance(second(20), func(fact.Fact) {})
	tracesOf(d, traced(ptrace.SpanKindServer, 15, cart))
	d.Advance(second(20).Add(2*forgetAfter), func(fact.Fact) {})
	tracesOf(d, traced(ptrace.SpanKindServer, 20, cart))
	require.Contains(t, told(tracesOf(d, traced(ptrace.SpanKindServer, 22, cart, pay))), "spans POST /pay", "routes that fell silent make room")
}

func TestCalls(t *testing.T) {
	d := NewDecoder(Options{})
	facts := tracesOf(d, traced(ptrace.SpanKindClient, 10,
		attrs{"peer.service": "payments", "server.address": "10.0.0.5"},
		attrs{"peer.service": "payments", "server.address": "10.0.0.5", "http.response.status_code": 503},
		attrs{"db.system.name": "postgresql", "server.address": "localhost"},
		attrs{"server.address": "web1"},
		attrs{"db.system": "redis"},
		attrs{"http.request.method": "GET"},
	))
	require.Empty(t, facts, "less than a second")
	facts = tracesOf(d, traced(ptrace.SpanKindClient, 11, attrs{"peer.service": "payments"}))
	calls := func(peer string, local bool, count, errors float64) fact.Fact {
		return fact.Calls{At: second(11), Over: time.Second, Service: "shop", Host: "web1", Peer: peer, Local: local, Count: count, Errors: errors, Time: 0.5 * count}
	}
	requireFacts(t, []fact.Fact{
		calls("payments", false, 3, 1), calls("postgresql on localhost", true, 1, 0), calls("redis", false, 1, 0), calls("web1", true, 1, 0),
	}, facts)
	require.Nil(t, d.TakeSkipped())

	var many []attrs
	for i := range 30 {
		many = append(many, attrs{"peer.service": strconv.Itoa(i)})
	}
	sum := 0.0
	told := only[fact.Calls](tracesOf(d, traced(ptrace.SpanKindClient, 13, many...)))
	for _, f := range told {
		sum += f.Count
	}
	require.LessOrEqual(t, len(told), maxPeers+1)
	require.InDelta(t, 30, sum, 0)
}

func record(fill func(r plog.LogRecord)) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	put(rl.Resource().Attributes(), shop)
	r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetTimestamp(stamp(10))
	fill(r)
	return ld
}

func TestLogs(t *testing.T) {
	log := func(severity int, body string) fact.Fact {
		return fact.Log{At: second(10), Host: "web1", Service: "shop", Severity: severity, Body: body}
	}
	tests := map[string]struct {
		fill func(r plog.LogRecord)
		want fact.Fact
	}{
		"information": {func(r plog.LogRecord) { r.SetSeverityNumber(plog.SeverityNumberInfo); r.Body().SetStr("hello") }, nil},
		"warning": {
			func(r plog.LogRecord) { r.SetSeverityNumber(plog.SeverityNumberWarn); r.Body().SetStr("slow") }, log(13, "slow"),
		},
		"of the journal": {
			func(r plog.LogRecord) {
				r.Body().SetEmptyMap().PutStr("MESSAGE", "slow")
				r.Body().Map().PutStr("PRIORITY", "3")
			},
			log(17, "slow"),
		},
		"with fields": {
			func(r plog.LogRecord) {
				r.SetSeverityNumber(plog.SeverityNumberError)
				r.Body().SetEmptyMap().PutInt("code", 7)
			},
			log(17, `{"code":7}`),
		},
		"observed only": {
			func(r plog.LogRecord) {
				r.SetTimestamp(0)
				r.SetObservedTimestamp(stamp(10))
				r.SetSeverityNumber(plog.SeverityNumberError)
				r.Body().SetStr("x")
			},
			log(17, "x"),
		},
		"own event": {
			func(r plog.LogRecord) {
				r.SetEventName("rootcause.verdict")
				r.SetSeverityNumber(plog.SeverityNumberError)
				r.Body().SetStr("I/O error")
			}, nil,
		},
		"own event under another key": {
			func(r plog.LogRecord) {
				r.Attributes().PutStr("otel.event.name", "rootcause.verdict")
				r.SetSeverityNumber(plog.SeverityNumberError)
			}, nil,
		},
		"mark": {
			func(r plog.LogRecord) {
				r.SetEventName("rootcause.mark")
				r.Attributes().PutStr("rootcause.mark.name", "deploy")
				r.Body().SetStr("shop 1.2")
			},
			fact.Mark{At: second(10), Name: "deploy", Text: "shop 1.2"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := NewDecoder(Options{})
			facts := logsOf(d, record(tt.fill))
			if tt.want == nil {
				require.Empty(t, facts)
			} else {
				requireFacts(t, []fact.Fact{tt.want}, facts)
			}
			require.Nil(t, d.TakeSkipped())
		})
	}
}

func TestLogsThatAreSkipped(t *testing.T) {
	d := NewDecoder(Options{})
	require.Empty(t, logsOf(d, record(func(r plog.LogRecord) { r.SetEventName("rootcause.mark") })))
	require.Equal(t, map[Reason]int64{MissingAttribute: 1}, d.TakeSkipped())
	require.Empty(t, logsOf(d, record(func(r plog.LogRecord) { r.SetSeverityNumber(plog.SeverityNumberFatal); r.SetTimestamp(0) })))
	require.Equal(t, map[Reason]int64{BadTime: 1}, d.TakeSkipped())
}

func TestLogFlood(t *testing.T) {
	d := NewDecoder(Options{Evidence: func(f fact.Log) string { return f.Body }})
	flood := func(body string) int {
		n := 0
		for range 1000 {
			n += len(logsOf(d, record(func(r plog.LogRecord) { r.Body().SetStr(body) })))
		}
		return n
	}
	require.Equal(t, maxLogsPerSecond, flood("retrying"))
	require.Equal(t, maxLogsPerSecond, flood("Buffer I/O error"), "one kind of evidence is heard through the noise of another")
	require.Zero(t, flood(""))
	require.Equal(t, map[Reason]int64{TooManyLogs: 2 * (1000 - maxLogsPerSecond)}, d.TakeSkipped())
}

func TestLegible(t *testing.T) {
	for in, want := range map[string]string{
		"":                "",
		"short":           "short",
		"0123456789":      "01234567",
		"0123456é":        "0123456",
		"012345é9":        "012345é",
		"\xff\xfe":        "?",
		"éééé\xff":        "éééé",
		"a\xffb\xffc\xff": "a?b?c?",
	} {
		got := legible(in, 8)
		require.Equal(t, want, got)
		require.True(t, utf8.ValidString(got))
	}
	require.Len(t, legible(strings.Repeat("é", 1000), maxBody), maxBody)
}
