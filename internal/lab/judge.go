package lab

import (
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/scenario"
)

// visible is how many times as slow as before a site must be for a symptom.
const visible = 2

// Run is what came of one run of a scenario.
type Run struct {
	Scenario string     `json:"scenario"`
	Seed     uint64     `json:"seed"`
	Truth    RunTruth   `json:"truth"`
	Verdict  RunVerdict `json:"verdict"`
	// Correct is whether the last verdict was right; if nothing was wrong, or the
	// symptom of what was did not appear, whether nothing was said to be.
	Correct bool `json:"correct"`
	// BlamedBackup is whether any verdict, also one that was taken back, named or
	// charged a backup that did no harm.
	BlamedBackup bool `json:"blamed_backup"`
	// SymptomToVerdict is from when visitors waited twice as long as before to the
	// verdict that stayed; null if there was no symptom or no verdict.
	SymptomToVerdict Number `json:"symptom_to_verdict_s"`
	P95              RunP95 `json:"p95_ms"`
	// Void is whether the harm of a guilty scenario did not show: the run proves
	// nothing and must not be counted.
	Void     bool   `json:"void"`
	Service  string `json:"service"`
	Onset    Number `json:"onset_unix"`
	Duration Number `json:"duration_s"` // of the whole run
}

// RunTruth is what was done.
type RunTruth struct {
	Kind        scenario.Kind `json:"kind"`
	Suspect     string        `json:"suspect"` // empty unless a job is the cause
	Cause       string        `json:"cause"`
	Resource    string        `json:"resource,omitempty"`
	Accomplices []string      `json:"accomplices,omitempty"`
	Innocent    []string      `json:"innocent,omitempty"`
}

// RunVerdict is what was said last.
type RunVerdict struct {
	State      string `json:"state"` // named, probable, unknown, or none
	Suspect    string `json:"suspect"`
	Cause      string `json:"cause"`
	Resource   string `json:"resource,omitempty"`
	Confidence Number `json:"confidence"`
}

// RunP95 are 95th percentiles as visitors saw them, in milliseconds.
type RunP95 struct {
	Before Number `json:"before"`
	During Number `json:"during"`
}

// witness knows which job a verdict speaks of.
type witness interface {
	// job is the name of the job that a workload is; its own name if it is none.
	job(workload string, pid int64) string
}

// noVerdict is the state of a run in which nothing was said.
const noVerdict = "none"

// verdictOf takes the last thing that was said, and when it was first said and
// never taken back.
func verdictOf(findings []finding, w witness) (last RunVerdict, since time.Time) {
	last = RunVerdict{State: noVerdict, Confidence: unknownNumber}
	for _, f := range findings {
		v := f.verdict
		now := RunVerdict{State: string(v.State), Cause: v.Cause.Kind, Resource: v.Cause.Resource, Confidence: Number(v.Cause.Confidence)}
		if v.Cause.Workload != "" {
			now.Suspect = w.job(v.Cause.Workload, v.Cause.PID)
		}
		if now.Suspect != last.Suspect || now.Cause != last.Cause || now.Resource != last.Resource || now.sure() != last.sure() {
			since = f.received
		}
		last = now
	}
	return last, since
}

// sure is whether somebody is blamed.
func (v RunVerdict) sure() bool {
	return (v.State == string(event.Named) || v.State == string(event.Probable)) && v.Cause != "unknown"
}

// correct compares what was said with what was done. Without a symptom silence
// is right as well.
func (v RunVerdict) correct(t scenario.Truth, symptom bool) bool {
	if !v.sure() {
		return t.Cause == scenario.Nothing || !symptom
	}
	if v.Cause != t.Cause || (t.Resource != "" && v.Resource != t.Resource) {
		return false
	}
	return v.Suspect == t.Suspect || slices.Contains(t.Accomplices, v.Suspect)
}

// blames is whether any of the findings names or charges an innocent job.
func blames(findings []finding, t scenario.Truth, w witness) bool {
	innocent := func(workload string, pid int64) bool { return slices.Contains(t.Innocent, w.job(workload, pid)) }
	return slices.ContainsFunc(findings, func(f finding) bool {
		v := f.verdict
		if v.State != event.Unknown && v.Cause.Workload != "" && innocent(v.Cause.Workload, v.Cause.PID) {
			return true
		}
		return slices.ContainsFunc(v.Backups, func(b event.Backup) bool {
			return b.Finding == "charged" && innocent(b.Workload, b.PID)
		})
	})
}
