package demo

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/output"
)

// renderVerdict writes a verdict as whoever was woken by it wants to read it:
// what, since when, how sure, why, what else it could be, and what to do. The
// usual requests per second are zero if they are not known.
func renderVerdict(v event.Verdict, usualRate float64, where *time.Location) string {
	var b strings.Builder
	b.WriteString(output.Wrapped("VERDICT  "+v.Sentence(), 2))
	output.Row(&b, "since", fmt.Sprintf("%s, %.0f s before this verdict", v.Onset.In(where).Format("15:04:05"), v.At.Sub(v.Onset).Seconds()))
	output.Row(&b, "how sure", sureness(v))
	if v.RequestRate > 0 {
		output.Row(&b, "requests", rates(v.RequestRate, usualRate))
	}
	if v.Cause.Why != "" {
		output.Row(&b, "because", v.Cause.Why)
	}
	for _, backup := range v.Backups {
		output.Row(&b, "backup", output.Finding(backup))
	}
	output.Rows(&b, "for", v.For)
	output.Rows(&b, "against", v.Against)
	if v.Rival.Kind != "" {
		output.Row(&b, "rival", output.Because(v.Rival.Phrase()+", "+output.Percent(v.Rival.Confidence), v.Rival.Why))
	}
	output.Rows(&b, "not seen", v.Missing)
	for i, r := range v.Remedies {
		output.Remedy(&b, output.Label("remedies", i), fmt.Sprintf("%d. ", i+1), r)
	}
	return b.String()
}

func sureness(v event.Verdict) string {
	switch v.State {
	case event.Named:
		return output.Percent(v.Cause.Confidence) + ", sure enough to page somebody"
	case event.Probable:
		return output.Percent(v.Cause.Confidence) + ", likely but not sure"
	case event.Unknown:
		return "not: no explanation stands out"
	default:
		return "not known"
	}
}

// rates compares requests per second with the usual ones.
func rates(now, usual float64) string {
	text := fmt.Sprintf("%.0f per second", now)
	if usual > 0 {
		text += fmt.Sprintf(", usually %.0f", usual)
	}
	return text
}

// renderPhases writes how the site did in each phase.
func renderPhases(phases []phaseStats) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %-34s %10s %9s %9s %11s\n", "", "requests/s", "p50 ms", "p95 ms", "unfinished")
	for _, p := range phases {
		fmt.Fprintf(&b, "  %-34s %10.0f %9s %9s %11d\n", p.name, p.Rate, milliseconds(p.P50), milliseconds(p.P95), p.Unfinished)
	}
	return b.String()
}

// renderSummary is the last the demo says.
func renderSummary(r Result) string {
	var b strings.Builder
	b.WriteString("SUMMARY\n")
	for _, a := range r.Acts {
		fmt.Fprintf(&b, "  %-16s p95 %s ms before, %s ms during, %s ms after; verdict after %s s\n", a.Name,
			milliseconds(float64(a.P95.Before)), milliseconds(float64(a.P95.During)), milliseconds(float64(a.P95.After)),
			milliseconds(float64(a.OnsetToVerdict)))
		b.WriteString(renderScore(a) + "\n")
	}
	return b.String()
}

// milliseconds writes a number with a decimal below ten only.
func milliseconds(ms float64) string {
	switch {
	case math.IsNaN(ms):
		return "-"
	case ms < 10:
		return fmt.Sprintf("%.1f", ms)
	default:
		return fmt.Sprintf("%.0f", ms)
	}
}

// renderScore compares a verdict with what was done.
func renderScore(a Act) string {
	score := "WRONG"
	if a.Right() {
		score = "RIGHT"
	}
	verdict := a.Verdict + " (" + a.Cause + ")"
	if !a.answered {
		verdict = "none came"
	}
	return fmt.Sprintf("  truth: %s (%s)   verdict: %s   %s", a.Truth, a.trueCause, verdict, score)
}
