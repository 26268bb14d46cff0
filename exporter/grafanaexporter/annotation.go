package grafanaexporter

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/delivery"
	"github.com/otel-culprit/culprit/internal/event"
)

const (
	maxTags = 500  // bytes of all tags as JSON; Grafana refuses more
	maxTag  = 100  // bytes of one tag
	maxID   = 64   // bytes of an event's ID in a tag
	maxLine = 400  // bytes of one line of the text, before escaping
	maxText = 4000 // bytes of the text; Grafana takes megabytes and shows them
)

// note is what an annotation says; all annotations are regions.
type note struct {
	ID    string // the unique tag
	Start time.Time
	End   time.Time // zero while open
	Text  string    // HTML
	Tags  []string  // ID is the first
}

// startEnd is the region in milliseconds since 1970. Grafana swaps an end
// before the start, and makes no region of an end at the start.
func (n note) startEnd(now time.Time) (start, end int64) {
	until := n.End
	if until.IsZero() {
		until = now
	}
	start = n.Start.UnixMilli()
	return start, max(until.UnixMilli(), start+1)
}

// verdictNote says what the verdict says.
func verdictNote(v event.Verdict, extra []string) note {
	n := note{ID: uniqueTag(v.ID), Start: v.Onset}
	if v.Phase == event.Closed {
		n.End = later(v.End, v.Onset)
	}
	var text textBuilder
	text.add(v.Sentence())
	text.add(v.Cause.Why)
	if v.Rival.Kind != "" {
		text.add(fmt.Sprintf("Next best: %s (%.0f %%). %s", v.Rival.Phrase(), 100*v.Rival.Confidence, v.Rival.Why))
	}
	for _, b := range v.Backups {
		text.add(strings.TrimSpace(fmt.Sprintf("Backup %s %s: %s. %s", b.Tool, b.Job(), b.Finding, b.Reason)))
	}
	for _, r := range v.Remedies {
		if r.Works != "no" {
			text.add("To do: " + strings.TrimSuffix(r.Title+": "+r.Command, ": "))
		}
	}
	n.Text = text.String()
	n.Tags = tags(append([]string{n.ID, "rootcause", "verdict"}, extra...),
		pair("service", v.Service), pair("host", v.Host), pair("state", string(v.State)), pair("cause", v.Cause.Kind))
	return n
}

// windowNote says what the window says.
func windowNote(w event.Window, extra []string) note {
	n := note{ID: uniqueTag(w.ID), Start: w.Start}
	if w.Phase == event.Closed {
		n.End = later(w.End, w.Start)
	}
	var text textBuilder
	text.add(w.Sentence())
	n.Text = text.String()
	n.Tags = tags(append([]string{n.ID, "rootcause", "backup"}, extra...),
		pair("host", w.Host), pair("tool", w.Tool))
	return n
}

// later is the end of what began at b and is said to end at a: a clock that went
// back may put the end first.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// uniqueTag is how an annotation is found again. A long ID is replaced by its
// hash, since a cut one would not be unique.
func uniqueTag(id string) string {
	if len(id) > maxID || strings.ToValidUTF8(id, "") != id {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:16])
	}
	return "rc:" + id
}

func pair(key, value string) string {
	if value == "" {
		return ""
	}
	return key + ":" + value
}

// tags joins what there is, and leaves out from the end what Grafana has no
// room for.
func tags(first []string, more ...string) []string {
	var out []string
	for _, tag := range append(first, more...) {
		if tag != "" {
			out = append(out, delivery.Cut(tag, maxTag))
		}
	}
	for len(out) > 1 && jsonLength(out) > maxTags {
		out = out[:len(out)-1]
	}
	return out
}

// textBuilder joins lines into HTML. Names of processes and units are chosen by
// whoever runs them, and Grafana shows the text as HTML: all of it is escaped.
type textBuilder struct{ b strings.Builder }

// add adds a line, if there is room for it.
func (t *textBuilder) add(line string) {
	line = html.EscapeString(delivery.Cut(strings.TrimSpace(line), maxLine))
	if line == "" || t.b.Len()+len("<br>")+len(line) > maxText {
		return
	}
	if t.b.Len() > 0 {
		t.b.WriteString("<br>")
	}
	t.b.WriteString(line)
}

func (t *textBuilder) String() string { return t.b.String() }
