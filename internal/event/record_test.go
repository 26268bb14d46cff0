package event_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otel-culprit/culprit/internal/event"
)

var onset = time.Date(2026, 11, 21, 2, 0, 3, 120_000_001, time.UTC)

func verdict() event.Verdict {
	disk := event.Suspect{
		Kind: "contention", Resource: "disk", Workload: "borg.service", Confidence: 0.93,
		Why: "its reads began 3 s before the latency rose",
	}
	surge := event.Suspect{Kind: "traffic_surge", Confidence: 0.04, Why: "the request rate did not change"}
	return event.Verdict{
		ID: "v1", Phase: event.Updated, Reason: "cause_named", At: onset.Add(time.Minute),
		Host: "db1", Service: "shop", Onset: onset, State: event.Named,
		Cause: disk, Rival: surge, Suspects: []event.Suspect{disk, surge},
		Backups: []event.Backup{
			{WindowID: "w1", Tool: "borg", Workload: "borg.service", Finding: "charged", Reason: "it reads the disk"},
			{WindowID: "w2", Tool: "restic", Workload: "restic (pid 7)", Finding: "cleared"},
		},
		For: []string{"disk wait rose"}, Against: []string{"CPU is idle"}, Missing: []string{"no PSI"},
		Remedies: []event.Remedy{{Title: "Lower its weight", Command: "systemctl ...", Works: "yes", Why: "bfq"}, {Title: "Move it"}},
		Latency:  1.25, Baseline: 0.11, RequestRate: 40,
	}
}

func window() event.Window {
	return event.Window{
		ID: "w1", Phase: event.Closed, Reason: "backup_ended", At: onset.Add(time.Hour), Host: "db1",
		Tool: "borg", Workload: "borg (pid 42)", PID: 42, Start: onset, End: onset.Add(time.Hour),
	}
}

func episode() event.Episode {
	return event.Episode{
		ID: "e1", Phase: event.Opened, Reason: "latency_rose", At: onset.Add(time.Second), Host: "db1",
		Service: "shop", Onset: onset, Latency: 0.4, Baseline: 0.11,
	}
}

// ofJobs is a verdict on jobs that no unit manages.
func ofJobs() event.Verdict {
	v := verdict()
	v.Cause.Workload, v.Cause.PID = "restic", 4711
	v.Rival = event.Suspect{Kind: "contention", Resource: "cpu", Workload: "cc1", PID: 12}
	v.Suspects = []event.Suspect{v.Cause, {Kind: "traffic_surge"}}
	v.Backups[1].Workload, v.Backups[1].PID = "restic", 4711
	return v
}

// ofSome is a verdict on workloads that are named together.
func ofSome() event.Verdict {
	v := ofJobs()
	v.Together = []event.Job{{Workload: "rsync", PID: 4712}, {Workload: "borg.service"}}
	return v
}

func TestThoseNamedTogetherAreTold(t *testing.T) {
	v := ofSome()
	require.Equal(t, "shop on db1 takes 1.25 s instead of 110 ms; "+
		"the cause is disk contention by restic (PID 4711) and rsync (PID 4712) and borg.service (93 %).", v.Sentence())
	r := plog.NewLogRecord()
	v.Record(r)
	got := r.Attributes().AsRaw()
	require.Equal(t, []any{"rsync", "borg.service"}, got["rootcause.cause.together.workload"])
	require.Equal(t, []any{int64(4712), int64(0)}, got["rootcause.cause.together.pid"])

	r = plog.NewLogRecord()
	ofJobs().Record(r)
	require.NotContains(t, r.Attributes().AsRaw(), "rootcause.cause.together.workload", "one is alone")
}

