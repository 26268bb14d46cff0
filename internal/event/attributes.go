package event

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// replacement stands for bytes that are not UTF-8: a command name is whatever
// bytes its process chose, and one bad byte would make a whole OTLP request
// unreadable.
const replacement = "\uFFFD"

// head is what is not an attribute.
type head struct {
	name     string
	at       time.Time
	severity plog.SeverityNumber
	body     string
}

type writer struct{ attrs pcommon.Map }

func newWriter(r plog.LogRecord, h head) writer {
	r.SetEventName(h.name)
	if !h.at.IsZero() {
		r.SetTimestamp(pcommon.NewTimestampFromTime(h.at))
	}
	r.SetSeverityNumber(h.severity)
	r.SetSeverityText(strings.ToUpper(h.severity.String()))
	r.Body().SetStr(strings.ToValidUTF8(h.body, replacement))
	return writer{attrs: r.Attributes()}
}

func (w writer) text(key, value string) {
	if value != "" {
		w.attrs.PutStr(key, strings.ToValidUTF8(value, replacement))
	}
}

func (w writer) number(key string, value float64) {
	if finite(value) && value >= 0 {
		w.attrs.PutDouble(key, value)
	}
}

func (w writer) pid(key string, value int64) {
	if value > 0 {
		w.attrs.PutInt(key, value)
	}
}

func (w writer) moment(key string, value time.Time) {
	if !value.IsZero() {
		w.attrs.PutStr(key, value.UTC().Format(time.RFC3339Nano))
	}
}

func (w writer) texts(key string, values []string) {
	column(w, key, values, func(s string) string { return s })
}

// column writes one field of every row as a slice; there is none for no rows.
func column[T any](w writer, key string, rows []T, field func(T) string) {
	if len(rows) == 0 {
		return
	}
	out := w.attrs.PutEmptySlice(key)
	out.EnsureCapacity(len(rows))
	for _, row := range rows {
		out.AppendEmpty().SetStr(strings.ToValidUTF8(field(row), replacement))
	}
}

// pids writes the PID of every row, zero for none; there is no column if no row
// has one.
func pids[T any](w writer, key string, rows []T, field func(T) int64) {
	if !slices.ContainsFunc(rows, func(row T) bool { return field(row) > 0 }) {
		return
	}
	out := w.attrs.PutEmptySlice(key)
	out.EnsureCapacity(len(rows))
	for _, row := range rows {
		out.AppendEmpty().SetInt(max(field(row), 0))
	}
}

func (w writer) suspects(rows []Suspect) {
	column(w, attrSuspectsKind, rows, func(s Suspect) string { return s.Kind })
	column(w, attrSuspectsResource, rows, func(s Suspect) string { return s.Resource })
	column(w, attrSuspectsWorkload, rows, func(s Suspect) string { return s.Workload })
	column(w, attrSuspectsWhy, rows, func(s Suspect) string { return s.Why })
	pids(w, attrSuspectsPID, rows, func(s Suspect) int64 { return s.PID })
	if len(rows) == 0 {
		return
	}
	confidences := w.attrs.PutEmptySlice(attrSuspectsConfidence)
	for _, s := range rows {
		confidences.AppendEmpty().SetDouble(unit(s.Confidence))
	}
}

func (w writer) backups(rows []Backup) {
	column(w, attrBackupsWindowID, rows, func(b Backup) string { return b.WindowID })
	column(w, attrBackupsTool, rows, func(b Backup) string { return b.Tool })
	column(w, attrBackupsWorkload, rows, func(b Backup) string { return b.Workload })
	pids(w, attrBackupsPID, rows, func(b Backup) int64 { return b.PID })
	column(w, attrBackupsFinding, rows, func(b Backup) string { return b.Finding })
	column(w, attrBackupsReason, rows, func(b Backup) string { return b.Reason })
}

