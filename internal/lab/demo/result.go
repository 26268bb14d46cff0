package demo

import (
	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/output"
)

// Result is what the demo came to.
type Result struct {
	Acts []Act `json:"acts"`
}

// Right reports whether both verdicts were true.
func (r Result) Right() bool {
	for _, a := range r.Acts {
		if !a.Right() {
			return false
		}
	}
	return len(r.Acts) == 2
}

// Act is one incident: what was done, and what was said of it.
type Act struct {
	Name           string        `json:"name"`
	Truth          string        `json:"truth"`   // what a right verdict says of the backup
	Verdict        string        `json:"verdict"` // what it said, in the same words
	Cause          string        `json:"cause"`   // kind of the cause, such as "contention"
	Confidence     output.Number `json:"confidence"`
	OnsetToVerdict output.Number `json:"onset_to_verdict_s"` // from the first trouble to the verdict's arrival here
	P95            Percentiles   `json:"p95_ms"`

	trueCause string         // kind
	answered  bool           // a verdict came
	remedies  []event.Remedy // of that verdict
	phases    []phaseStats   // rows of the table
}

// Right reports whether the verdict was true, in the finding on the backup and
// in the kind of the cause.
func (a Act) Right() bool { return a.Verdict == a.Truth && a.Cause == a.trueCause }

// Percentiles are the p95 of the site in milliseconds before the trouble,
// during it, and after what ended it.
type Percentiles struct {
	Before output.Number `json:"before"`
	During output.Number `json:"during"`
	After  output.Number `json:"after"`
}

type phaseStats struct {
	name string
	load.Stats
}

// The words of a finding on the demo's backup.
const (
	truthCharged = "charged:cpu"
	truthCleared = "cleared"
	undecided    = "undecided"
)

// judge says in one word what a verdict finds of the demo's own backup, which
// mine recognises by its window. Other backups may run on the host.
func judge(v event.Verdict, mine func(windowID string) bool) string {
	for _, b := range v.Backups {
		if !mine(b.WindowID) {
			continue
		}
		switch b.Finding {
		case "charged":
			return "charged:" + v.Cause.Resource
		case "cleared":
			return truthCleared
		}
	}
	return undecided
}

// settled reports whether a verdict has made up its mind.
func settled(v event.Verdict, mine func(windowID string) bool) bool {
	return v.State == event.Named && judge(v, mine) != undecided
}
