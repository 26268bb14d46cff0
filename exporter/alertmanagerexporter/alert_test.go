package alertmanagerexporter

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/event"
)

var onset = time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)

// nightly is a verdict on a backup that slows a shop.
func nightly() event.Verdict {
	return event.Verdict{
		ID: "v1", Phase: event.Opened, Reason: "cause_named", At: onset.Add(time.Minute),
		Host: "db1", Service: "shop", Onset: onset, State: event.Named,
		Cause: event.Suspect{
			Kind: "contention", Resource: "disk", Workload: "borg.service", Confidence: 0.931,
			Why: "Its reads began 3 s before the latency rose.",
		},
		Rival: event.Suspect{Kind: "traffic_surge", Confidence: 0.04, Why: "The request rate did not change."},
		Backups: []event.Backup{
			{WindowID: "w2", Tool: "restic", Workload: "restic.service", Finding: "cleared", Reason: "It waits for its lock."},
			{WindowID: "w1", Tool: "borg", Workload: "borg.service", Finding: "charged", Reason: "It reads the same disk."},
		},
		For: []string{"disk wait of the shop: 0 -> 0.7 s/s"}, Against: []string{"the CPU is idle"}, Missing: []string{"no pressure figures"},
		Remedies: []event.Remedy{
			{Title: "Lower its disk weight", Command: "systemctl set-property borg.service IOWeight=10", Works: "yes", Why: "The scheduler is bfq."},
			{Title: "Use ionice", Command: "ionice -c3", Works: "no"},
			{Title: "Move it to 04:00"},
		},
		Latency: 1.25, Baseline: 0.11, RequestRate: 40,
	}
}

func config(change func(*Config)) *Config {
	c := createDefaultConfig().(*Config)
	c.Endpoints = []string{"http://one:9093", "http://two:9093"}
	if change != nil {
		change(c)
	}
	return c
}

func TestNewAlert(t *testing.T) {
	c := config(func(c *Config) {
		c.Labels = map[string]string{"team": "storage"}
		c.RunbookURL = "https://example.org/runbooks/RootCause.md"
		c.DashboardURL = "https://grafana.example.org/d/culprit?orgId=1"
	})
	dashboardURL := "https://grafana.example.org/d/culprit?from=1795224600000&orgId=1&var-host=db1&var-service=shop"
	require.Equal(t, alert{
		Labels: map[string]string{
			"alertname": "RootCause", "service": "shop", "host": "db1", "cause": "contention", "resource": "disk",
			"workload": "borg.service", "backup_tool": "borg", "severity": "critical", "team": "storage",
		},
		Annotations: map[string]string{
			"summary": "shop on db1 takes 1.25 s instead of 110 ms; the cause is disk contention by borg.service (93 %).",
			"description": strings.Join([]string{
				"Its reads began 3 s before the latency rose.",
				"Evidence for it:", "- disk wait of the shop: 0 -> 0.7 s/s",
				"Evidence against it:", "- the CPU is idle",
				"Next best explanation: a surge of traffic (4 %). The request rate did not change.",
				"Backups that ran:", "- restic restic.service: cleared. It waits for its lock.",
				"- borg borg.service: charged. It reads the same disk.",
				"Not seen:", "- no pressure figures",
			}, "\n"),
			"remedy": strings.Join([]string{
				"Lower its disk weight: systemctl set-property borg.service IOWeight=10 (works on this host) - The scheduler is bfq.",
				"Use ionice: ionice -c3 (does not work on this host)",
				"Move it to 04:00",
			}, "\n"),
			"confidence": "0.93", "state": "named", "verdict_id": "v1",
			"runbook_url": "https://example.org/runbooks/RootCause.md#contention",
			"dashboard":   dashboardURL,
		},
		Generator: dashboardURL,
		StartsAt:  onset,
	}, newAlert(c, nightly()))
}

func TestAlertLeavesOutWhatIsEmpty(t *testing.T) {
	v := event.Verdict{ID: "v1", Phase: event.Opened, Service: "shop", Onset: onset, State: event.Unknown, Cause: event.Suspect{Kind: "unknown"}}
	a := newAlert(config(nil), v)
	require.Equal(t, map[string]string{"alertname": "RootCause", "service": "shop", "cause": "unknown", "severity": "info"}, a.Labels)
	require.Empty(t, a.Generator)
	for name, value := range a.Annotations {
		require.NotEmpty(t, value, name)
	}
}