func TestPIDs(t *testing.T) {
	r := plog.NewLogRecord()
	ofJobs().Record(r)
	got := r.Attributes().AsRaw()
	require.Equal(t, int64(4711), got["rootcause.cause.pid"])
	require.Equal(t, int64(12), got["rootcause.rival.pid"])
	require.Equal(t, []any{int64(4711), int64(0)}, got["rootcause.suspects.pid"])
	require.Equal(t, []any{int64(0), int64(4711)}, got["rootcause.backups.pid"])
	require.Contains(t, r.Body().Str(), "the cause is disk contention by restic (PID 4711) (93 %)")

	// Those who wrote records before there were PIDs are still understood.
	for _, key := range []string{"cause.pid", "rival.pid", "suspects.pid", "backups.pid"} {
		r.Attributes().Remove("rootcause." + key)
	}
	v, err := event.ParseVerdict(r, pcommon.NewResource())
	require.NoError(t, err)
	require.Zero(t, v.Cause.PID+v.Rival.PID+v.Suspects[0].PID+v.Backups[1].PID)

	v.Cause.PID, v.Rival.PID, v.Suspects[0].PID, v.Backups[0].PID = -1, -1, -1, -1
	r = plog.NewLogRecord()
	v.Record(r)
	for key := range r.Attributes().All() {
		require.NotContains(t, key, "pid", "a PID that is none is not written")
	}
}

func TestJobsAreNamedWithTheirPIDOnce(t *testing.T) {
	for _, test := range []struct {
		workload string
		pid      int64
		want     string
	}{
		{"restic", 4711, "restic (PID 4711)"},
		{"restic (PID 4711)", 4711, "restic (PID 4711)"},
		{"borg (pid 42)", 42, "borg (pid 42)"},
		{"job-4711", 4711, "job-4711 (PID 4711)"},
		{"restic (PID 4711)", 471, "restic (PID 4711) (PID 471)"},
		{"borg.service", 0, "borg.service"},
		{"borg.service", -1, "borg.service"},
		{"", 4711, ""},
	} {
		require.Equal(t, test.want, event.Backup{Workload: test.workload, PID: test.pid}.Job())
	}
	w := window()
	w.Workload = "borg"
	require.Equal(t, "borg backup (borg (PID 42)) on db1 ended after 1h0m0s.", w.Sentence())
}

func TestVerdictRoundTrip(t *testing.T) {
	closed := verdict()
	closed.Phase, closed.End = event.Closed, onset.Add(time.Hour)
	tests := map[string]event.Verdict{
		"full":    verdict(),
		"closed":  closed,
		"of jobs": ofJobs(),
		"of some": ofSome(),
		"least": {
			ID: "v1", Phase: event.Opened, At: onset, Service: "shop", Onset: onset,
			State: event.Unknown, Cause: event.Suspect{Kind: "unknown"},
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			r := plog.NewLogRecord()
			want.Record(r)
			got, err := event.ParseVerdict(r, pcommon.NewResource())
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(want, got))
		})
	}
}

func TestWindowAndEpisodeRoundTrip(t *testing.T) {
	r := plog.NewLogRecord()
	window().Record(r)
	w, err := event.ParseWindow(r, pcommon.NewResource())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(window(), w))

	r = plog.NewLogRecord()
	episode().Record(r)
	e, err := event.ParseEpisode(r, pcommon.NewResource())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(episode(), e))
}

