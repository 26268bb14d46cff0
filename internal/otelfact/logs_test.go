package otelfact

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otel-culprit/culprit/internal/fact"
)

func TestWhoWroteALogRecord(t *testing.T) {
	const failed = "I/O error, dev sda, sector 8"
	kernels := fact.Log{Host: "web1", Source: "kernel", Body: failed}
	tests := map[string]struct {
		resource, attrs, fields attrs // fields of a body that is a map
		body                    string
		want                    fact.Log
	}{
		"journal of the kernel": {
			web1, nil,
			attrs{"MESSAGE": failed, "_TRANSPORT": "kernel", "SYSLOG_IDENTIFIER": "kernel", "PRIORITY": "3"},
			"",
			fact.Log{Host: "web1", Source: "kernel", Severity: 17, Body: failed},
		},
		"journal in attributes": {
			nil,
			attrs{"_TRANSPORT": "kernel", "_HOSTNAME": "web1", "PRIORITY": "4"},
			nil, failed,
			fact.Log{Host: "web1", Source: "kernel", Severity: 13, Body: failed},
		},
		"journal of a unit": {
			web1, nil,
			attrs{"MESSAGE": failed, "_TRANSPORT": "stdout", "SYSLOG_IDENTIFIER": "shop", "_COMM": "sh", "_SYSTEMD_UNIT": "shop.service"},
			"",
			fact.Log{Host: "web1", Source: "shop", Unit: "shop.service", Body: failed},
		},
		"systemd of a unit": {
			web1, nil,
			attrs{"MESSAGE": "Started The shop.", "SYSLOG_IDENTIFIER": "systemd", "UNIT": "shop.service", "_SYSTEMD_UNIT": "init.scope"},
			"",
			fact.Log{Host: "web1", Source: "systemd", Unit: "shop.service", Body: "Started The shop."},
		},
		"one who claims to be the kernel": {
			web1, nil,
			attrs{"MESSAGE": failed, "_TRANSPORT": "syslog", "SYSLOG_IDENTIFIER": "kernel", "_SYSTEMD_UNIT": "session-3.scope"},
			"",
			fact.Log{Host: "web1", Unit: "session-3.scope", Body: failed},
		},
		"file of the kernel":         {web1, attrs{"log.file.path": "/var/log/kern.log"}, nil, "Nov 21 02:00:01 web1 kernel: " + failed, kernels},
		"file with short day":        {nil, attrs{"log.file.name": "messages"}, nil, "Nov  1 02:00:01 web1 kernel: " + failed, kernels},
		"file with RFC 3339":         {nil, nil, nil, "2026-11-21T02:00:01.123456+00:00 web1 kernel: " + failed, kernels},
		"dmesg":                      {web1, attrs{"log.file.name": "dmesg"}, nil, "[ 12.345678] " + failed, fact.Log{Host: "web1", Source: "kernel", Body: "[ 12.345678] " + failed}},
		"file of a backup":           {web1, attrs{"log.file.name": "syslog"}, nil, "Nov 21 02:00:01 web1 restic[4711]: done", fact.Log{Host: "web1", Source: "restic", Body: "done"}},
		"file of an application":     {web1, attrs{"log.file.path": "/srv/shop/app.log"}, nil, failed, fact.Log{Host: "web1", Source: "app.log", Body: failed}},
		"syslog receiver, kernel":    {nil, attrs{"appname": "kernel", "facility": 0, "hostname": "web1", "message": failed}, nil, "<3>Nov 21 02:00:01 web1 kernel: " + failed, kernels},
		"syslog receiver, untagged":  {nil, attrs{"facility": 0, "hostname": "web1", "message": failed}, nil, "<3>...", kernels},
		"syslog receiver, a program": {nil, attrs{"appname": "shop", "facility": 1, "hostname": "web1", "message": failed}, nil, "<11>...", fact.Log{Host: "web1", Source: "shop", Body: failed}},
		"OTLP of a service":          {shop, nil, nil, failed, fact.Log{Host: "web1", Service: "shop", Body: failed}},
		"a source in an attribute":   {web1, attrs{"log.source": "kernel"}, nil, failed, kernels},
		"nothing told":               {web1, nil, nil, failed, fact.Log{Host: "web1", Body: failed}},
		"colours":                    {shop, nil, nil, "\x1b[1;31m" + failed + "\x1b[0m", fact.Log{Host: "web1", Service: "shop", Body: failed}},
		"a colour that does not end": {shop, nil, nil, "a\x1b[31", fact.Log{Host: "web1", Service: "shop", Body: "a"}},
		"an access log": {
			shop, nil, nil, `203.0.113.7 - - [21/Nov/2026:02:00:01 +0000] "GET /a: HTTP/1.1" 200 5`,
			fact.Log{Host: "web1", Service: "shop", Body: `203.0.113.7 - - [21/Nov/2026:02:00:01 +0000] "GET /a: HTTP/1.1" 200 5`},
		},
		"a level is no host": {nil, nil, nil, "2026-11-21T02:00:01Z ERROR main: slow", fact.Log{Body: "2026-11-21T02:00:01Z ERROR main: slow"}},
		"a time and no tag":  {shop, nil, nil, "2026-11-21T02:00:01Z INFO got {a: b}", fact.Log{Host: "web1", Service: "shop", Body: "2026-11-21T02:00:01Z INFO got {a: b}"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := NewDecoder(Options{Evidence: func(fact.Log) string { return "all" }})
			ld := plog.NewLogs()
			rl := ld.ResourceLogs().AppendEmpty()
			put(rl.Resource().Attributes(), tt.resource)
			r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
			r.SetTimestamp(stamp(10))
			put(r.Attributes(), tt.attrs)
			r.Body().SetStr(tt.body)
			if tt.fields != nil {
				put(r.Body().SetEmptyMap(), tt.fields)
			}
			facts := only[fact.Log](logsOf(d, ld))
			require.Len(t, facts, 1)
			tt.want.At = second(10)
			require.Equal(t, tt.want, facts[0])
		})
	}
}

