package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/report"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

var midnight = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

func second(n int) time.Time { return midnight.Add(time.Duration(n) * time.Second) }

// script is an engine that says what the test wants.
type script struct {
	events   map[time.Time][]rootcause.Event
	snapshot func(at time.Time) rootcause.Snapshot
	refuse   error // of every fact that is not a tick
	now      time.Time
}

func (s *script) Step(f fact.Fact) ([]rootcause.Event, error) {
	if _, ok := f.(fact.Tick); !ok {
		return nil, s.refuse
	}
	s.now = f.When()
	return s.events[s.now], nil
}

func (s *script) Snapshot() rootcause.Snapshot {
	if s.snapshot == nil {
		return rootcause.Snapshot{At: s.now}
	}
	return s.snapshot(s.now)
}

func ticks(n int) []fact.Fact {
	list := make([]fact.Fact, n)
	for i := range list {
		list[i] = fact.Tick{At: second(i)}
	}
	return list
}

func write(t *testing.T, in report.Input) string {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, report.Write(&page, in))
	keep(t, page.Bytes())
	require.Less(t, page.Len(), 1<<20)
	return page.String()
}

// has fails with the fragment alone: a page is too long to be printed.
func has(t *testing.T, page, fragment string) {
	t.Helper()
	if !strings.Contains(page, fragment) {
		t.Fatalf("the page lacks %q", fragment)
	}
}

func lacks(t *testing.T, page, fragment string) {
	t.Helper()
	if strings.Contains(page, fragment) {
		t.Fatalf("the page has %q", fragment)
	}
}

func broken(facts []fact.Fact, err error) iter.Seq2[fact.Fact, error] {
	return func(yield func(fact.Fact, error) bool) {
		for _, f := range facts {
			if !yield(f, nil) {
				return
			}
		}
		yield(nil, err)
	}
}

var shop = rootcause.Victim{Service: "shop", Host: "web-1"}

func verdictOn(w backup.Workload) rootcause.Verdict {
	return rootcause.Verdict{
		ID: "v1", Phase: rootcause.Opened, Reason: rootcause.ReasonCauseNamed, At: second(70), Victim: shop,
		Onset: second(60), State: rootcause.StateNamed, Latency: 1.25, Baseline: 0.08, RequestRate: 41, UsualRate: 40,
		Suspects: []rootcause.Suspect{
			{Cause: rootcause.Contention, Resource: rootcause.SharedDisk, Workload: w, Tool: "restic", Probability: 0.93, Evidence: []rootcause.Evidence{
				{Name: "shift", Value: 182e6, Unit: "By/s", Weight: 2.5, Sentence: w.Name + " uses 182 MB/s, before the onset 0 B/s"},
				{Name: "onset_order", Value: -1, Unit: "s", Weight: -0.5, Sentence: "it rose 1 s after the latency"},
			}},
			{Cause: rootcause.TrafficSurge, Probability: 0.04, Evidence: []rootcause.Evidence{
				{Name: "request_rate", Value: 41, Unit: "{request}/s", Weight: -2, Sentence: "shop gets 41 requests per second, usually 40"},
			}},
			{Cause: rootcause.UnknownCause, Probability: 0.03},
		},
		Backups: []rootcause.Backup{{
			Window:  backup.Window{ID: "w1", Tool: "restic", Workload: w, Start: second(58)},
			Finding: rootcause.Charged, Probability: 0.93, Sentence: w.Name + " uses 182 MB/s, before the onset 0 B/s",
		}},
		Missing: []string{"the network use of processes is not measured"},
		Remedies: []rootcause.Remedy{
			{Title: "throttle the unit", Command: "systemctl set-property --runtime nightly.service IOReadBandwidthMax='/ 10M'", Works: rootcause.DoesWork, Why: "limits what it reads"},
			{Title: "use the disk only when nobody else does", Command: "ionice -c 3 -P 7", Works: rootcause.DoesNotWork, Why: "no disk here uses BFQ"},
		},
	}
}

