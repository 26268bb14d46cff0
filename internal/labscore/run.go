package labscore

import (
	"errors"
	"fmt"
)

// The kinds of scenarios.
const (
	guilty   = "guilty"   // a backup is to blame
	innocent = "innocent" // no backup is, or nothing is wrong
)

// Run is one run of a scenario, in the form in which `culprit lab run --json`
// prints it. What is null is not known.
type Run struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Truth    struct {
		Kind    string `json:"kind"`
		Suspect string `json:"suspect"`
		Cause   string `json:"cause"`
	} `json:"truth"`
	Verdict struct {
		State      string   `json:"state"` // named, probable, unknown or none
		Suspect    string   `json:"suspect"`
		Cause      string   `json:"cause"`
		Confidence *float64 `json:"confidence"`
	} `json:"verdict"`
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
	default:
		return nil
	}
}

// sure is whether the verdict names a cause.
func (r Run) sure() bool { return r.Verdict.State == "named" || r.Verdict.State == "probable" }

// abstained is whether the verdict names no cause where there was one.
func (r Run) abstained() bool { return !r.sure() && !r.Correct }

// firstIsRight is whether the strongest suspect is the true cause, named or not.
func (r Run) firstIsRight() bool {
	if r.sure() {
		return r.Correct
	}
	return r.Verdict.Cause == r.Truth.Cause && (r.Truth.Suspect == "" || r.Verdict.Suspect == r.Truth.Suspect)
}

// brier is the square by which the confidence in the strongest suspect missed what
// it was: 1 if that is the true cause, else 0. ok is false if there was no verdict.
func (r Run) brier() (square float64, ok bool) {
	if r.Verdict.State == "none" || r.Verdict.Confidence == nil {
		return 0, false
	}
	miss := *r.Verdict.Confidence
	if r.firstIsRight() {
		miss = 1 - miss
	}
	return miss * miss, true
}
