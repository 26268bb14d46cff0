//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/test/e2e/grafana"
)

// slowShop is a verdict that opened just now, on an onset a minute ago.
func slowShop() event.Verdict {
	now := time.Now()
	return event.Verdict{
		ID: "v1", Phase: event.Opened, Reason: "cause_named", At: now,
		Host: "db1", Service: "shop", Onset: now.Add(-time.Minute).Truncate(time.Millisecond).UTC(), State: event.Named,
		Cause: event.Suspect{
			Kind: "contention", Resource: "disk", Workload: "borg.service", Confidence: 0.93,
			Why: "Its reads began 3 s before the latency rose.",
		},
		Rival:    event.Suspect{Kind: "traffic_surge", Confidence: 0.04, Why: "The request rate did not change."},
		Backups:  []event.Backup{{WindowID: "w1", Tool: "borg", Workload: "borg.service", Finding: "charged", Reason: "It reads the disk."}},
		For:      []string{"disk wait of the shop rose"},
		Remedies: []event.Remedy{{Title: "Lower its weight", Command: "systemctl set-property borg.service IOWeight=10", Works: "yes"}},
		Latency:  1.25, Baseline: 0.11, RequestRate: 40,
	}
}

func next(v event.Verdict, phase event.Phase, change func(*event.Verdict)) event.Verdict {
	v.Phase, v.At = phase, time.Now()
	if phase == event.Closed {
		v.End = v.At
	}
	if change != nil {
		change(&v)
	}
	return v
}

func alertmanagerExporter(endpoints ...string) string {
	return fmt.Sprintf(`alertmanager_events:
  endpoints: [%s]
  resend_interval: 1s
  resolve_after: 6s
  labels: {team: storage}
  dashboard_url: http://127.0.0.1:3000/d/culprit
  runbook_url: https://example.org/RootCause.md
`, strings.Join(endpoints, ","))
}

func anyAlert(gettable) bool { return true }

func TestVerdictIsAnAlertWhileItIsOpen(t *testing.T) {
	am := startAlertmanager(t)
	c := startCulprit(t, "", alertmanagerExporter(am.url))

	v := slowShop()
	c.tell(t, v)
	a := am.one(t, "the alert arrives", anyAlert)
	require.Equal(t, map[string]string{
		"alertname": "RootCause", "service": "shop", "host": "db1", "cause": "contention", "resource": "disk",
		"workload": "borg.service", "backup_tool": "borg", "severity": "critical", "team": "storage",
	}, a.Labels)
	require.Equal(t, "shop on db1 takes 1.25 s instead of 110 ms; the cause is disk contention by borg.service (93 %).", a.Annotations["summary"])
	require.Contains(t, a.Annotations["remedy"], "systemctl set-property borg.service IOWeight=10")
	require.Contains(t, a.GeneratorURL, "var-service=shop")
	require.True(t, a.StartsAt.Equal(v.Onset), "it started at %s, not at the onset %s", a.StartsAt, v.Onset)
	require.WithinDuration(t, time.Now().Add(6*time.Second), a.EndsAt, 3*time.Second)

	renewed := am.one(t, "the alert is renewed past its first end", func(r gettable) bool { return r.EndsAt.After(a.EndsAt.Add(6 * time.Second)) })
	require.True(t, renewed.StartsAt.Equal(v.Onset))

	changed := next(v, event.Updated, func(v *event.Verdict) { v.Cause.Workload, v.Backups = "rsync.service", nil })
	c.tell(t, changed)
	am.one(t, "the other cause replaces the first", func(a gettable) bool { return a.Labels["workload"] == "rsync.service" })

	c.tell(t, next(changed, event.Closed, nil))
	am.none(t)
	time.Sleep(3 * time.Second) // several repetitions of what is resolved
	require.Empty(t, am.active(t))
}

