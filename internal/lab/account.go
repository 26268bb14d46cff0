package lab

import (
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/output"
	"github.com/otel-culprit/culprit/internal/scenario"
)

// strongest is how many pieces of evidence an account has.
const strongest = 2

// Account tells of a run what its verdict was, why, what to do, what was found on
// each backup, and the truth. isBackup knows the names of backup programs.
func (r Run) Account(isBackup func(job string) bool) string {
	var b strings.Builder
	if r.said == nil {
		output.Row(&b, "verdict", "none came")
	} else {
		r.said.account(&b)
	}
	r.writeTruth(&b, isBackup)
	return b.String()
}

// Summary is a shorter account: the verdict and the truth.
func (r Run) Summary(isBackup func(job string) bool) string {
	var b strings.Builder
	if r.said == nil {
		output.Row(&b, "verdict", "none came")
	} else {
		output.Row(&b, "verdict", r.said.Sentence())
	}
	r.writeTruth(&b, isBackup)
	return b.String()
}

// told is a verdict that a person is told.
type told struct{ event.Verdict }

// toldOf takes the verdict that was said last, while the site was slow if it was
// the same then: at the end, latency and remedies are of the past. It is nil if
// nothing was said.
func toldOf(findings []collector.Finding) *told {
	if len(findings) == 0 {
		return nil
	}
	last := findings[len(findings)-1].Verdict
	for _, f := range slices.Backward(findings) {
		v := f.Verdict
		if v.ID != last.ID || v.State != last.State || v.Cause.Kind != last.Cause.Kind || v.Cause.Workload != last.Cause.Workload {
			break
		}
		if v.Phase != event.Closed {
			return &told{v}
		}
	}
	return &told{last}
}

func (v told) account(b *strings.Builder) {
	output.Row(b, "verdict", v.Sentence())
	output.Rows(b, "because", v.For[:min(len(v.For), strongest)])
	if v.State == event.Unknown && v.Rival.Kind != "" {
		output.Row(b, "closest", output.Because(v.Rival.Phrase()+", "+output.Percent(v.Rival.Confidence), v.Rival.Why))
	}
	if len(v.Remedies) > 0 {
		output.Remedy(b, "remedy", "", v.Remedies[0])
	}
	for i, backup := range v.Backups {
		output.Row(b, output.Label("backups", i), output.Finding(backup))
	}
}

func (r Run) writeTruth(b *strings.Builder, isBackup func(job string) bool) {
	output.Row(b, "true cause", r.Truth.sentence(isBackup))
	if r.Void {
		output.Row(b, "void", "visitors did not wait twice as long as before, so the run proves nothing: was the host busy before it?")
	}
}

// sentence says what was done, such as "restic, a backup, took the disk".
func (t RunTruth) sentence(isBackup func(job string) bool) string {
	called := func(name string) string {
		if isBackup(name) {
			return name + ", a backup,"
		}
		return name
	}
	text := "nothing was wrong"
	switch t.Cause {
	case scenario.Contention:
		var names []string
		for _, name := range append([]string{t.Suspect}, t.Accomplices...) {
			names = append(names, called(name))
		}
		text = strings.Join(names, " and ") + " " + taking(t.Resource)
	case "traffic_surge":
		text = "more visitors came"
	case "own_work":
		text = "the site made itself slow"
	case "faulty_disk":
		text = "the site's disk was slow or stood still"
	case "upstream":
		text = "a service that the site asks was slow"
	}
	var innocent []string
	for _, name := range t.Innocent {
		innocent = append(innocent, called(name))
	}
	if len(innocent) > 0 {
		text += "; " + strings.Join(innocent, " and ") + " did no harm"
	}
	return text
}

// taking says what a job did with a resource.
func taking(resource string) string {
	switch resource {
	case "network":
		return "filled the link"
	case "page_cache":
		return "pushed the site's files out of memory"
	case "disk_space":
		return "filled the disk"
	case "lock":
		return "held a lock that the site waited for"
	case "cpu":
		return "took the CPU"
	case "":
		return "took what the site needed"
	default:
		return "took the " + resource
	}
}