func TestRecordShape(t *testing.T) {
	r := plog.NewLogRecord()
	verdict().Record(r)
	require.Equal(t, event.NameVerdict, r.EventName())
	require.Equal(t, onset.Add(time.Minute), r.Timestamp().AsTime())
	require.Equal(t, "shop on db1 takes 1.25 s instead of 110 ms; the cause is disk contention by borg.service (93 %).", r.Body().Str())
	require.Equal(t, "ERROR", r.SeverityText())
	require.Equal(t, map[string]any{
		"service.name": "shop", "host.name": "db1",
		"rootcause.phase": "updated", "rootcause.reason": "cause_named", "rootcause.verdict.id": "v1",
		"rootcause.onset": "2026-11-21T02:00:03.120000001Z", "rootcause.verdict.state": "named",
		"rootcause.cause.kind": "contention", "rootcause.cause.resource": "disk", "rootcause.cause.workload": "borg.service",
		"rootcause.confidence": 0.93, "rootcause.cause.why": "its reads began 3 s before the latency rose",
		"rootcause.rival.kind": "traffic_surge", "rootcause.rival.confidence": 0.04,
		"rootcause.rival.why":           "the request rate did not change",
		"rootcause.suspects.kind":       []any{"contention", "traffic_surge"},
		"rootcause.suspects.resource":   []any{"disk", ""},
		"rootcause.suspects.workload":   []any{"borg.service", ""},
		"rootcause.suspects.why":        []any{"its reads began 3 s before the latency rose", "the request rate did not change"},
		"rootcause.suspects.confidence": []any{0.93, 0.04},
		"rootcause.backups.window_id":   []any{"w1", "w2"},
		"rootcause.backups.tool":        []any{"borg", "restic"},
		"rootcause.backups.workload":    []any{"borg.service", "restic (pid 7)"},
		"rootcause.backups.finding":     []any{"charged", "cleared"},
		"rootcause.backups.reason":      []any{"it reads the disk", ""},
		"rootcause.evidence.for":        []any{"disk wait rose"},
		"rootcause.evidence.against":    []any{"CPU is idle"},
		"rootcause.missing":             []any{"no PSI"},
		"rootcause.remedies.title":      []any{"Lower its weight", "Move it"},
		"rootcause.remedies.command":    []any{"systemctl ...", ""},
		"rootcause.remedies.works":      []any{"yes", ""},
		"rootcause.remedies.why":        []any{"bfq", ""},
		"rootcause.latency.current":     1.25,
		"rootcause.latency.baseline":    0.11,
		"rootcause.request.rate":        40.0,
	}, r.Attributes().AsRaw())
}

func TestSeverity(t *testing.T) {
	type recorder interface{ Record(plog.LogRecord) }
	with := func(phase event.Phase, state event.State) event.Verdict {
		v := verdict()
		v.Phase, v.State = phase, state
		return v
	}
	recovered := episode()
	recovered.Phase = event.Closed
	tests := map[string]struct {
		event recorder
		want  plog.SeverityNumber
	}{
		"named":         {with(event.Opened, event.Named), plog.SeverityNumberError},
		"probable":      {with(event.Updated, event.Probable), plog.SeverityNumberWarn},
		"unknown":       {with(event.Opened, event.Unknown), plog.SeverityNumberInfo},
		"closed":        {with(event.Closed, event.Named), plog.SeverityNumberInfo},
		"window":        {window(), plog.SeverityNumberInfo},
		"episode":       {episode(), plog.SeverityNumberWarn},
		"episode ended": {recovered, plog.SeverityNumberInfo},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := plog.NewLogRecord()
			test.event.Record(r)
			require.Equal(t, test.want, r.SeverityNumber())
		})
	}
}

func TestRecordWritesOnlyWhatCanBeRead(t *testing.T) {
	v := verdict()
	v.Latency, v.Baseline, v.RequestRate = math.NaN(), math.Inf(1), -1
	v.Cause.Confidence, v.Suspects[0].Confidence = math.NaN(), 1.0000001
	v.Cause.Workload = "bad\xffname"
	r := plog.NewLogRecord()
	v.Record(r)
	got, err := event.ParseVerdict(r, pcommon.NewResource())
	require.NoError(t, err)
	require.Zero(t, got.Latency+got.Baseline+got.RequestRate+got.Cause.Confidence)
	require.InDelta(t, 1, got.Suspects[0].Confidence, 0)
	require.Equal(t, "bad\uFFFDname", got.Cause.Workload)
}

func TestParseVerdictRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(plog.LogRecord)
		want   string
	}{
		"no timestamp":     {func(r plog.LogRecord) { r.SetTimestamp(0) }, "the timestamp is missing"},
		"no ID":            {remove("rootcause.verdict.id"), "attribute rootcause.verdict.id is missing"},
		"no phase":         {remove("rootcause.phase"), "attribute rootcause.phase is missing"},
		"odd phase":        {put("rootcause.phase", "reopened"), `attribute rootcause.phase is "reopened", not opened, updated or closed`},
		"odd state":        {put("rootcause.verdict.state", "sure"), `attribute rootcause.verdict.state is "sure", not named, probable or unknown`},
		"no service":       {remove("service.name"), "attribute service.name is missing"},
		"no onset":         {remove("rootcause.onset"), "attribute rootcause.onset is missing"},
		"odd onset":        {put("rootcause.onset", "yesterday"), `attribute rootcause.onset is "yesterday", not an RFC 3339 time`},
		"closed, no end":   {put("rootcause.phase", "closed"), "attribute rootcause.end is missing"},
		"text as number":   {put("rootcause.latency.current", "1.2"), "attribute rootcause.latency.current is of type Str, not a number"},
		"number as text":   {put("service.name", 7), "attribute service.name is of type Int, not a string"},
		"not a number":     {put("rootcause.latency.baseline", math.NaN()), "attribute rootcause.latency.baseline is NaN, not a finite number from 0 up"},
		"negative":         {put("rootcause.request.rate", -3), "attribute rootcause.request.rate is -3, not a finite number from 0 up"},
		"too sure":         {put("rootcause.confidence", 93), "attribute rootcause.confidence is 93, not a number from 0 to 1"},
		"text as list":     {put("rootcause.evidence.for", "x"), "attribute rootcause.evidence.for is of type Str, not a list"},
		"numbers in list":  {put("rootcause.missing", []any{1}), "attribute rootcause.missing is of type Int, not a string"},
		"uneven lists":     {put("rootcause.backups.tool", []any{"borg"}), "attribute rootcause.backups.tool has 1 values where its list has 2"},
		"uneven numbers":   {put("rootcause.suspects.confidence", []any{0.5}), "attribute rootcause.suspects.confidence has 1 values where its list has 2"},
		"odd confidences":  {put("rootcause.suspects.confidence", []any{0.5, "x"}), "attribute rootcause.suspects.confidence is of type Str, not a number"},
		"text as PID":      {put("rootcause.cause.pid", "7"), "attribute rootcause.cause.pid is of type Str, not an integer"},
		"negative PID":     {put("rootcause.rival.pid", -7), "attribute rootcause.rival.pid is -7, which is negative"},
		"uneven PIDs":      {put("rootcause.suspects.pid", []any{7}), "attribute rootcause.suspects.pid has 1 values where its list has 2"},
		"odd PIDs":         {put("rootcause.backups.pid", []any{7, "x"}), "attribute rootcause.backups.pid is of type Str, not an integer"},
		"empty identifier": {put("rootcause.verdict.id", ""), "attribute rootcause.verdict.id is missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := plog.NewLogRecord()
			verdict().Record(r)
			test.change(r)
			_, err := event.ParseVerdict(r, pcommon.NewResource())
			require.EqualError(t, err, "rootcause.verdict: "+test.want)
		})
	}
}

func TestParseVerdictNamesEveryProblem(t *testing.T) {
	_, err := event.ParseVerdict(plog.NewLogRecord(), pcommon.NewResource())
	for _, want := range []string{"timestamp", "rootcause.verdict.id", "rootcause.phase", "service.name", "rootcause.onset", "rootcause.verdict.state", "rootcause.cause.kind"} {
		require.ErrorContains(t, err, want)
	}
}

func TestParseWindowAndEpisodeRefuse(t *testing.T) {
	r := plog.NewLogRecord()
	window().Record(r)
	r.Attributes().PutStr("process.pid", "42")
	r.Attributes().Remove("rootcause.start")
	_, err := event.ParseWindow(r, pcommon.NewResource())
	require.EqualError(t, err, "rootcause.backup_window: attribute process.pid is of type Str, not an integer\nattribute rootcause.start is missing")

	r = plog.NewLogRecord()
	episode().Record(r)
	r.Attributes().Remove("rootcause.episode.id")
	_, err = event.ParseEpisode(r, pcommon.NewResource())
	require.EqualError(t, err, "rootcause.episode: attribute rootcause.episode.id is missing")
}