func nightly() *script {
	w := backup.Workload{Host: "web-1", Name: "nightly.service"}
	v := verdictOn(w)
	closed := v
	closed.Phase, closed.Reason, closed.At, closed.End = rootcause.Closed, rootcause.ReasonLatencyRecovered, second(110), second(108)
	window := backup.Window{ID: "w1", Tool: "restic", Workload: w, Start: second(58)}
	ended := window
	ended.End = second(100)
	return &script{
		events: map[time.Time][]rootcause.Event{
			second(59):  {rootcause.Window{Phase: rootcause.Opened, At: second(58), Window: window}},
			second(70):  {rootcause.Episode{ID: "v1", Phase: rootcause.Opened, Victim: shop, Onset: second(60), Latency: 1.25, Baseline: 0.08}, v},
			second(100): {rootcause.Window{Phase: rootcause.Closed, At: second(100), Window: ended}},
			second(110): {rootcause.Episode{ID: "v1", Phase: rootcause.Closed, Victim: shop, Onset: second(60), End: second(108), Latency: 2.5, Baseline: 0.08}, closed},
		},
		snapshot: func(at time.Time) rootcause.Snapshot {
			view := rootcause.VictimView{Victim: shop, Latency: 0.08, Baseline: math.NaN(), Upper: math.NaN(), Rate: 40}
			if at.After(second(20)) {
				view.Baseline, view.Upper = 0.08, 0.14
			}
			use := rootcause.WorkloadView{Workload: w, Tool: "restic"}
			if at.After(second(58)) && at.Before(second(100)) {
				view.Latency, use.CPU, use.Disk = 1.25, 0.4, 182e6
			}
			return rootcause.Snapshot{At: at, Victims: []rootcause.VictimView{view}, Top: []rootcause.WorkloadView{use}}
		},
	}
}

func TestVerdictInPlainWords(t *testing.T) {
	s := nightly()
	facts := append([]fact.Fact{fact.Mark{At: second(5), Name: "deploy", Text: "version 7"}}, ticks(120)...)
	page := html.UnescapeString(write(t, report.Input{Title: "one night", Engine: s, Facts: seq(facts)}))
	for _, fragment := range []string{
		"<title>Culprit: nightly.service slowed shop by keeping the disk busy</title>",
		"One slowdown, and its cause is named.",
		"<h2>nightly.service slowed shop by keeping the disk busy.</h2>",
		"<b>93\u00a0%</b> sure",
		"<dt>Slow since</dt><dd>00:01:00</dd>",
		"<dt>Lasted</dt><dd>48\u00a0s<small>until 00:01:48</small></dd>",
		"<dt>Latency</dt><dd>2.5\u00a0s<small>at worst, 31 times the usual 80\u00a0ms</small></dd>",
		"<dt>Verdict after</dt><dd>10\u00a0s<small>at 00:01:10</small></dd>",
		"<li>nightly.service uses 182 MB/s, before the onset 0 B/s.</li>",
		"Strongest rival: Traffic surge, 4\u00a0%. shop gets 41 requests per second, usually 40.",
		`<span class="tag tag-charged">charged</span>`,
		"restic in nightly.service",
		"shift 182\u00a0MB/s, weight +2.5",
		"onset order -1\u00a0s, weight −0.5",
		"systemctl set-property --runtime nightly.service IOReadBandwidthMax='/ 10M'",
		`<span class="answer answer-yes">works here</span>`,
		`<span class="answer answer-no">no use here</span>`,
		"The network use of processes is not measured.",
		">deploy</span>", "00:00:05 deploy: version 7",
		"The usual band ends at 140\u00a0ms.",
		`data-unit="By/s"`,
	} {
		has(t, page, fragment)
	}
}

func TestThoseNamedTogetherAreOneClaim(t *testing.T) {
	v := verdictOn(backup.Workload{Host: "web-1", Name: "nightly.service"})
	other := v.Suspects[0]
	other.Workload = backup.Workload{Host: "web-1", Name: "rsync", PID: 9}
	v.Suspects[0].Probability, other.Probability = 0.5, 0.25
	v.Suspects[0].Together, other.Together = true, true
	v.Suspects = slices.Insert(v.Suspects, 1, other)
	require.Equal(t, "nightly.service and rsync (PID 9) slowed shop by keeping the disk busy", report.Claim(v, false))
	s := &script{events: map[time.Time][]rootcause.Event{second(70): {
		rootcause.Episode{ID: "v1", Phase: rootcause.Opened, Victim: shop, Onset: second(60), Latency: 1.25, Baseline: 0.08}, v,
	}}}
	page := html.UnescapeString(write(t, report.Input{Engine: s, Facts: seq(ticks(120))}))
	has(t, page, "<b>75\u00a0%</b> sure")
	has(t, page, "Strongest rival: Traffic surge")

	v.State = rootcause.StateUnknown
	require.Equal(t, "shop was slow, and no cause stands out", report.Claim(v, false))
}

