package alertmanagerexporter

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/delivery"
	"github.com/otel-culprit/culprit/internal/event"
)

// Alertmanager has no limits of its own: it takes a label of a megabyte and
// shows it to everybody.
const (
	maxLabel      = 200  // bytes of a label's value
	maxAnnotation = 4096 // bytes of an annotation
	maxSentence   = 400  // bytes of one line of it
	maxLines      = 10   // lines of one list in it
)

// alertName is the name of all our alerts; what differs is the cause label.
const alertName = "RootCause"

// ownLabels are the labels that a verdict becomes. They are the alert's
// identity: whatever moves from one update to the next, such as latencies,
// confidences or PIDs, must stay out. If one of them does change, since another
// cause is named or a cause becomes surer, the exporter resolves the alert with
// the old ones and fires another.
var ownLabels = []string{
	"alertname", "service", "host", "cause", "resource", "workload", "backup_tool", "severity",
}

// linkMargin is how much of the time before the onset a dashboard link shows.
const linkMargin = 30 * time.Minute

// alert is what an open verdict says, without the times that depend on now.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Generator   string            `json:"generator,omitempty"`
	StartsAt    time.Time         `json:"starts_at"`
}

// identity is the same for alerts that Alertmanager takes for the same.
func (a alert) identity() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		b.WriteString(name)
		b.WriteByte(0)
		b.WriteString(a.Labels[name])
		b.WriteByte(0)
	}
	return b.String()
}

// sureEnough tells whether verdicts of the state become alerts.
func sureEnough(state, least event.State) bool {
	order := []event.State{event.Unknown, event.Probable, event.Named}
	return slices.Index(order, state) >= slices.Index(order, least)
}

// news is an event of a verdict and what it means here.
type news struct {
	verdict event.Verdict
	alert   alert
	wanted  bool // it is sure enough to be an alert
}

// newNews reads the event. A clock that went back during the verdict makes it
// end before its onset; then it ends at the onset.
func newNews(c *Config, v event.Verdict) news {
	if v.Phase == event.Closed && v.End.Before(v.Onset) {
		v.End = v.Onset
	}
	return news{verdict: v, alert: newAlert(c, v), wanted: sureEnough(v.State, c.MinState)}
}

// newAlert says what the verdict says.
func newAlert(c *Config, v event.Verdict) alert {
	labels := make(map[string]string, len(ownLabels)+len(c.Labels))
	maps.Copy(labels, c.Labels)
	put(labels, "alertname", alertName, maxLabel)
	put(labels, "service", v.Service, maxLabel)
	put(labels, "host", v.Host, maxLabel)
	put(labels, "cause", v.Cause.Kind, maxLabel)
	put(labels, "resource", v.Cause.Resource, maxLabel)
	put(labels, "workload", v.Cause.Workload, maxLabel)
	put(labels, "backup_tool", chargedTool(v), maxLabel)
	put(labels, "severity", severity(v.State), maxLabel)

	annotations := map[string]string{}
	put(annotations, "summary", v.Sentence(), maxSentence)
	put(annotations, "description", description(v), maxAnnotation)
	put(annotations, "remedy", remedy(v.Remedies), maxAnnotation)
	put(annotations, "confidence", strconv.FormatFloat(v.Cause.Confidence, 'f', 2, 64), maxSentence)
	put(annotations, "state", string(v.State), maxSentence)
	put(annotations, "verdict_id", v.ID, maxSentence)
	put(annotations, "runbook_url", runbook(c.RunbookURL, v.Cause.Kind), maxAnnotation)
	link := dashboard(c.DashboardURL, v)
	put(annotations, "dashboard", link, maxAnnotation)
	return alert{Labels: labels, Annotations: annotations, Generator: link, StartsAt: v.Onset.UTC()}
}

// put sets what is not empty: Alertmanager would remove an empty label, and
// the identity we know would not be the one it knows.
func put(m map[string]string, key, value string, limit int) {
	if value = delivery.Cut(value, limit); value != "" {
		m[key] = value
	}
}

func severity(state event.State) string {
	switch state {
	case event.Named:
		return "critical"
	case event.Probable:
		return "warning"
	case event.Unknown:
		return "info"
	default:
		return "info"
	}
}

// chargedTool is the backup tool that is the cause, if one is.
func chargedTool(v event.Verdict) string {
	for _, b := range v.Backups {
		sameJob := b.PID == v.Cause.PID || b.PID == 0 || v.Cause.PID == 0
		if b.Finding == "charged" && b.Workload == v.Cause.Workload && sameJob {
			return b.Tool
		}
	}
	return ""
}

func description(v event.Verdict) string {
	var lines []string
	if v.Cause.Why != "" {
		lines = append(lines, line(v.Cause.Why))
	}
	lines = append(lines, list("Evidence for it:", v.For)...)
	lines = append(lines, list("Evidence against it:", v.Against)...)
	if v.Rival.Kind != "" {
		lines = append(lines, line(fmt.Sprintf("Next best explanation: %s (%.0f %%). %s",
			v.Rival.Phrase(), 100*v.Rival.Confidence, v.Rival.Why)))
	}
	var backups []string
	for _, b := range v.Backups {
		backups = append(backups, strings.TrimSpace(fmt.Sprintf("%s %s: %s. %s", b.Tool, b.Job(), b.Finding, b.Reason)))
	}
	lines = append(lines, list("Backups that ran:", backups)...)
	lines = append(lines, list("Not seen:", v.Missing)...)
	return strings.Join(lines, "\n")
}

func remedy(remedies []event.Remedy) string {
	var lines []string
	for _, r := range remedies {
		text := r.Title
		if r.Command != "" {
			text += ": " + r.Command
		}
		switch r.Works {
		case "yes":
			text += " (works on this host)"
		case "no":
			text += " (does not work on this host)"
		}
		if r.Why != "" {
			text += " - " + r.Why
		}
		lines = append(lines, text)
	}
	return strings.Join(bounded(lines), "\n")
}

func list(title string, items []string) []string {
	if len(items) == 0 {
		return nil
	}
	lines := []string{title}
	for _, item := range bounded(items) {
		lines = append(lines, "- "+item)
	}
	return lines
}

func bounded(items []string) []string {
	var lines []string
	for i, item := range items {
		if i == maxLines {
			return append(lines, fmt.Sprintf("(%d more)", len(items)-i))
		}
		lines = append(lines, line(item))
	}
	return lines
}

func line(s string) string {
	return delivery.Cut(strings.TrimSpace(s), maxSentence)
}

// runbook is the page's section on the kind of cause.
func runbook(base, kind string) string {
	u, err := url.Parse(base)
	if base == "" || err != nil {
		return ""
	}
	if u.Fragment == "" {
		u.Fragment = kind
	}
	return u.String()
}

// dashboard is the dashboard at the time and for the service of the verdict.
func dashboard(base string, v event.Verdict) string {
	u, err := url.Parse(base)
	if base == "" || err != nil {
		return ""
	}
	query := u.Query()
	query.Set("var-service", delivery.Cut(v.Service, maxLabel))
	if v.Host != "" {
		query.Set("var-host", delivery.Cut(v.Host, maxLabel))
	}
	query.Set("from", strconv.FormatInt(v.Onset.Add(-linkMargin).UnixMilli(), 10))
	if v.Phase == event.Closed {
		query.Set("to", strconv.FormatInt(v.End.Add(linkMargin).UnixMilli(), 10))
	}
	u.RawQuery = query.Encode()
	return u.String()
}
