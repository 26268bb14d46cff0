package output

import (
	"fmt"
	"strings"

	"github.com/otel-culprit/culprit/internal/event"
)

const (
	columns = 100 // of the terminal
	margin  = 13  // of the text beside a label
)

// Row writes a label and a text beside it.
func Row(b *strings.Builder, name, text string) {
	b.WriteString(Wrapped(fmt.Sprintf("  %-*s%s", margin-2, name, text), margin))
}

// Rows writes a label and texts beside it, each in a row.
func Rows(b *strings.Builder, name string, texts []string) {
	for i, text := range texts {
		Row(b, Label(name, i), text)
	}
}

// Label is shown beside the first of several rows only.
func Label(name string, i int) string {
	if i > 0 {
		return ""
	}
	return name
}

// Remedy writes one, whether it can work here, and its command, which is never
// wrapped, so that it can be copied.
func Remedy(b *strings.Builder, name, number string, r event.Remedy) {
	Row(b, name, Because(fmt.Sprintf("%s%s (%s)", number, r.Title, works(r.Works)), r.Why))
	if r.Command != "" {
		fmt.Fprintf(b, "%*s$ %s\n", margin+len(number), "", r.Command)
	}
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

// Finding says what was found on a backup.
func Finding(b event.Backup) string {
	who := b.Tool
	if b.Workload != "" {
		who += ", " + b.Job()
	}
	return strings.TrimRight(who+": "+strings.ToUpper(b.Finding)+". "+b.Reason, " ")
}

// Because adds the reason to a claim, if there is one.
func Because(claim, why string) string {
	if why == "" {
		return claim
	}
	return claim + ": " + why
}

// Percent writes a share.
func Percent(p float64) string { return fmt.Sprintf("%.0f %%", 100*p) }

// Wrapped breaks a text into lines, all but the first indented.
func Wrapped(text string, indent int) string {
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