func TestPageLoadsNothing(t *testing.T) {
	s := nightly()
	page := write(t, report.Input{Engine: s, Facts: seq(ticks(120))})
	for _, outside := range []string{"http:", "https:", "//cdn", "src=", "@import", "url(", "<link"} {
		lacks(t, page, outside)
	}
	has(t, page, "default-src 'none'")
}

func TestHostileNames(t *testing.T) {
	const evil = `"><script>alert(1)</script><img/src=x onerror=alert(2)>`
	for name, hostile := range map[string]string{
		"markup":   evil,
		"style":    `x;}body{display:none}</style><script>alert(1)</script>`,
		"template": `{{.Script}}` + evil,
		"reversed": "\u202egpj.exe\u202c\x00\x1b[31m",
		"long":     strings.Repeat("ü", 1<<20),
		"bytes":    "\xff\xfe\xfd",
	} {
		t.Run(name, func(t *testing.T) {
			w := backup.Workload{Host: hostile, Name: hostile, PID: 7}
			v := verdictOn(w)
			v.Victim = rootcause.Victim{Service: hostile, Host: hostile}
			v.Missing = []string{hostile}
			v.Reason = rootcause.Reason(hostile)
			v.Remedies[0].Command, v.Remedies[0].Title, v.Remedies[0].Why = hostile, hostile, hostile
			v.Suspects[0].Tool = hostile
			for i := range v.Suspects[0].Evidence {
				v.Suspects[0].Evidence[i] = rootcause.Evidence{Name: hostile, Unit: hostile, Value: 1, Weight: 1, Sentence: hostile}
			}
			s := &script{
				events: map[time.Time][]rootcause.Event{second(70): {
					rootcause.Window{Phase: rootcause.Opened, Window: backup.Window{ID: "w1", Tool: hostile, Workload: w, Start: second(1)}},
					v,
				}},
				snapshot: func(time.Time) rootcause.Snapshot {
					return rootcause.Snapshot{
						Victims: []rootcause.VictimView{{Victim: v.Victim, Latency: 1, Baseline: 0.5, Upper: 0.7}},
						Top:     []rootcause.WorkloadView{{Workload: w, Tool: hostile, CPU: 1, Disk: 1e6}},
					}
				},
			}
			facts := append([]fact.Fact{
				fact.Mark{At: second(3), Name: hostile, Text: hostile},
				fact.Pressure{At: second(3), Over: time.Second, Host: hostile, Resource: hostile, Some: 0.5},
			}, ticks(120)...)
			page := write(t, report.Input{Title: hostile, Engine: s, Facts: seq(facts), Acts: []report.Act{{Name: hostile, Text: hostile, Start: second(1)}}})
			require.Equal(t, 1, strings.Count(page, "<script"), "only our own script")
			lacks(t, page, "<img")
			require.Equal(t, 1, strings.Count(page, "</style>"))
			lacks(t, page, "ZgotmplZ")
			for _, r := range page {
				require.False(t, r == 0 || r == 0x1b || r == 0x202e || r == 0x202c, "control character %U", r)
			}
		})
	}
}