func (w writer) remedies(rows []Remedy) {
	column(w, attrRemediesTitle, rows, func(r Remedy) string { return r.Title })
	column(w, attrRemediesCommand, rows, func(r Remedy) string { return r.Command })
	column(w, attrRemediesWorks, rows, func(r Remedy) string { return r.Works })
	column(w, attrRemediesWhy, rows, func(r Remedy) string { return r.Why })
}

// parser reads attributes and remembers everything that is wrong with them.
type parser struct {
	record   plog.LogRecord
	resource pcommon.Map
	errs     []error
	bad      map[string]bool // attributes already complained of
}

func newParser(r plog.LogRecord, resource pcommon.Resource) *parser {
	return &parser{record: r, resource: resource.Attributes(), bad: map[string]bool{}}
}

func (p *parser) fail(key, problem string) {
	if !p.bad[key] {
		p.bad[key] = true
		p.errs = append(p.errs, fmt.Errorf("attribute %s %s", key, problem))
	}
}

func (p *parser) mustHave(key string, there bool) {
	if !there {
		p.fail(key, "is missing")
	}
}

func (p *parser) err(name string) error {
	if len(p.errs) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", name, errors.Join(p.errs...))
}

func (p *parser) text(key string) string {
	value, ok := p.record.Attributes().Get(key)
	if !ok {
		return ""
	}
	return p.asText(key, value)
}

func (p *parser) required(key string) string {
	s := p.text(key)
	p.mustHave(key, s != "")
	return s
}

// inherited reads from the record, else from its resource.
func (p *parser) inherited(key string) string {
	if s := p.text(key); s != "" {
		return s
	}
	value, ok := p.resource.Get(key)
	if !ok {
		return ""
	}
	return p.asText(key, value)
}

func (p *parser) asText(key string, value pcommon.Value) string {
	if value.Type() != pcommon.ValueTypeStr {
		p.wrongType(key, value, "a string")
		return ""
	}
	return value.Str()
}

func (p *parser) wrongType(key string, value pcommon.Value, want string) {
	p.fail(key, fmt.Sprintf("is of type %s, not %s", value.Type(), want))
}

func (p *parser) integer(key string) int64 {
	value, ok := p.record.Attributes().Get(key)
	if !ok {
		return 0
	}
	return p.asInteger(key, value)
}

// asInteger reads an integer that is not negative; all of ours are such.
func (p *parser) asInteger(key string, value pcommon.Value) int64 {
	if value.Type() != pcommon.ValueTypeInt {
		p.wrongType(key, value, "an integer")
		return 0
	}
	if value.Int() < 0 {
		p.fail(key, fmt.Sprintf("is %d, which is negative", value.Int()))
		return 0
	}
	return value.Int()
}

// number reads a finite number that is not negative; all of ours are such.
func (p *parser) number(key string) float64 {
	value, ok := p.record.Attributes().Get(key)
	if !ok {
		return 0
	}
	return p.asNumber(key, value)
}

func (p *parser) asNumber(key string, value pcommon.Value) float64 {
	var x float64
	switch value.Type() {
	case pcommon.ValueTypeDouble:
		x = value.Double()
	case pcommon.ValueTypeInt: // JSON writes 1 for 1.0
		x = float64(value.Int())
	default:
		p.wrongType(key, value, "a number")
		return 0
	}
	if !finite(x) || x < 0 {
		p.fail(key, fmt.Sprintf("is %v, not a finite number from 0 up", x))
		return 0
	}
	return x
}

func (p *parser) confidence(key string) float64 {
	return p.atMostOne(key, p.number(key))
}

func (p *parser) atMostOne(key string, x float64) float64 {
	if x > 1 {
		p.fail(key, fmt.Sprintf("is %v, not a number from 0 to 1", x))
		return 0
	}
	return x
}

func (p *parser) moment(key string) time.Time {
	s := p.text(key)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		p.fail(key, fmt.Sprintf("is %.64q, not an RFC 3339 time", s))
		return time.Time{}
	}
	return t.UTC()
}

