package otelfact

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otel-culprit/culprit/internal/fact"
)

const (
	maxBody          = 1024 // bytes of a log record
	maxLogsPerSecond = 200  // of event time and kind of evidence; more say no more
	eventMark        = "rootcause.mark"
	eventPrefix      = "rootcause."
	attrMarkName     = "rootcause.mark.name"
	kernel           = "kernel" // source of what the kernel logs
	hearsKernel      = "kernel_log"
)

// logBudget bounds the log facts of a second of event time.
type logBudget struct {
	second  int64
	used    int
	touched time.Time
}

func (b *logBudget) take(at pcommon.Timestamp) bool {
	second := int64(at / 1e9) //nolint:gosec // less than 2^64/1e9
	if second != b.second {
		b.second, b.used = second, 0
	}
	b.used++
	return b.used <= maxLogsPerSecond
}

// Logs gives the facts of one batch of logs: marks, records that are evidence,
// and on which hosts the kernel is heard. Events of this project are never facts,
// so that nothing goes round in circles.
func (d *Decoder) Logs(ld plog.Logs, emit func(fact.Fact)) {
	d.batch++
	for _, rl := range ld.ResourceLogs().All() {
		res := d.resource(rl.Resource().Attributes())
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				d.log(res, record)
			}
		}
	}
	d.emit(emit)
}

func (d *Decoder) log(res *resource, r plog.LogRecord) {
	name := r.EventName()
	isMark := name == eventMark
	if !isMark && strings.HasPrefix(name, eventPrefix) {
		return
	}
	var f fact.Log
	evidence := ""
	if !isMark {
		w := writerOf(r)
		if w.isOurs {
			return
		}
		f = w.log(res)
		if evidence = d.evidence(f); evidence == "" && f.Source != kernel {
			return
		}
	}
	at := r.Timestamp()
	if at == 0 {
		at = r.ObservedTimestamp()
	}
	if at == 0 || at > math.MaxInt64 {
		d.skip(BadTime)
		return
	}
	if isMark {
		d.mark(at, r)
		return
	}
	if f.Source == kernel {
		d.hears(f.Host, at)
	}
	if evidence == "" {
		return
	}
	budget := remember(d, d.logs, evidence)
	if budget == nil {
		return
	}
	budget.touched = d.now
	if !budget.take(at) {
		d.skip(TooManyLogs)
		return
	}
	f.At = at.AsTime()
	d.out = append(d.out, f)
}

// hears says now and then that a host's kernel is heard, so that its silence
// means something.
func (d *Decoder) hears(host string, at pcommon.Timestamp) {
	if host == "" {
		return
	}
	told := remember(d, d.kernels, host)
	if told == nil {
		return
	}
	told.touched = d.now
	if told.due(at, false) {
		d.out = append(d.out, fact.Capability{At: at.AsTime(), Host: host, Name: hearsKernel, Present: true})
	}
}

func (d *Decoder) mark(at pcommon.Timestamp, r plog.LogRecord) {
	name := d.text(r.Attributes(), attrMarkName)
	if name == "" {
		d.skip(MissingAttribute)
		return
	}
	d.out = append(d.out, fact.Mark{At: at.AsTime(), Name: name, Text: legible(r.Body().AsString(), maxBody)})
}

// warns is what is evidence if nobody says what is.
func warns(f fact.Log) string {
	if f.Severity < int(plog.SeverityNumberWarn) {
		return ""
	}
	return "warning"
}

// writer is what a record tells of itself and of who wrote it, whichever way it
// came: as an entry of the systemd journal, by syslog, from a file or by OTLP.
type writer struct {
	severity plog.SeverityNumber
	body     string
	isOurs   bool // an event of this project, whose name a sink kept in an attribute

	transport, identifier, command, file string
	unit, about                          string // that wrote it, and that systemd writes of
	host                                 string
	facility                             string
}

func writerOf(r plog.LogRecord) writer {
	w := writer{severity: r.SeverityNumber()}
	switch body := r.Body(); body.Type() {
	case pcommon.ValueTypeMap:
		w.fields(body.Map())
		if w.body == "" {
			w.body = body.AsString()
		}
	case pcommon.ValueTypeStr:
		w.body = body.Str()
	default:
		w.body = body.AsString()
	}
	w.fields(r.Attributes())
	w.header()
	return w
}

