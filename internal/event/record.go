package event

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// The attributes of the three events. Lists are parallel slices: the values at
// one index belong together.
const (
	attrService         = "service.name"
	attrHost            = "host.name"
	attrPID             = "process.pid"
	attrPhase           = "rootcause.phase"
	attrReason          = "rootcause.reason"
	attrVerdictID       = "rootcause.verdict.id"
	attrEpisodeID       = "rootcause.episode.id"
	attrWindowID        = "rootcause.window.id"
	attrOnset           = "rootcause.onset"
	attrStart           = "rootcause.start"
	attrEnd             = "rootcause.end"
	attrState           = "rootcause.verdict.state"
	attrCauseKind       = "rootcause.cause.kind"
	attrCauseResource   = "rootcause.cause.resource"
	attrCauseWorkload   = "rootcause.cause.workload"
	attrCausePID        = "rootcause.cause.pid"
	attrConfidence      = "rootcause.confidence"
	attrCauseWhy        = "rootcause.cause.why"
	attrTogetherName    = "rootcause.cause.together.workload"
	attrTogetherPID     = "rootcause.cause.together.pid"
	attrRivalKind       = "rootcause.rival.kind"
	attrRivalResource   = "rootcause.rival.resource"
	attrRivalWorkload   = "rootcause.rival.workload"
	attrRivalPID        = "rootcause.rival.pid"
	attrRivalConfidence = "rootcause.rival.confidence"
	attrRivalWhy        = "rootcause.rival.why"
	attrTool            = "rootcause.backup.tool"
	attrWorkload        = "rootcause.workload"
	attrLatency         = "rootcause.latency.current"
	attrBaseline        = "rootcause.latency.baseline"
	attrRequestRate     = "rootcause.request.rate"

	attrSuspectsKind       = "rootcause.suspects.kind"
	attrSuspectsResource   = "rootcause.suspects.resource"
	attrSuspectsWorkload   = "rootcause.suspects.workload"
	attrSuspectsPID        = "rootcause.suspects.pid"
	attrSuspectsConfidence = "rootcause.suspects.confidence"
	attrSuspectsWhy        = "rootcause.suspects.why"

	attrBackupsWindowID = "rootcause.backups.window_id"
	attrBackupsTool     = "rootcause.backups.tool"
	attrBackupsWorkload = "rootcause.backups.workload"
	attrBackupsPID      = "rootcause.backups.pid"
	attrBackupsFinding  = "rootcause.backups.finding"
	attrBackupsReason   = "rootcause.backups.reason"

	attrFor     = "rootcause.evidence.for"
	attrAgainst = "rootcause.evidence.against"
	attrMissing = "rootcause.missing"

	attrRemediesTitle   = "rootcause.remedies.title"
	attrRemediesCommand = "rootcause.remedies.command"
	attrRemediesWorks   = "rootcause.remedies.works"
	attrRemediesWhy     = "rootcause.remedies.why"
)

// Record writes the verdict into an empty log record. Empty strings, empty
// lists, zero times, PIDs below 1 and numbers that are negative or not finite are
// left out; confidences are brought into 0..1; bytes that are not UTF-8 are
// replaced.
func (v Verdict) Record(r plog.LogRecord) {
	w := newWriter(r, head{NameVerdict, v.At, v.severity(), v.Sentence()})
	w.text(attrVerdictID, v.ID)
	w.text(attrPhase, string(v.Phase))
	w.text(attrReason, v.Reason)
	w.text(attrHost, v.Host)
	w.text(attrService, v.Service)
	w.moment(attrOnset, v.Onset)
	w.moment(attrEnd, v.End)
	w.text(attrState, string(v.State))
	w.text(attrCauseKind, v.Cause.Kind)
	w.text(attrCauseResource, v.Cause.Resource)
	w.text(attrCauseWorkload, v.Cause.Workload)
	w.pid(attrCausePID, v.Cause.PID)
	w.number(attrConfidence, unit(v.Cause.Confidence))
	w.text(attrCauseWhy, v.Cause.Why)
	column(w, attrTogetherName, v.Together, func(j Job) string { return j.Workload })
	pids(w, attrTogetherPID, v.Together, func(j Job) int64 { return j.PID })
	if v.Rival != (Suspect{}) {
		w.text(attrRivalKind, v.Rival.Kind)
		w.text(attrRivalResource, v.Rival.Resource)
		w.text(attrRivalWorkload, v.Rival.Workload)
		w.pid(attrRivalPID, v.Rival.PID)
		w.number(attrRivalConfidence, unit(v.Rival.Confidence))
		w.text(attrRivalWhy, v.Rival.Why)
	}
	w.suspects(v.Suspects)
	w.backups(v.Backups)
	w.texts(attrFor, v.For)
	w.texts(attrAgainst, v.Against)
	w.texts(attrMissing, v.Missing)
	w.remedies(v.Remedies)
	w.number(attrLatency, v.Latency)
	w.number(attrBaseline, v.Baseline)
	w.number(attrRequestRate, v.RequestRate)
}

