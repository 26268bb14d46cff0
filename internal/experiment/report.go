package experiment

import (
	"fmt"
	"strings"
)

// State says how an experiment ended.
type State string

// The states.
const (
	Done        State = "done"
	Aborted     State = "aborted"     // the site became too slow
	OutOfTime   State = "out_of_time" // its time was over
	Interrupted State = "interrupted" // by the user
	Failed      State = "failed"      // the plain backup, or what prepares a block or cleans up after it
)

// Report is all that an experiment came to. It is encoded as JSON as it is.
type Report struct {
	Web      string    `json:"web"`
	Command  []string  `json:"command"`
	Rate     float64   `json:"rate"` // requests per second that were sent
	Live     bool      `json:"live"` // others sent requests, too
	Seed     uint64    `json:"seed"`
	Repeats  int       `json:"repeats"`          // by which the remedy is chosen; later ones confirm it
	Device   string    `json:"device,omitempty"` // below the backup's data
	State    State     `json:"state"`
	Stopped  string    `json:"stopped,omitempty"` // why it is not done
	Decision Decision  `json:"decision"`
	Arms     []Arm     `json:"arms"`
	Missing  []Missing `json:"left_out"`
	Blocks   []Block   `json:"blocks"`
	// Restless is the number of blocks before which the site did not become calm.
	Restless int `json:"restless"`
	// Broke is how the backup failed with the chosen remedy in a confirming round.
	Broke string   `json:"broke,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

// Sum fills in what follows from the blocks: the arms that were measured, from
// the remedies that were tried with what to type for each, and the decision.
func (r Report) Sum(remedies []Remedy, recipes map[string]Recipe) Report {
	choosing, rounds := split(r.Blocks, r.Repeats)
	r.Decision = Decide(r.arms(choosing, remedies, recipes))
	r.Arms = r.arms(r.Blocks, remedies, recipes)
	switch unrest := r.unrest(); {
	case r.Decision.Remedy != "" && r.Broke != "":
		r.Decision = r.Decision.broken()
	case r.Decision.Remedy != "":
		r.Decision = r.confirmed(r.Decision.Remedy, rounds)
	case r.Decision.Hypothesis == None && unrest != "":
		plain, _ := find(r.Arms, Without)
		r.Decision = Decision{
			Hypothesis: Undecided, Why: "it is not sure whether a remedy is needed",
			Reasons: []string{slowed(plain) + ", but the site is slow without a backup, too: " + unrest},
		}
	}
	if r.State != Done {
		r.Decision.Reasons = append(r.Decision.Reasons, "the experiment is not complete: "+r.Stopped)
	}
	r.Notes = append(r.Notes, r.cares()...)
	return r
}

// arms sums up those of some blocks.
func (r Report) arms(blocks []Block, remedies []Remedy, recipes map[string]Recipe) []Arm {
	baseline, plain := Estimate(Baseline, blocks), Estimate(Without, blocks)
	baseline.Title, plain.Title, plain.Command = "no backup", "the backup as it is", ShellLine(r.Command)
	arms := []Arm{baseline, plain}
	for _, remedy := range remedies {
		a := Estimate(remedy.ID, blocks)
		if a.Blocks > 0 {
			a.Title, a.Class, a.Yields, a.Recipe = remedy.Title, remedy.Class, remedy.Yields, recipes[remedy.ID]
			arms = append(arms, a)
		}
	}
	return arms
}

// Recommended is the arm to take; ok is false if there is none.
func (r Report) Recommended() (a Arm, ok bool) {
	if r.Decision.Remedy == "" {
		return Arm{}, false
	}
	return find(r.Arms, r.Decision.Remedy)
}

// Text is the report for a person at a terminal.
func (r Report) Text() string {
	var b strings.Builder
	b.WriteString(aligned(r.table()))
	if ranges := r.Ranges(); ranges != "" {
		fmt.Fprintf(&b, "%s\n", ranges)
	}
	if len(r.Missing) > 0 {
		b.WriteString("\nNot tried:\n")
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "  %s: %s.\n", Label(m.ID), m.Why)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\nCAREFUL  %s.\n", n)
	}
	fmt.Fprintf(&b, "\nHYPOTHESIS  %s\n", r.Decision.Hypothesis.Phrase())
	for _, reason := range r.Decision.Reasons {
		fmt.Fprintf(&b, "  - %s.\n", reason)
	}
	a, ok := r.Recommended()
	if !ok {
		fmt.Fprintf(&b, "\nREMEDY  none\n  %s.\n", r.Decision.Why)
		return b.String()
	}
	fmt.Fprintf(&b, "\nREMEDY  %s\n  $ %s\n", a.Title, a.Command)
	fmt.Fprintf(&b, "  %s.\n", r.Decision.Why)
	if a.Undo == "" {
		b.WriteString("  Nothing is to be undone: it holds for this one run.\n")
	} else {
		fmt.Fprintf(&b, "  To undo what stays of it, in the same terminal:\n  $ %s\n", a.Undo)
	}
	return b.String()
}

// table is a row for each arm.
func (r Report) table() [][]string {
	rows := [][]string{{"", "p50 ms", "p95 ms", "p99 ms", "p95, times the baseline", "backup's time"}}
	for _, a := range r.Arms {
		if a.Blocks == 0 {
			continue
		}
		over, slowdown := a.OverBaseline.P95.Told(), a.Slowdown.Told()
		switch a.ID {
		case Baseline:
			over, slowdown = "the baseline", ""
		case Without:
			slowdown = "1"
		default:
			if a.Stalled() {
				slowdown = "hardly moves"
			}
		}
		rows = append(rows, []string{mark(a, r) + a.Label(), Figure(a.P50), Figure(a.P95), Figure(a.P99), over, slowdown})
	}
	return rows
}

// aligned writes rows in columns, to the right but for the first.
func aligned(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, cells := range rows {
		padded := []string{fmt.Sprintf("%-*s", widths[0], cells[0])}
		for i, cell := range cells[1:] {
			padded = append(padded, fmt.Sprintf("%*s", widths[i+1], cell))
		}
		b.WriteString(strings.TrimRight(strings.Join(padded, "  "), " ") + "\n")
	}
	return b.String()
}

// mark points at the arm to take.
func mark(a Arm, r Report) string {
	if a.ID == r.Decision.Remedy {
		return "> "
	}
	return "  "
}

// Phrase is the hypothesis as a sentence.
func (h Hypothesis) Phrase() string {
	switch h {
	case ByCPU:
		return "cpu: the backup takes CPU time that the site needs"
	case ByDisk:
		return "disk: the backup keeps the disk busy that the site needs"
	case ByNetwork:
		return "network: the backup fills the link that the site needs"
	case None:
		return "none: the backup does not slow the site"
	default:
		return "undecided"
	}
}

// ShellLine quotes a command line for a shell.
func ShellLine(argv []string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%"
	words := make([]string, len(argv))
	for i, arg := range argv {
		words[i] = arg
		if arg == "" || strings.Trim(arg, safe) != "" {
			words[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