// fields reads what a journal entry, a syslog message or a file reader tells.
func (w *writer) fields(m pcommon.Map) {
	for name, v := range m.All() {
		switch name {
		case "MESSAGE", "message":
			if v.Type() == pcommon.ValueTypeStr && v.Str() != "" {
				w.body = v.Str()
			}
		case "_TRANSPORT", "log.source":
			w.transport = v.Str()
		case "SYSLOG_IDENTIFIER", "appname", "syslog.identifier":
			w.identifier = v.Str()
		case "_COMM", "process.executable.name":
			w.command = v.Str()
		case "_SYSTEMD_UNIT":
			w.unit = v.Str()
		case "UNIT":
			w.about = v.Str()
		case "_HOSTNAME", "hostname":
			w.host = v.Str()
		case "SYSLOG_FACILITY", "facility", "syslog.facility.code":
			w.facility = v.AsString()
		case "PRIORITY":
			if w.severity == plog.SeverityNumberUnspecified {
				w.severity = severityOf(v.AsString())
			}
		case "log.file.name":
			w.file = v.Str()
		case "log.file.path":
			w.file = cmp.Or(w.file, v.Str()[strings.LastIndexByte(v.Str(), '/')+1:])
		case "otel.event.name", "event.name":
			w.isOurs = w.isOurs || strings.HasPrefix(v.Str(), eventPrefix)
		}
	}
}

// severityOf reads a priority of syslog.
func severityOf(priority string) plog.SeverityNumber {
	n, err := strconv.Atoi(priority)
	if err != nil || n < 0 || n > 7 {
		return plog.SeverityNumberUnspecified
	}
	return [...]plog.SeverityNumber{
		plog.SeverityNumberFatal, plog.SeverityNumberFatal, plog.SeverityNumberFatal, plog.SeverityNumberError,
		plog.SeverityNumberWarn, plog.SeverityNumberInfo2, plog.SeverityNumberInfo, plog.SeverityNumberDebug,
	}[n]
}

// header takes the header of a line as syslog writes it to files off the body:
//
//	Nov 21 02:00:01 web1 kernel: [123.456] message
//	2026-11-21T02:00:01.123456+00:00 web1 restic[4711]: message
func (w *writer) header() {
	s := w.body
	switch {
	case len(s) > 16 && s[3] == ' ' && s[6] == ' ' && s[9] == ':' && s[12] == ':' && s[15] == ' ':
		s = s[16:]
	case len(s) > 20 && s[4] == '-' && s[7] == '-' && s[10] == 'T':
		_, s, _ = strings.Cut(s, " ")
	default:
		return
	}
	host, rest, _ := strings.Cut(s, " ")
	tag, message, found := strings.Cut(rest, ": ")
	identifier, _, _ := strings.Cut(tag, "[")
	isLevel := strings.ToUpper(host) == host // such as ERROR, in a log of an application
	if !found || isLevel || identifier == "" || len(identifier) > 64 || strings.ContainsAny(identifier, " \"={") {
		return
	}
	w.body = message
	w.host, w.identifier = cmp.Or(w.host, host), cmp.Or(w.identifier, identifier)
}

// log is the fact but for its time.
func (w *writer) log(res *resource) fact.Log {
	source := cmp.Or(w.identifier, w.command, w.file)
	switch {
	case w.transport == kernel, w.facility == "0" && w.identifier == "", w.file == "kern.log" || w.file == "dmesg":
		source = kernel
	case source == "" && w.transport != "" && w.transport != "journal" && w.transport != "stdout" && w.transport != "syslog":
		source = w.transport
	}
	f := fact.Log{
		Host: cmp.Or(res.host, legible(w.host, maxName)), Service: res.service,
		Source: legible(source, maxName), Unit: legible(cmp.Or(w.about, w.unit), maxName),
		Severity: int(w.severity), Body: plain(w.body),
	}
	if w.transport == "syslog" && f.Source == kernel {
		f.Source = "" // anybody can log under that name
	}
	return f
}

// plain is a body without the colours of terminals.
func plain(body string) string {
	body = body[:min(len(body), 4*maxBody)]
	if strings.IndexByte(body, '\x1b') < 0 {
		return legible(body, maxBody)
	}
	var b strings.Builder
	for len(body) > 0 {
		before, after, found := strings.Cut(body, "\x1b")
		b.WriteString(before)
		if !found {
			break
		}
		if strings.HasPrefix(after, "[") { // parameters, then one letter
			end := strings.IndexFunc(after[1:], func(r rune) bool { return r >= '@' && r <= '~' })
			if end < 0 {
				break
			}
			after = after[end+2:]
		}
		body = after
	}
	return legible(b.String(), maxBody)
}
