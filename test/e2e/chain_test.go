//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/test/e2e/grafana"
)

// From metrics to the alert, the annotations and the gauges, through everything
// that is shipped. It takes about 65 seconds: half a minute is what the engine
// needs to learn what is usual, and half a minute to believe a recovery.
func TestIncidentFromMetricsToAlert(t *testing.T) {
	began := time.Now()
	am := startAlertmanager(t)
	stand := grafana.New(map[string]grafana.Role{"editor": grafana.Editor})
	server := httptest.NewServer(stand)
	defer server.Close()
	c, prometheus := startChain(t, am.url, server.URL)
	night := playIncident(t, c)

	within(t, 45*time.Second, "what is usual is known", func() (bool, any) {
		all := scrape(t, prometheus)
		_, shop := all.one("rootcause_latency_baseline_seconds", "service_name", "shop")
		_, innocent := all.one("rootcause_latency_baseline_seconds", "service_name", "innocent")
		return shop && innocent && time.Since(began) >= 30*time.Second, all.rootcause()
	})
	require.Empty(t, am.active(t))
	require.Empty(t, stand.Annotations())

	onset := night.startBackup()
	var alert gettable
	within(t, time.Until(onset.Add(30*time.Second)), "the alert of the shop fires", func() (bool, any) {
		alerts := am.active(t)
		if len(alerts) != 1 {
			return false, alerts
		}
		alert = alerts[0]
		return true, nil
	})
	t.Logf("the alert fires %s after the onset; it dates it %s from the truth", time.Since(onset), alert.StartsAt.Sub(onset))
	require.Equal(t, map[string]string{
		"alertname": "RootCause", "service": "shop", "host": "web1", "cause": "contention", "resource": "disk",
		"workload": "restic", "backup_tool": "restic", "severity": "critical",
	}, alert.Labels)
	require.WithinDuration(t, onset, alert.StartsAt, 3*time.Second)
	require.Contains(t, alert.Annotations["summary"], "the cause is disk contention by restic (PID 4711)")

	eventually(t, "the gauges show it", func() (bool, any) {
		all := scrape(t, prometheus)
		slow, _ := all.one("rootcause_latency_current_seconds", "service_name", "shop", "host_name", "web1")
		fast, _ := all.one("rootcause_latency_current_seconds", "service_name", "innocent", "host_name", "web1")
		sure, _ := all.one("rootcause_verdict_confidence_ratio", "service_name", "shop", "rootcause_verdict_state", "named",
			"rootcause_cause_kind", "contention", "rootcause_cause_resource", "disk", "rootcause_cause_workload", "restic")
		backup, _ := all.one("rootcause_backup_active_ratio", "rootcause_backup_tool", "restic", "host_name", "web1")
		rate, _ := all.one("rootcause_workload_disk_rate_bytes_per_second", "rootcause_workload", "restic")
		return slow > 0.2 && slow <= 0.4 && fast > 0 && fast < 0.06 && sure >= 0.8 && sure <= 1 && backup == 1 &&
			rate > 80e6 && rate < 120e6, all.rootcause()
	})
	eventually(t, "both annotations are regions that grow", func() (bool, any) {
		verdict, backup := annotated(stand, "verdict"), annotated(stand, "backup")
		return len(verdict) == 1 && len(backup) == 1 && grown(verdict[0]) && grown(backup[0]), stand.Annotations()
	})
	verdict, backup := annotated(stand, "verdict")[0], annotated(stand, "backup")[0]
	require.Equal(t, alert.StartsAt.UnixMilli(), verdict.Time)
	require.Subset(t, verdict.Tags, []string{"service:shop", "host:web1", "state:named", "cause:contention"})
	require.NotContains(t, verdict.Text, "recovered")
	require.WithinDuration(t, onset, time.UnixMilli(backup.Time), time.Second)
	require.Subset(t, backup.Tags, []string{"host:web1", "tool:restic"})
	requireOnlyShop(t, am, stand, prometheus)

	recovered := night.endBackup()
	within(t, 20*time.Second, "the region of the backup is completed", func() (bool, any) {
		backup := annotated(stand, "backup")[0]
		return strings.Contains(backup.Text, "ended after"), backup
	})
	require.WithinDuration(t, recovered, time.UnixMilli(annotated(stand, "backup")[0].TimeEnd), 2*time.Second)
	requireOnlyShop(t, am, stand, prometheus)

	within(t, time.Until(recovered.Add(40*time.Second)), "the alert is resolved", func() (bool, any) {
		alerts := am.active(t)
		return len(alerts) == 0, alerts
	})
	t.Logf("resolved %s after the recovery", time.Since(recovered))
	require.True(t, time.Now().Before(alert.EndsAt), "it ran out at %s, nobody resolved it", alert.EndsAt)
	eventually(t, "the region of the verdict is completed", func() (bool, any) {
		verdict := annotated(stand, "verdict")[0]
		return strings.Contains(verdict.Text, "recovered after"), verdict
	})
	require.WithinDuration(t, recovered, time.UnixMilli(annotated(stand, "verdict")[0].TimeEnd), 5*time.Second)
	eventually(t, "the gauges of what is over end", func() (bool, any) {
		all := scrape(t, prometheus)
		_, verdict := all.one("rootcause_verdict_confidence_ratio")
		_, backup := all.one("rootcause_backup_active_ratio")
		bad, known := all.one("rootcause_episode_active_ratio", "service_name", "shop")
		return !verdict && !backup && known && bad == 0, all.rootcause()
	})
	require.Len(t, stand.Annotations(), 2)
	night.end()
	c.stop(t)
	require.Empty(t, complaints(c.log.String(), "error", "warn"))
	require.Less(t, time.Since(began), 110*time.Second)
}

