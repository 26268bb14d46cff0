package otelfact

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxName bounds a name in a fact, in bytes; nothing that is legible is longer.
const maxName = 1024

// legible gives valid UTF-8 of at most limit bytes.
func legible(s string, limit int) string {
	if len(s) <= limit && utf8.ValidString(s) {
		return s
	}
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "?")
}

// text gives an attribute that must be a string.
func (d *Decoder) text(attrs pcommon.Map, name string) string {
	v, found := attrs.Get(name)
	if !found {
		return ""
	}
	if v.Type() != pcommon.ValueTypeStr {
		d.skip(WrongType)
		return ""
	}
	return legible(v.Str(), maxName)
}

// either gives the attribute under its name or under an older one.
func (d *Decoder) either(attrs pcommon.Map, name, older string) string {
	if s := d.text(attrs, name); s != "" {
		return s
	}
	return d.text(attrs, older)
}

// milliseconds reads a time such as 2026-11-21T07:41:00.120Z.
func milliseconds(s string) (int64, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UnixMilli(), err == nil
}

// attribute is one attribute for a key.
type attribute struct {
	name  string
	value pcommon.Value
}

// identity appends a form of attributes that is equal for equal attributes in
// any order, and for no others.
func (d *Decoder) identity(key []byte, attrs pcommon.Map) []byte {
	d.sorted = d.sorted[:0]
	for name, value := range attrs.All() {
		d.sorted = append(d.sorted, attribute{name, value})
	}
	slices.SortFunc(d.sorted, func(a, b attribute) int { return cmp.Compare(a.name, b.name) })
	for _, a := range d.sorted {
		key = strconv.AppendQuote(key, a.name)
		switch a.value.Type() {
		case pcommon.ValueTypeInt:
			key = strconv.AppendInt(append(key, ':'), a.value.Int(), 10)
		case pcommon.ValueTypeStr:
			key = strconv.AppendQuote(append(key, '='), a.value.Str())
		default:
			key = strconv.AppendQuote(append(key, '~'), a.value.AsString())
		}
	}
	return append(key, 0)
}

// resource is who sent a part of the data.
type resource struct {
	attrs   pcommon.Map
	host    string
	service string
	key     string // identity, made when first needed
}

func (d *Decoder) resource(attrs pcommon.Map) *resource {
	return &resource{attrs: attrs, host: d.text(attrs, "host.name"), service: d.text(attrs, "service.name")}
}

// identity is the key of a resource.
func (r *resource) identity(d *Decoder) string {
	if r.key == "" {
		d.key = d.identity(d.key[:0], r.attrs)
		r.key = string(d.key)
	}
	return r.key
}
