package lab

import (
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/output"
	"github.com/otel-culprit/culprit/internal/scenario"
)

// visible is how many times as slow as before a site must be for a symptom.
const visible = 2

// Run is what came of one run of a scenario.
type Run struct {
	Scenario string     `json:"scenario"`
	Seed     uint64     `json:"seed"`
	Truth    RunTruth   `json:"truth"`
	Verdict  RunVerdict `json:"verdict"` // what was said last
	// Strongest is the strongest suspect of the last verdict, also if that blames
	// nobody; nil if there was no verdict.
	Strongest *RunSuspect `json:"strongest,omitempty"`
	// Correct is whether the last verdict was right; if nothing was wrong, whether
	// nothing was said to be.
	Correct bool `json:"correct"`
	// BlamedBackup is whether any verdict, also one that was taken back, named or
	// charged a backup that did no harm.
	BlamedBackup bool `json:"blamed_backup"`
	// SymptomToVerdict is from when visitors waited twice as long as before to the
	// verdict that stayed; null without a symptom or a verdict that blames.
	SymptomToVerdict output.Number `json:"symptom_to_verdict_s"`
	P95              RunP95        `json:"p95_ms"`
	// Void is whether something was done and did not show: the run proves nothing
	// and must not be counted.
	Void     bool          `json:"void"`
	Service  string        `json:"service"`
	Onset    output.Number `json:"onset_unix"`
	Duration output.Number `json:"duration_s"` // of the whole run

	said *told // last, with its evidence; nil if there was no verdict
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

// RunSuspect is an explanation.
type RunSuspect struct {
	Suspect    string        `json:"suspect"` // the job; empty unless one is to blame
	Cause      string        `json:"cause"`
	Resource   string        `json:"resource,omitempty"`
	Confidence output.Number `json:"confidence"`
}

// RunVerdict is an explanation, and how sure it is.
type RunVerdict struct {
	State string `json:"state"` // named, probable, unknown, or none
	RunSuspect

	// Together are jobs that were named with the suspect.
	Together []string `json:"together,omitempty"`
}

// RunP95 are 95th percentiles as visitors saw them, in milliseconds.
type RunP95 struct {
	Before output.Number `json:"before"`
	During output.Number `json:"during"`
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
func verdictOf(findings []collector.Finding, w witness) (last RunVerdict, since time.Time) {
	last = RunVerdict{State: noVerdict, RunSuspect: RunSuspect{Confidence: output.Unknown()}}
	for _, f := range findings {
		now := RunVerdict{State: string(f.Verdict.State), RunSuspect: suspectOf(f.Verdict.Cause, w)}
		for _, j := range f.Verdict.Together {
			now.Together = append(now.Together, w.job(j.Workload, j.PID))
		}
		if now.Suspect != last.Suspect || now.Cause != last.Cause || now.Resource != last.Resource || now.sure() != last.sure() {
			since = f.Received
		}
		last = now
	}
	return last, since
}

// strongestOf is the strongest suspect of the last thing that was said.
func strongestOf(findings []collector.Finding, w witness) *RunSuspect {
	if len(findings) == 0 {
		return nil
	}
	last := findings[len(findings)-1].Verdict
	for _, s := range append([]event.Suspect{last.Cause}, last.Suspects...) {
		if s.Kind != unknownCause {
			strongest := suspectOf(s, w)
			return &strongest
		}
	}
	return nil
}

// unknownCause is the kind of a cause that explains nothing.
const unknownCause = "unknown"

func suspectOf(s event.Suspect, w witness) RunSuspect {
	out := RunSuspect{Cause: s.Kind, Resource: s.Resource, Confidence: output.Number(s.Confidence)}
	if s.Workload != "" {
		out.Suspect = w.job(s.Workload, s.PID)
	}
	return out
}

// sure is whether somebody is blamed.
func (v RunVerdict) sure() bool {
	return (v.State == string(event.Named) || v.State == string(event.Probable)) && v.Cause != unknownCause
}

// correct compares what was said with what was done. All that are named together
// must be guilty.
func (v RunVerdict) correct(t scenario.Truth) bool {
	if !v.sure() {
		return t.Cause == scenario.Nothing
	}
	if v.Cause != t.Cause || (t.Resource != "" && v.Resource != t.Resource) {
		return false
	}
	return !slices.ContainsFunc(append([]string{v.Suspect}, v.Together...), func(name string) bool {
		return name != t.Suspect && !slices.Contains(t.Accomplices, name)
	})
}

// blames is whether any of the findings names or charges an innocent job.
func blames(findings []collector.Finding, t scenario.Truth, w witness) bool {
	innocent := func(workload string, pid int64) bool { return slices.Contains(t.Innocent, w.job(workload, pid)) }
	return slices.ContainsFunc(findings, func(f collector.Finding) bool {
		v := f.Verdict
		if v.State != event.Unknown && v.Cause.Workload != "" && innocent(v.Cause.Workload, v.Cause.PID) {
			return true
		}
		return slices.ContainsFunc(v.Together, func(j event.Job) bool { return innocent(j.Workload, j.PID) }) ||
			slices.ContainsFunc(v.Backups, func(b event.Backup) bool {
				return b.Finding == "charged" && innocent(b.Workload, b.PID)
			})
	})
}