// startChain runs the collector with all that findings go to.
func startChain(t *testing.T, alertmanagerURL, grafanaURL string) (c *culprit, prometheus string) {
	t.Helper()
	listen, metrics := address(t), address(t)
	config := fmt.Sprintf(`
receivers:
  otlp:
    protocols:
      http:
        endpoint: %s
processors:
  rootcause:
    metrics_interval: 1s
exporters:
  alertmanager_events:
    endpoints: [%s]
  grafana_annotations:
    endpoint: %s
    token: editor
    extend_interval: 1s
  prometheus:
    endpoint: %s
service:
  telemetry:
    metrics: {level: none}
  pipelines:
    metrics:
      receivers: [otlp]
      processors: [rootcause]
      exporters: [prometheus]
    logs:
      receivers: [otlp]
      processors: [rootcause]
      exporters: [alertmanager_events, grafana_annotations]
`, listen, alertmanagerURL, grafanaURL, metrics)
	return takesOTLP(t, listen, start(t, collector(t), "--config", write(t, config))), "http://" + metrics + "/metrics"
}

// requireOnlyShop checks that nobody is told anything of the innocent service.
func requireOnlyShop(t *testing.T, am *alertmanager, stand *grafana.Server, prometheus string) {
	t.Helper()
	for _, a := range am.active(t) {
		require.Equal(t, "shop", a.Labels["service"])
	}
	for _, a := range stand.Annotations() {
		require.NotContains(t, a.Tags, "service:innocent")
	}
	bad, known := scrape(t, prometheus).one("rootcause_episode_active_ratio", "service_name", "innocent")
	require.True(t, known)
	require.Zero(t, bad)
}

// annotated are the annotations with a tag.
func annotated(stand *grafana.Server, tag string) []grafana.Annotation {
	return slices.DeleteFunc(stand.Annotations(), func(a grafana.Annotation) bool { return !slices.Contains(a.Tags, tag) })
}

// grown tells that a region is longer than a region must be.
func grown(a grafana.Annotation) bool { return a.TimeEnd > a.Time+1000 }

// samples are the lines of a Prometheus endpoint.
type samples []string

// scrape reads a Prometheus endpoint.
func scrape(t *testing.T, url string) samples {
	t.Helper()
	body, err := read(t, url)
	if err != nil {
		return samples{err.Error()}
	}
	return strings.Split(string(body), "\n")
}

// one is the value of the only series of that name whose labels, given as pairs
// of name and value, begin so.
func (s samples) one(name string, labels ...string) (value float64, ok bool) {
	found := s.all(name, labels...)
	if len(found) != 1 {
		return 0, false
	}
	return found[0], true
}

func (s samples) all(name string, labels ...string) (values []float64) {
	for _, line := range s {
		if !strings.HasPrefix(line, name+"{") {
			continue
		}
		matches := true
		for i := 0; i+1 < len(labels); i += 2 {
			matches = matches && strings.Contains(line, labels[i]+`="`+labels[i+1])
		}
		value, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		if matches && err == nil {
			values = append(values, value)
		}
	}
	return values
}

// rootcause are the lines worth showing when a test fails.
func (s samples) rootcause() string {
	return strings.Join(slices.DeleteFunc(slices.Clone(s), func(line string) bool { return !strings.HasPrefix(line, "rootcause_") }), "\n")
}

// complaints are the lines of a collector's log that have one of the levels.
func complaints(log string, levels ...string) []string {
	var out []string
	for line := range strings.Lines(log) {
		if fields := strings.Split(line, "\t"); len(fields) > 1 && slices.Contains(levels, fields[1]) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}
