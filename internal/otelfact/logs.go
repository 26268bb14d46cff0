package otelfact

import (
	"math"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otel-culprit/culprit/internal/fact"
)

const (
	maxBody           = 1024 // bytes of a log record
	maxLogsPerSecond  = 200  // of event time; more are noise
	eventMark         = "rootcause.mark"
	eventPrefix       = "rootcause."
	attrMarkName      = "rootcause.mark.name"
	systemdBodyText   = "MESSAGE"
	kernelTextsLength = 4096 // bytes of a body that are searched
)

// kernelTexts are parts of what Linux says when storage, memory or a link is in
// trouble; such a record is evidence whatever its severity, because collectors of
// kernel logs often set none.
var kernelTexts = []string{
	"I/O error", "blk_update_request", "medium error", "Medium Error", "exception Emask", "failed command:", "nvme nvme", "EXT4-fs error",
	"XFS (", "BTRFS error", "BTRFS warning", "blocked for more than", "Out of memory", "oom-kill", "Link is Down",
	"NETDEV WATCHDOG", "md/raid", "No space left on device", "nfs: server", "rejecting I/O", "soft lockup", "hard resetting link",
}

// logBudget bounds the log facts of a second of event time.
type logBudget struct {
	second int64
	used   int
}

func (b *logBudget) take(at pcommon.Timestamp) bool {
	second := int64(at / 1e9) //nolint:gosec // less than 2^64/1e9
	if second != b.second {
		*b = logBudget{second: second}
	}
	b.used++
	return b.used <= maxLogsPerSecond
}

// Logs gives the facts of one batch of logs: marks, and records that may be
// evidence because they warn or because the kernel tells of trouble. Events of
// this project are never facts, so that nothing goes round in circles.
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
	isKernel := false
	if !isMark && r.SeverityNumber() < plog.SeverityNumberWarn {
		if isKernel = isKernelText(bodyText(r.Body())); !isKernel {
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
	if isOwnEvent(r.Attributes()) {
		return
	}
	body := bodyText(r.Body())
	if body == "" {
		body = r.Body().AsString()
	}
	budget := &d.logs[0]
	if !isKernel && !isKernelText(body) {
		budget = &d.logs[1]
	}
	if !budget.take(at) {
		d.skip(TooManyLogs)
		return
	}
	d.out = append(d.out, fact.Log{
		At: at.AsTime(), Host: res.host, Service: res.service, Severity: int(r.SeverityNumber()), Body: legible(body, maxBody),
	})
}

func (d *Decoder) mark(at pcommon.Timestamp, r plog.LogRecord) {
	name := d.text(r.Attributes(), attrMarkName)
	if name == "" {
		d.skip(MissingAttribute)
		return
	}
	d.out = append(d.out, fact.Mark{At: at.AsTime(), Name: name, Text: legible(r.Body().AsString(), maxBody)})
}

// isOwnEvent recognises our events when a sink kept their name in an attribute.
func isOwnEvent(attrs pcommon.Map) bool {
	for _, name := range []string{"otel.event.name", "event.name"} {
		if v, found := attrs.Get(name); found && strings.HasPrefix(v.Str(), eventPrefix) {
			return true
		}
	}
	return false
}

// bodyText gives the text of a body that is text, or of a systemd journal entry;
// empty for others.
func bodyText(body pcommon.Value) string {
	if body.Type() != pcommon.ValueTypeMap {
		return body.Str()
	}
	if v, found := body.Map().Get(systemdBodyText); found {
		return v.Str()
	}
	return ""
}

func isKernelText(body string) bool {
	body = body[:min(len(body), kernelTextsLength)]
	for _, text := range kernelTexts {
		if strings.Contains(body, text) {
			return true
		}
	}
	return false
}
