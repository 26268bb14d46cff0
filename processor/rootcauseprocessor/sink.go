package rootcauseprocessor

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/rootcause"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
)

// eventBacklog is how many batches of events may wait for a logs pipeline.
const eventBacklog = 256

// maxReasons is how many sentences make a reason: more are not read.
const maxReasons = 2

// newLogs gives events as log records.
func newLogs(events []rootcause.Event) plog.Logs {
	ld := plog.NewLogs()
	sl := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	sl.Scope().SetName(metadata.ScopeName)
	now := pcommon.NewTimestampFromTime(time.Now())
	for _, e := range events {
		r := sl.LogRecords().AppendEmpty()
		r.SetObservedTimestamp(now)
		switch e := e.(type) {
		case rootcause.Window:
			windowEvent(e).Record(r)
		case rootcause.Episode:
			episodeEvent(e).Record(r)
		case rootcause.Verdict:
			verdictEvent(e).Record(r)
		}
	}
	return ld
}

func windowEvent(w rootcause.Window) event.Window {
	return event.Window{
		ID:       w.Window.ID,
		Phase:    event.Phase(w.Phase.String()),
		Reason:   string(w.Reason),
		At:       w.At,
		Host:     w.Window.Workload.Host,
		Tool:     w.Window.Tool,
		Workload: w.Window.Workload.Name,
		PID:      w.Window.Workload.PID,
		Start:    w.Window.Start,
		End:      w.Window.End,
	}
}

func episodeEvent(e rootcause.Episode) event.Episode {
	return event.Episode{
		ID:       e.ID,
		Phase:    event.Phase(e.Phase.String()),
		Reason:   string(e.Reason),
		At:       e.At,
		Host:     e.Victim.Host,
		Service:  e.Victim.Service,
		Onset:    e.Onset,
		End:      e.End,
		Latency:  e.Latency,
		Baseline: e.Baseline,
	}
}

func verdictEvent(v rootcause.Verdict) event.Verdict {
	cause, rival := ranked(v)
	out := event.Verdict{
		ID:          v.ID,
		Phase:       event.Phase(v.Phase.String()),
		Reason:      string(v.Reason),
		At:          v.At,
		Host:        v.Victim.Host,
		Service:     v.Victim.Service,
		Onset:       v.Onset,
		End:         v.End,
		State:       event.State(v.State.String()),
		Cause:       suspectEvent(cause, true),
		For:         sentences(cause.Evidence, true),
		Against:     sentences(cause.Evidence, false),
		Missing:     v.Missing,
		Latency:     v.Latency,
		Baseline:    v.Baseline,
		RequestRate: v.RequestRate,
	}
	if v.State != rootcause.StateUnknown {
		out.Cause.Confidence = v.Probability()
	}
	for _, s := range v.Others() {
		out.Together = append(out.Together, event.Job{Workload: s.Workload.Name, PID: s.Workload.PID})
	}
	if rival.Cause != "" {
		out.Rival = suspectEvent(rival, false)
	}
	for i, s := range v.Suspects {
		out.Suspects = append(out.Suspects, suspectEvent(s, i == 0))
	}
	for _, b := range v.Backups {
		out.Backups = append(out.Backups, event.Backup{
			WindowID: b.Window.ID,
			Tool:     b.Window.Tool,
			Workload: b.Window.Workload.Name,
			PID:      b.Window.Workload.PID,
			Finding:  b.Finding.String(),
			Reason:   b.Sentence,
		})
	}
	for _, r := range v.Remedies {
		out.Remedies = append(out.Remedies, event.Remedy{Title: r.Title, Command: r.Command, Works: r.Works.String(), Why: r.Why})
	}
	return out
}

// ranked gives the cause that a verdict tells and its strongest rival. When no
// cause stands out, the cause is unknown and the strongest suspect its rival.
func ranked(v rootcause.Verdict) (cause, rival rootcause.Suspect) {
	cause = v.Top()
	if v.State != rootcause.StateUnknown || cause.Cause == rootcause.UnknownCause {
		rival, _ = v.Rival()
		return cause, rival
	}
	i := slices.IndexFunc(v.Suspects, func(s rootcause.Suspect) bool { return s.Cause == rootcause.UnknownCause })
	if i < 0 {
		return rootcause.Suspect{Cause: rootcause.UnknownCause}, cause
	}
	return v.Suspects[i], cause
}

// suspectEvent says of the cause what speaks for it, of the others rather why
// they lost.
func suspectEvent(s rootcause.Suspect, isCause bool) event.Suspect {
	why := cmp.Or(reason(s.Evidence, isCause), reason(s.Evidence, !isCause))
	if why == "" && len(s.Evidence) > 0 {
		why = s.Evidence[0].Sentence
	}
	out := event.Suspect{
		Kind:       string(s.Cause),
		Resource:   s.Resource.String(),
		Confidence: s.Probability,
		Why:        why,
	}
	if s.Cause == rootcause.Contention {
		out.Workload, out.PID = s.Workload.Name, s.Workload.PID
	}
	return out
}

func reason(evidence []rootcause.Evidence, speaksFor bool) string {
	all := sentences(evidence, speaksFor)
	return strings.Join(all[:min(len(all), maxReasons)], "; ")
}

// sentences gives the evidence for a suspect, or against it, the strongest first.
func sentences(evidence []rootcause.Evidence, speaksFor bool) []string {
	sorted := slices.SortedStableFunc(slices.Values(evidence), func(a, b rootcause.Evidence) int {
		return cmp.Compare(max(b.Weight, -b.Weight), max(a.Weight, -a.Weight))
	})
	var out []string
	for _, e := range sorted {
		if e.Sentence != "" && e.Weight != 0 && (e.Weight > 0) == speaksFor {
			out = append(out, e.Sentence)
		}
	}
	return out
}