func TestGracefulWithoutMuch(t *testing.T) {
	nan := func(time.Time) rootcause.Snapshot {
		n := math.NaN()
		return rootcause.Snapshot{
			Victims: []rootcause.VictimView{{Victim: shop, Latency: n, Baseline: n, Upper: n, Rate: n}},
			Top:     []rootcause.WorkloadView{{Workload: backup.Workload{Name: "x"}, CPU: n, Disk: math.Inf(1), Network: n, Memory: n}},
		}
	}
	empty := verdictOn(backup.Workload{})
	empty.Suspects, empty.Backups, empty.Latency, empty.Baseline, empty.RequestRate = nil, nil, math.NaN(), math.NaN(), math.NaN()
	for name, c := range map[string]struct {
		in   report.Input
		want string
	}{
		"nothing":       {report.Input{Engine: &script{}}, "The journal is empty."},
		"no facts":      {report.Input{Engine: &script{}, Facts: seq(nil)}, "The journal is empty."},
		"one tick":      {report.Input{Engine: &script{}, Facts: seq(ticks(1))}, "No latency was measured."},
		"only NaN":      {report.Input{Engine: &script{snapshot: nan}, Facts: seq(ticks(9))}, "No latency was measured."},
		"only zero":     {report.Input{Engine: &script{}, Facts: seq([]fact.Fact{fact.Tick{}})}, "No latency was measured."},
		"cut off":       {report.Input{Engine: &script{}, Facts: broken(ticks(9), fmt.Errorf("line 10: %w", io.ErrUnexpectedEOF))}, "ends in the middle of a fact"},
		"bare verdict":  {report.Input{Engine: &script{events: map[time.Time][]rootcause.Event{second(3): {empty}}}, Facts: seq(ticks(9))}, "no cause stands out"},
		"only episodes": {report.Input{Engine: &script{events: map[time.Time][]rootcause.Event{second(3): {rootcause.Episode{ID: "e", Victim: shop, Onset: second(2)}}}}, Facts: seq(ticks(9))}, "The site was slow once, without a verdict."},
		"refused": {
			report.Input{Engine: &script{refuse: errors.New("clock went back")}, Facts: seq([]fact.Fact{fact.Mark{At: second(1)}})},
			"refused one fact, which was left out; the first reason: Clock went back.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			page := write(t, c.in)
			has(t, page, c.want)
			lacks(t, page, "NaN")
			require.True(t, strings.HasSuffix(strings.TrimSpace(page), "</html>"))
		})
	}
}

func TestUnreadableJournalIsAnErrorAfterThePage(t *testing.T) {
	var page bytes.Buffer
	err := report.Write(&page, report.Input{Engine: &script{}, Facts: broken(ticks(3), errors.New("disk gone"))})
	require.EqualError(t, err, "reading the facts: disk gone")
	has(t, page.String(), "could not be read to its end: Disk gone.")
	require.Error(t, report.Write(io.Discard, report.Input{}))
}

func TestAPageStaysSmall(t *testing.T) {
	s := &script{events: map[time.Time][]rootcause.Event{}}
	var facts []fact.Fact
	for i := range 30_000 {
		at := second(i)
		for h := range 20 {
			facts = append(facts, fact.Pressure{At: at, Over: time.Second, Host: fmt.Sprint("host-", h), Resource: "io", Some: float64(i*h%97) / 97})
		}
		facts = append(facts, fact.Mark{At: at, Name: "mark", Text: "text"}, fact.Tick{At: at})
		if i%100 == 0 {
			w := backup.Workload{Host: "web-1", Name: fmt.Sprint("job-", i), PID: int64(i)}
			v := verdictOn(w)
			v.ID, v.At, v.Onset = strconv.Itoa(i), at, at
			for range 300 {
				v.Suspects = append(v.Suspects, v.Suspects[0])
				v.Missing = append(v.Missing, "something")
				v.Backups = append(v.Backups, v.Backups[0])
				v.Remedies = append(v.Remedies, v.Remedies[0])
			}
			s.events[at] = []rootcause.Event{
				rootcause.Window{Window: backup.Window{ID: strconv.Itoa(i), Tool: "restic", Workload: w, Start: at}},
				rootcause.Episode{ID: strconv.Itoa(i), Victim: shop, Onset: at},
				v,
			}
		}
	}
	s.snapshot = func(at time.Time) rootcause.Snapshot {
		var snapshot rootcause.Snapshot
		n := at.Unix()
		for i := range int64(9) {
			x := float64(n*(i+3)%101) + 1
			snapshot.Victims = append(snapshot.Victims, rootcause.VictimView{Victim: rootcause.Victim{Service: fmt.Sprint("svc-", i)}, Latency: x / 100, Baseline: x / 300, Upper: x / 200, Rate: x})
			snapshot.Top = append(snapshot.Top, rootcause.WorkloadView{Workload: backup.Workload{Name: fmt.Sprint("job-", i)}, CPU: x, Disk: x * 1e6, Network: x, Memory: x * 1e6})
		}
		return snapshot
	}
	page := write(t, report.Input{Engine: s, Facts: seq(facts)})
	has(t, page, "280 more verdicts are not shown.")
	has(t, page, "6 more services are not drawn.")
}