func TestEveryPeerHearsEverything(t *testing.T) {
	one, two := startAlertmanager(t), startAlertmanager(t)
	one.kill()
	c := startCulprit(t, "", alertmanagerExporter(one.url, two.url))
	c.tell(t, slowShop())
	two.one(t, "the peer that is up has the alert", anyAlert)

	one.start(t)
	one.one(t, "the peer that was down gets it", anyAlert)
	one.kill()
	one.start(t)
	one.one(t, "a peer that forgot it gets it again", anyAlert)

	c.tell(t, next(slowShop(), event.Closed, nil))
	one.none(t)
	two.none(t)
}

func TestAlertsSurviveTheCollector(t *testing.T) {
	am := startAlertmanager(t)
	storage := fmt.Sprintf("file_storage:\n  directory: %s\n", t.TempDir())
	exporter := alertmanagerExporter(am.url) + "  storage: file_storage\n"
	c := startCulprit(t, storage, exporter)
	v := slowShop()
	c.tell(t, v)
	first := am.one(t, "the alert arrives", anyAlert)
	c.kill()

	c = startCulprit(t, storage, exporter)
	am.one(t, "the alert is renewed after a crash", func(a gettable) bool { return a.EndsAt.After(first.EndsAt.Add(6 * time.Second)) })
	c.stop(t)
	require.Len(t, am.active(t), 1, "a shutdown resolves nothing")
	am.none(t) // it ends by itself
}

func TestShutdownDeliversWhatIsPending(t *testing.T) {
	am := startAlertmanager(t)
	c := startCulprit(t, "", alertmanagerExporter(am.url))
	c.tell(t, slowShop())
	c.stop(t)
	am.one(t, "the alert arrives", anyAlert)
}

func TestRecordsThatAreNoEventsAreRefusedWithAReason(t *testing.T) {
	am := startAlertmanager(t)
	c := startCulprit(t, "", alertmanagerExporter(am.url))
	err := c.post(t, damaged(slowShop()))
	require.ErrorContains(t, err, "attribute rootcause.onset is missing")
}

func TestAnnotationIsCreatedOnceAndCompleted(t *testing.T) {
	stand := grafana.New(map[string]grafana.Role{"editor": grafana.Editor}, "culprit")
	server := httptest.NewServer(stand)
	defer server.Close()
	exporter := fmt.Sprintf(`grafana_annotations:
  endpoint: %s
  token: editor
  dashboard_uid: culprit
  tags: [e2e]
  extend_interval: 1s
`, server.URL)
	c := startCulprit(t, "", exporter)
	v := slowShop()
	w := event.Window{ID: "w1", Phase: event.Opened, At: v.At, Host: "db1", Tool: "borg", Workload: "borg.service", Start: v.Onset}
	c.tell(t, v, w)
	both := func() map[string]grafana.Annotation {
		out := map[string]grafana.Annotation{}
		for _, a := range stand.Annotations() {
			out[a.Tags[0]] = a
		}
		return out
	}
	eventually(t, "both are annotated", func() (bool, any) { return len(both()) == 2, both() })
	first := both()["rc:v1"]
	require.Equal(t, v.Onset.UnixMilli(), first.Time)
	require.Equal(t, "culprit", first.DashboardUID)
	require.Equal(t, []string{"rc:v1", "rootcause", "verdict", "e2e", "service:shop", "host:db1", "state:named", "cause:contention"}, first.Tags)
	eventually(t, "the region grows", func() (bool, any) {
		return both()["rc:v1"].TimeEnd > first.TimeEnd+2000, both()
	})

	// A restart in between must find the annotation again.
	c.stop(t)
	c = startCulprit(t, "", exporter)
	done := next(v, event.Closed, nil)
	w.Phase, w.At, w.End = event.Closed, done.At, done.At
	c.tell(t, done, w)
	eventually(t, "both are completed", func() (bool, any) {
		all := both()
		return all["rc:v1"].TimeEnd == done.End.UnixMilli() && all["rc:w1"].TimeEnd == w.End.UnixMilli(), all
	})
	require.Contains(t, both()["rc:v1"].Text, "recovered after")
	require.Len(t, stand.Annotations(), 2)
}