func TestTheKernelIsHeard(t *testing.T) {
	d := NewDecoder(Options{Evidence: func(fact.Log) string { return "" }})
	quiet := func(at float64) []fact.Fact {
		return logsOf(d, record(func(r plog.LogRecord) {
			r.SetTimestamp(stamp(at))
			r.Attributes().PutStr("_TRANSPORT", "kernel")
			r.Body().SetStr("eth0: link becomes ready")
		}))
	}
	heard := func(at float64) []fact.Fact {
		return []fact.Fact{fact.Capability{At: second(at), Host: "web1", Name: "kernel_log", Present: true}}
	}
	require.Equal(t, heard(10), quiet(10))
	require.Empty(t, quiet(30), "it is repeated once a minute")
	require.Equal(t, heard(71), quiet(71))
	require.Empty(t, logsOf(d, record(func(r plog.LogRecord) { r.Body().SetStr("hello") })), "this may be anybody")
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "\x1b", "\x1b[", "\x1b[31mred\x1b[0m", "\xff\x1b[\xff", strings.Repeat("\x1b[1m", 2000), "é\x1b(B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := plain(s)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, len(got), maxBody)
		require.NotContains(t, got, "\x1b")
	})
}

// BenchmarkLogs is of records that are no evidence, as nearly all are.
func BenchmarkLogs(b *testing.B) {
	d := NewDecoder(Options{Evidence: func(f fact.Log) string {
		if strings.Contains(f.Body, "I/O error") {
			return "disk"
		}
		return ""
	}})
	const records = 1000
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	put(rl.Resource().Attributes(), shop)
	list := rl.ScopeLogs().AppendEmpty().LogRecords()
	for range records {
		r := list.AppendEmpty()
		r.SetTimestamp(stamp(10))
		r.Body().SetStr(`203.0.113.7 - - [21/Nov/2026:02:00:01 +0000] "GET /cart?item=4711 HTTP/1.1" 200 5120 "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64)"`)
		put(r.Attributes(), attrs{"log.file.name": "access.log", "log.iostream": "stdout"})
	}
	b.ReportAllocs()
	for b.Loop() {
		d.Logs(ld, func(f fact.Fact) { b.Fatal(f) })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
}
