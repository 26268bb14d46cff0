package labscore

import (
	"errors"
	"fmt"
	"slices"
)

// The kinds of scenarios.
const (
	guilty   = "guilty"   // a backup is to blame
	innocent = "innocent" // no backup is, or nothing is wrong
)

// nothingWrong is the cause of a run in which nothing was done to the site.
const nothingWrong = "none"

// Run is one run of a scenario, in the form in which `culprit lab run --json`
// prints it. What is null is not known.
type Run struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Truth    struct {
		Kind        string   `json:"kind"`
		Suspect     string   `json:"suspect"`
		Cause       string   `json:"cause"`
		Resource    string   `json:"resource"`    // empty if any is right
		Accomplices []string `json:"accomplices"` // who are as guilty as the suspect
		Innocent    []string `json:"innocent"`    // backups that did no harm
	} `json:"truth"`
	Verdict struct {
		State      string   `json:"state"` // named, probable, unknown or none
		Suspect    string   `json:"suspect"`
		Cause      string   `json:"cause"`
		Confidence *float64 `json:"confidence"`
	} `json:"verdict"`
	// Strongest is the last verdict's strongest suspect that is not "unknown", also
	// if the verdict names no cause; nil if there was no verdict.
	Strongest *struct {
		Suspect    string  `json:"suspect"`
		Cause      string  `json:"cause"`
		Resource   string  `json:"resource"`
		Confidence float64 `json:"confidence"`
	} `json:"strongest"`
	Correct          bool     `json:"correct"`
	BlamedBackup     bool     `json:"blamed_backup"`
	SymptomToVerdict *float64 `json:"symptom_to_verdict_s"`
	P95              struct {
		Before *float64 `json:"before"`
		During *float64 `json:"during"`
	} `json:"p95_ms"`
	Void bool `json:"void"` // the symptom did not appear
}

// Check refuses what is no run.
func (r Run) Check() error {
	switch {
	case r.Scenario == "":
		return errors.New("scenario is missing: a run is a line that culprit lab run --json prints")
	case r.Truth.Kind != guilty && r.Truth.Kind != innocent:
		return fmt.Errorf("truth.kind is %q: it must be %s or %s", r.Truth.Kind, guilty, innocent)
	case r.Verdict.State == "" && !r.Void:
		return errors.New("verdict.state is missing: it must be named, probable, unknown or none")
	case r.Verdict.Confidence != nil && !(*r.Verdict.Confidence >= 0 && *r.Verdict.Confidence <= 1):
		return fmt.Errorf("verdict.confidence is %v: it must be from 0 to 1", *r.Verdict.Confidence)
	case r.Strongest != nil && !(r.Strongest.Confidence >= 0 && r.Strongest.Confidence <= 1):
		return fmt.Errorf("strongest.confidence is %v: it must be from 0 to 1", r.Strongest.Confidence)
	default:
		return nil
	}
}

// sure is whether the verdict names a cause.
func (r Run) sure() bool { return r.Verdict.State == "named" || r.Verdict.State == "probable" }

// abstained is whether the verdict names no cause where there was one.
func (r Run) abstained() bool { return !r.sure() && !r.Correct }

// brier is the square by which what was said of the true cause missed what was: the
// confidence in what is named or, if nothing is, in the strongest suspect, and 1 if
// that is the true cause, else 0. Silence gives the true cause no chance at all, and
// is quite right where nothing was wrong. ok is false if it is not known.
func (r Run) brier() (square float64, ok bool) {
	switch {
	case r.sure() && r.Verdict.Confidence == nil:
		return 0, false
	case r.sure():
		return missed(*r.Verdict.Confidence, r.Correct), true
	case r.Strongest != nil:
		return missed(r.Strongest.Confidence, r.strongestIsRight()), true
	default:
		return float64(one(r.Truth.Cause != nothingWrong)), true
	}
}

func missed(confidence float64, right bool) (square float64) {
	if right {
		return (1 - confidence) * (1 - confidence)
	}
	return confidence * confidence
}

// strongestIsRight is whether the strongest suspect is a true cause, though it was
// not named.
func (r Run) strongestIsRight() bool {
	s, t := r.Strongest, r.Truth
	return s.Cause == t.Cause && (t.Resource == "" || s.Resource == t.Resource) &&
		(t.Suspect == "" || s.Suspect == t.Suspect || slices.Contains(t.Accomplices, s.Suspect))
}