func (p *parser) slice(key string) (pcommon.Slice, bool) {
	value, ok := p.record.Attributes().Get(key)
	if !ok {
		return pcommon.Slice{}, false
	}
	if value.Type() != pcommon.ValueTypeSlice {
		p.wrongType(key, value, "a list")
		return pcommon.Slice{}, false
	}
	return value.Slice(), value.Slice().Len() > 0
}

func (p *parser) texts(key string) []string {
	values, ok := p.slice(key)
	if !ok {
		return nil
	}
	out := make([]string, values.Len())
	for i := range out {
		out[i] = p.asText(key, values.At(i))
	}
	return out
}

// columnTexts reads a column of a list whose first column has n values; a
// column that is not there is empty in every row.
func (p *parser) columnTexts(key string, n int) []string {
	values := p.texts(key)
	if len(values) == n {
		return values
	}
	if len(values) != 0 {
		p.wrongLength(key, len(values), n)
	}
	return make([]string, n)
}

func (p *parser) columnNumbers(key string, n int) []float64 {
	out := make([]float64, n)
	values, ok := p.slice(key)
	if !ok {
		return out
	}
	if values.Len() != n {
		p.wrongLength(key, values.Len(), n)
		return out
	}
	for i := range out {
		out[i] = p.atMostOne(key, p.asNumber(key, values.At(i)))
	}
	return out
}

func (p *parser) columnIntegers(key string, n int) []int64 {
	out := make([]int64, n)
	values, ok := p.slice(key)
	if !ok {
		return out
	}
	if values.Len() != n {
		p.wrongLength(key, values.Len(), n)
		return out
	}
	for i := range out {
		out[i] = p.asInteger(key, values.At(i))
	}
	return out
}

func (p *parser) wrongLength(key string, got, want int) {
	p.fail(key, fmt.Sprintf("has %d values where its list has %d", got, want))
}

func (p *parser) suspects() []Suspect {
	kinds := p.texts(attrSuspectsKind)
	n := len(kinds)
	resources := p.columnTexts(attrSuspectsResource, n)
	workloads := p.columnTexts(attrSuspectsWorkload, n)
	processes := p.columnIntegers(attrSuspectsPID, n)
	confidences := p.columnNumbers(attrSuspectsConfidence, n)
	whys := p.columnTexts(attrSuspectsWhy, n)
	var out []Suspect
	for i := range kinds {
		out = append(out, Suspect{kinds[i], resources[i], workloads[i], processes[i], confidences[i], whys[i]})
	}
	return out
}

func (p *parser) together() []Job {
	names := p.texts(attrTogetherName)
	processes := p.columnIntegers(attrTogetherPID, len(names))
	var out []Job
	for i := range names {
		out = append(out, Job{names[i], processes[i]})
	}
	return out
}

func (p *parser) backups() []Backup {
	ids := p.texts(attrBackupsWindowID)
	n := len(ids)
	tools := p.columnTexts(attrBackupsTool, n)
	workloads := p.columnTexts(attrBackupsWorkload, n)
	processes := p.columnIntegers(attrBackupsPID, n)
	findings := p.columnTexts(attrBackupsFinding, n)
	reasons := p.columnTexts(attrBackupsReason, n)
	var out []Backup
	for i := range ids {
		out = append(out, Backup{ids[i], tools[i], workloads[i], processes[i], findings[i], reasons[i]})
	}
	return out
}

func (p *parser) remedies() []Remedy {
	titles := p.texts(attrRemediesTitle)
	n := len(titles)
	commands := p.columnTexts(attrRemediesCommand, n)
	works := p.columnTexts(attrRemediesWorks, n)
	whys := p.columnTexts(attrRemediesWhy, n)
	var out []Remedy
	for i := range titles {
		out = append(out, Remedy{titles[i], commands[i], works[i], whys[i]})
	}
	return out
}

// unit brings a confidence into 0..1; what is not a number becomes 0.
func unit(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return min(max(x, 0), 1)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