// What moves during a verdict must not be in the identity: each change would
// be a new alert, and a new page.
func TestIdentityHoldsStillWhileNumbersMove(t *testing.T) {
	v := nightly()
	want := newAlert(config(nil), v).identity()
	for range 100 {
		v.Phase, v.At = event.Updated, v.At.Add(time.Minute)
		v.Latency, v.Baseline, v.RequestRate = rand.Float64(), rand.Float64(), rand.Float64()
		v.Cause.Confidence, v.Cause.Why, v.Rival.Kind = rand.Float64(), "Another sentence.", "upstream"
		v.Backups[0].Finding, v.Cause.PID = "undecided", rand.Int64()
		require.Equal(t, want, newAlert(config(nil), v).identity())
	}
	v.Cause.Workload = "rsync.service"
	require.NotEqual(t, want, newAlert(config(nil), v).identity())
}

func TestAlertNamesAJobByNameAndTellsItsPID(t *testing.T) {
	v := nightly()
	v.Cause.Workload, v.Cause.PID = "restic", 4711
	v.Backups = []event.Backup{
		{Tool: "borg", Workload: "restic", PID: 12, Finding: "charged"}, // another job of that name
		{Tool: "restic", Workload: "restic", PID: 4711, Finding: "charged"},
	}
	a := newAlert(config(nil), v)
	require.Equal(t, "restic", a.Labels["workload"])
	require.Equal(t, "restic", a.Labels["backup_tool"])
	require.Contains(t, a.Annotations["summary"], "disk contention by restic (PID 4711)")
	require.Contains(t, a.Annotations["description"], "- restic restic (PID 4711): charged.")
}

func TestAVerdictEndsAtItsOnsetAtTheEarliest(t *testing.T) {
	v := nightly()
	v.Phase, v.End = event.Closed, onset.Add(-time.Hour)
	n := newNews(config(func(c *Config) { c.DashboardURL = "https://g/d/x" }), v)
	require.Equal(t, onset, n.verdict.End)
	require.Contains(t, n.alert.Annotations["dashboard"], "&to=1795228200000&") // half an hour later
}

func TestAlertIsBounded(t *testing.T) {
	v := nightly()
	long := strings.Repeat("ä\xff", 100_000)
	v.Service, v.Host, v.Cause.Workload, v.Cause.Why, v.Cause.Kind = long, long, long, long, long
	v.For = make([]string, 10_000)
	v.Remedies = make([]event.Remedy, 10_000)
	for i := range v.For {
		v.For[i], v.Remedies[i].Title = long, long
	}
	a := newAlert(config(func(c *Config) { c.DashboardURL = "https://g/d/x"; c.RunbookURL = "https://r/" }), v)
	data, err := json.Marshal(a)
	require.NoError(t, err)
	require.Less(t, len(data), 64_000)
	for name, value := range a.Labels {
		require.LessOrEqual(t, len(value), maxLabel, name)
		require.True(t, utf8.ValidString(value), name)
	}
	_, err = url.ParseRequestURI(a.Generator)
	require.NoError(t, err)
}

func TestSureEnough(t *testing.T) {
	for _, test := range []struct {
		state, least event.State
		want         bool
	}{
		{event.Named, event.Named, true},
		{event.Probable, event.Named, false},
		{event.Probable, event.Probable, true},
		{event.Unknown, event.Probable, false},
		{event.Unknown, event.Unknown, true},
	} {
		require.Equal(t, test.want, sureEnough(test.state, test.least), "%s >= %s", test.state, test.least)
	}
}

func TestPostableTimes(t *testing.T) {
	now := onset.Add(time.Hour)
	at := func(start, end time.Duration) posted {
		p := posted{Alert: alert{StartsAt: onset.Add(start)}}
		if end != 0 {
			p.EndsAt = onset.Add(end)
		}
		return p
	}
	tests := map[string]struct {
		in         posted
		start, end time.Time
	}{
		"open":               {at(0, 0), onset, now.Add(4 * time.Minute)},
		"closed":             {at(0, time.Minute), onset, onset.Add(time.Minute)},
		"open, future":       {at(2*time.Hour, 0), now, now.Add(4 * time.Minute)},
		"closed, future":     {at(0, 2*time.Hour), onset, now},
		"end before start":   {at(30*time.Minute, time.Minute), onset.Add(30 * time.Minute), onset.Add(30 * time.Minute)},
		"all in the future":  {at(2*time.Hour, 3*time.Hour), now, now},
		"ends when it began": {at(time.Minute, time.Minute), onset.Add(time.Minute), onset.Add(time.Minute)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := newPostable(test.in, 4*time.Minute, now)
			require.Equal(t, test.start, got.StartsAt)
			require.Equal(t, test.end, got.EndsAt)
		})
	}
}