// severity is what the record of the verdict carries: somebody may be paged
// for a named cause, a probable one is worth a look.
func (v Verdict) severity() plog.SeverityNumber {
	switch {
	case v.Phase == Closed:
		return plog.SeverityNumberInfo
	case v.State == Named:
		return plog.SeverityNumberError
	case v.State == Probable:
		return plog.SeverityNumberWarn
	default:
		return plog.SeverityNumberInfo
	}
}

// ParseVerdict reads a verdict from a log record; host.name and service.name
// may stand on the resource instead. The error names every attribute that is
// missing or wrong.
func ParseVerdict(r plog.LogRecord, resource pcommon.Resource) (Verdict, error) {
	p := newParser(r, resource)
	v := Verdict{
		At:      p.at(),
		ID:      p.required(attrVerdictID),
		Phase:   p.phase(),
		Reason:  p.text(attrReason),
		Host:    p.inherited(attrHost),
		Service: p.inherited(attrService),
		Onset:   p.moment(attrOnset),
		End:     p.moment(attrEnd),
		State:   p.state(),
		Cause: Suspect{
			Kind:       p.required(attrCauseKind),
			Resource:   p.text(attrCauseResource),
			Workload:   p.text(attrCauseWorkload),
			PID:        p.integer(attrCausePID),
			Confidence: p.confidence(attrConfidence),
			Why:        p.text(attrCauseWhy),
		},
		Rival: Suspect{
			Kind:       p.text(attrRivalKind),
			Resource:   p.text(attrRivalResource),
			Workload:   p.text(attrRivalWorkload),
			PID:        p.integer(attrRivalPID),
			Confidence: p.confidence(attrRivalConfidence),
			Why:        p.text(attrRivalWhy),
		},
		Together:    p.together(),
		Suspects:    p.suspects(),
		Backups:     p.backups(),
		For:         p.texts(attrFor),
		Against:     p.texts(attrAgainst),
		Missing:     p.texts(attrMissing),
		Remedies:    p.remedies(),
		Latency:     p.number(attrLatency),
		Baseline:    p.number(attrBaseline),
		RequestRate: p.number(attrRequestRate),
	}
	p.mustHave(attrService, v.Service != "")
	p.mustHave(attrOnset, !v.Onset.IsZero())
	p.mustHave(attrEnd, v.Phase != Closed || !v.End.IsZero())
	return v, p.err(NameVerdict)
}

// Record writes the window into an empty log record, by the rules of
// [Verdict.Record].
func (w Window) Record(r plog.LogRecord) {
	out := newWriter(r, head{NameBackupWindow, w.At, plog.SeverityNumberInfo, w.Sentence()})
	out.text(attrWindowID, w.ID)
	out.text(attrPhase, string(w.Phase))
	out.text(attrReason, w.Reason)
	out.text(attrHost, w.Host)
	out.text(attrTool, w.Tool)
	out.text(attrWorkload, w.Workload)
	out.pid(attrPID, w.PID)
	out.moment(attrStart, w.Start)
	out.moment(attrEnd, w.End)
}