func TestHostAndServiceMayStandOnTheResource(t *testing.T) {
	r := plog.NewLogRecord()
	verdict().Record(r)
	r.Attributes().Remove("host.name")
	r.Attributes().Remove("service.name")
	resource := pcommon.NewResource()
	resource.Attributes().PutStr("host.name", "db2")
	resource.Attributes().PutStr("service.name", "blog")
	got, err := event.ParseVerdict(r, resource)
	require.NoError(t, err)
	require.Equal(t, "db2", got.Host)
	require.Equal(t, "blog", got.Service)
}

func TestSequencesPassOverOtherRecords(t *testing.T) {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.AppendEmpty().Body().SetStr("something else")
	verdict().Record(records.AppendEmpty())
	window().Record(records.AppendEmpty())
	episode().Record(records.AppendEmpty())
	records.AppendEmpty().SetEventName(event.NameVerdict)

	var read, refused int
	for v, err := range event.Verdicts(logs) {
		if err != nil {
			refused++
			continue
		}
		require.Equal(t, "v1", v.ID)
		read++
	}
	require.Equal(t, 1, read)
	require.Equal(t, 1, refused)
	for w, err := range event.Windows(logs) {
		require.NoError(t, err)
		require.Equal(t, "w1", w.ID)
	}
	for e, err := range event.Episodes(logs) {
		require.NoError(t, err)
		require.Equal(t, "e1", e.ID)
	}
}

func TestSentences(t *testing.T) {
	closed := verdict()
	closed.Phase, closed.End, closed.State = event.Closed, onset.Add(90*time.Second), event.Probable
	none := verdict()
	none.State, none.Latency = event.Unknown, 0
	closedNone := closed
	closedNone.State, closedNone.Host = event.Unknown, ""
	require.Equal(t, "shop on db1 recovered after 1m30s; the cause was probably disk contention by borg.service (93 %).", closed.Sentence())
	require.Equal(t, "shop on db1 is slower than usual; no cause stands out.", none.Sentence())
	require.Equal(t, "shop recovered after 1m30s; no cause stood out.", closedNone.Sentence())
	require.Equal(t, "borg backup (borg (pid 42)) on db1 ended after 1h0m0s.", window().Sentence())
	require.Equal(t, "shop on db1 takes 400 ms instead of 110 ms.", episode().Sentence())
	require.Equal(t, "1234 s", event.Seconds(1234))

	backwards := closed
	backwards.End = onset.Add(-time.Hour)
	require.Contains(t, backwards.Sentence(), "recovered after 0s")
}

func remove(key string) func(plog.LogRecord) {
	return func(r plog.LogRecord) { r.Attributes().Remove(key) }
}

func put(key string, value any) func(plog.LogRecord) {
	return func(r plog.LogRecord) {
		v, _ := r.Attributes().GetOrPutEmpty(key)
		if err := v.FromRaw(value); err != nil {
			panic(err)
		}
	}
}

// FuzzParse gives the parsers whatever OTLP JSON can hold: they must not
// panic, and what they accept must survive another round.
func FuzzParse(f *testing.F) {
	for _, v := range []interface{ Record(plog.LogRecord) }{verdict(), ofJobs(), window(), episode()} {
		logs := plog.NewLogs()
		v.Record(logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
		seed, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
		require.NoError(f, err)
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(data)
		if err != nil {
			return
		}
		for v, err := range event.Verdicts(logs) {
			if err == nil {
				again(t, v, event.ParseVerdict)
			}
		}
		for w, err := range event.Windows(logs) {
			if err == nil {
				again(t, w, event.ParseWindow)
			}
		}
		for e, err := range event.Episodes(logs) {
			if err == nil {
				again(t, e, event.ParseEpisode)
			}
		}
	})
}

// again requires that writing and reading an event twice is the same as once.
// (The first reading may differ from what was read: bytes that are not UTF-8
// are replaced in writing.)
func again[T interface{ Record(plog.LogRecord) }](t *testing.T, v T, parse func(plog.LogRecord, pcommon.Resource) (T, error)) {
	t.Helper()
	once := plog.NewLogRecord()
	v.Record(once)
	first, err := parse(once, pcommon.NewResource())
	require.NoError(t, err)
	twice := plog.NewLogRecord()
	first.Record(twice)
	second, err := parse(twice, pcommon.NewResource())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(first, second))
}
