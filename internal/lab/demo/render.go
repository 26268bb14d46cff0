package demo

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/event"
)

const (
	columns = 100 // of the terminal
	margin  = 13  // of the text beside a label
)

// renderVerdict writes a verdict as whoever was woken by it wants to read it:
// what, since when, how sure, why, what else it could be, and what to do. The
// usual requests per second are zero if they are not known.
func renderVerdict(v event.Verdict, usualRate float64, where *time.Location) string {
	var b strings.Builder
	b.WriteString(wrapped("VERDICT  "+v.Sentence(), 2))
	row(&b, "since", fmt.Sprintf("%s, %.0f s before this verdict", v.Onset.In(where).Format("15:04:05"), v.At.Sub(v.Onset).Seconds()))
	row(&b, "how sure", sureness(v))
	if v.RequestRate > 0 {
		row(&b, "requests", rates(v.RequestRate, usualRate))
	}
	if v.Cause.Why != "" {
		row(&b, "because", v.Cause.Why)
	}
	for _, backup := range v.Backups {
		row(&b, "backup", describeBackup(backup))
	}
	rows(&b, "for", v.For)
	rows(&b, "against", v.Against)
	if v.Rival.Kind != "" {
		row(&b, "rival", because(v.Rival.Phrase()+", "+percent(v.Rival.Confidence), v.Rival.Why))
	}
	rows(&b, "not seen", v.Missing)
	for i, r := range v.Remedies {
		row(&b, label("remedies", i), because(fmt.Sprintf("%d. %s (%s)", i+1, r.Title, works(r.Works)), r.Why))
		if r.Command != "" {
			fmt.Fprintf(&b, "%*s$ %s\n", margin+3, "", r.Command) // never wrapped, so that it can be copied
		}
	}
	return b.String()
}

func sureness(v event.Verdict) string {
	switch v.State {
	case event.Named:
		return percent(v.Cause.Confidence) + ", sure enough to page somebody"
	case event.Probable:
		return percent(v.Cause.Confidence) + ", likely but not sure"
	case event.Unknown:
		return "not: no explanation stands out"
	default:
		return "not known"
	}
}

// because adds the reason to a claim, if there is one.
func because(claim, why string) string {
	if why == "" {
		return claim
	}
	return claim + ": " + why
}

func describeBackup(b event.Backup) string {
	who := b.Tool
	if b.Workload != "" {
		who += ", " + b.Job()
	}
	return strings.TrimRight(who+": "+strings.ToUpper(b.Finding)+". "+b.Reason, " ")
}

// rates compares requests per second with the usual ones.
func rates(now, usual float64) string {
	text := fmt.Sprintf("%.0f per second", now)
	if usual > 0 {
		text += fmt.Sprintf(", usually %.0f", usual)
	}
	return text
}

func works(answer string) string {
	switch answer {
	case "yes":
		return "works here"
	case "no":
		return "does not work here"
	default:
		return "may work"
	}
}

func percent(p float64) string { return fmt.Sprintf("%.0f %%", 100*p) }

// label is shown beside the first of several rows only.
func label(name string, i int) string {
	if i > 0 {
		return ""
	}
	return name
}

func rows(b *strings.Builder, name string, texts []string) {
	for i, text := range texts {
		row(b, label(name, i), text)
	}
}

// row writes a label and a text beside it.
func row(b *strings.Builder, name, text string) {
	b.WriteString(wrapped(fmt.Sprintf("  %-*s%s", margin-2, name, text), margin))
}

// wrapped breaks a text into lines, all but the first indented.
func wrapped(text string, indent int) string {
	var b strings.Builder
	for len(text) > columns {
		cut := strings.LastIndexByte(text[:columns+1], ' ')
		if cut <= indent {
			break // one word longer than a line
		}
		b.WriteString(strings.TrimRight(text[:cut], " ") + "\n")
		text = strings.Repeat(" ", indent) + strings.TrimLeft(text[cut:], " ")
	}
	b.WriteString(text + "\n")
	return b.String()
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