// ParseWindow reads a window from a log record, by the rules of
// [ParseVerdict].
func ParseWindow(r plog.LogRecord, resource pcommon.Resource) (Window, error) {
	p := newParser(r, resource)
	w := Window{
		At:       p.at(),
		ID:       p.required(attrWindowID),
		Phase:    p.phase(),
		Reason:   p.text(attrReason),
		Host:     p.inherited(attrHost),
		Tool:     p.text(attrTool),
		Workload: p.text(attrWorkload),
		PID:      p.integer(attrPID),
		Start:    p.moment(attrStart),
		End:      p.moment(attrEnd),
	}
	p.mustHave(attrStart, !w.Start.IsZero())
	p.mustHave(attrEnd, w.Phase != Closed || !w.End.IsZero())
	return w, p.err(NameBackupWindow)
}

// Record writes the episode into an empty log record, by the rules of
// [Verdict.Record].
func (e Episode) Record(r plog.LogRecord) {
	severity := plog.SeverityNumberWarn
	if e.Phase == Closed {
		severity = plog.SeverityNumberInfo
	}
	w := newWriter(r, head{NameEpisode, e.At, severity, e.Sentence()})
	w.text(attrEpisodeID, e.ID)
	w.text(attrPhase, string(e.Phase))
	w.text(attrReason, e.Reason)
	w.text(attrHost, e.Host)
	w.text(attrService, e.Service)
	w.moment(attrOnset, e.Onset)
	w.moment(attrEnd, e.End)
	w.number(attrLatency, e.Latency)
	w.number(attrBaseline, e.Baseline)
}

// ParseEpisode reads an episode from a log record, by the rules of
// [ParseVerdict].
func ParseEpisode(r plog.LogRecord, resource pcommon.Resource) (Episode, error) {
	p := newParser(r, resource)
	e := Episode{
		At:       p.at(),
		ID:       p.required(attrEpisodeID),
		Phase:    p.phase(),
		Reason:   p.text(attrReason),
		Host:     p.inherited(attrHost),
		Service:  p.inherited(attrService),
		Onset:    p.moment(attrOnset),
		End:      p.moment(attrEnd),
		Latency:  p.number(attrLatency),
		Baseline: p.number(attrBaseline),
	}
	p.mustHave(attrService, e.Service != "")
	p.mustHave(attrOnset, !e.Onset.IsZero())
	p.mustHave(attrEnd, e.Phase != Closed || !e.End.IsZero())
	return e, p.err(NameEpisode)
}

// Verdicts yields the verdicts among the records, in their order, with an
// error for each that cannot be read. Other records are passed over.
func Verdicts(logs plog.Logs) iter.Seq2[Verdict, error] {
	return named(logs, NameVerdict, ParseVerdict)
}

// Windows yields the windows among the records, as [Verdicts] does verdicts.
func Windows(logs plog.Logs) iter.Seq2[Window, error] {
	return named(logs, NameBackupWindow, ParseWindow)
}

// Episodes yields the episodes among the records, as [Verdicts] does verdicts.
func Episodes(logs plog.Logs) iter.Seq2[Episode, error] {
	return named(logs, NameEpisode, ParseEpisode)
}

func named[T any](
	logs plog.Logs, name string, parse func(plog.LogRecord, pcommon.Resource) (T, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					if r.EventName() != name {
						continue
					}
					if !yield(parse(r, rl.Resource())) {
						return
					}
				}
			}
		}
	}
}

func (p *parser) at() time.Time {
	if p.record.Timestamp() == 0 {
		p.errs = append(p.errs, errors.New("the timestamp is missing"))
		return time.Time{}
	}
	return p.record.Timestamp().AsTime()
}

func (p *parser) phase() Phase {
	phase := Phase(p.required(attrPhase))
	switch phase {
	case Opened, Updated, Closed, "":
	default:
		p.fail(attrPhase, fmt.Sprintf("is %q, not opened, updated or closed", phase))
	}
	return phase
}

func (p *parser) state() State {
	state := State(p.required(attrState))
	switch state {
	case Named, Probable, Unknown, "":
	default:
		p.fail(attrState, fmt.Sprintf("is %q, not named, probable or unknown", state))
	}
	return state
}
