package grafanaexporter

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otel-culprit/culprit/internal/event"
)

var onset = time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)

// nightly is a verdict on a backup that slows a shop.
func nightly() event.Verdict {
	return event.Verdict{
		ID: "v1", Phase: event.Opened, At: onset.Add(time.Minute), Host: "db1", Service: "shop", Onset: onset,
		State: event.Named,
		Cause: event.Suspect{Kind: "contention", Resource: "disk", Workload: "borg.service", Confidence: 0.93, Why: "It reads the disk."},
		Rival: event.Suspect{Kind: "traffic_surge", Confidence: 0.04, Why: "The request rate did not change."},
		Backups: []event.Backup{{
			WindowID: "w1", Tool: "borg", Workload: "borg.service", Finding: "charged", Reason: "It began 3 s before.",
		}},
		Remedies: []event.Remedy{
			{Title: "Lower its weight", Command: "systemctl set-property borg.service IOWeight=10", Works: "yes"},
			{Title: "Use ionice", Works: "no"},
		},
		Latency: 1.25, Baseline: 0.11,
	}
}

func TestVerdictNote(t *testing.T) {
	n := verdictNote(nightly(), []string{"prod"})
	require.Equal(t, note{
		ID:    "rc:v1",
		Start: onset,
		Text: strings.Join([]string{
			"shop on db1 takes 1.25 s instead of 110 ms; the cause is disk contention by borg.service (93 %).",
			"It reads the disk.",
			"Next best: a surge of traffic (4 %). The request rate did not change.",
			"Backup borg borg.service: charged. It began 3 s before.",
			"To do: Lower its weight: systemctl set-property borg.service IOWeight=10",
		}, "<br>"),
		Tags: []string{"rc:v1", "rootcause", "verdict", "prod", "service:shop", "host:db1", "state:named", "cause:contention"},
	}, n)
}

func TestTextIsEscapedAndBounded(t *testing.T) {
	v := nightly()
	v.Cause.Workload = `<script>alert("x")</script>`
	for range 1000 {
		v.Remedies = append(v.Remedies, event.Remedy{Title: strings.Repeat("<b>\xff", 1000)})
	}
	n := verdictNote(v, nil)
	require.Contains(t, n.Text, "&lt;script&gt;")
	require.NotContains(t, n.Text, "<script")
	require.LessOrEqual(t, len(n.Text), maxText)
	require.NotContains(t, strings.ReplaceAll(n.Text, "<br>", ""), "<")
}

func TestTagsFitGrafanasLimit(t *testing.T) {
	v := nightly()
	v.ID = strings.Repeat("i", 10_000)
	v.Service, v.Host = strings.Repeat("\"", 1000), strings.Repeat("ä", 1000)
	extra := []string{strings.Repeat("e", 190)}
	n := verdictNote(v, extra)
	data, err := json.Marshal(n.Tags)
	require.NoError(t, err)
	require.LessOrEqual(t, len(data), maxTags)
	require.Equal(t, n.ID, n.Tags[0])
	require.Equal(t, "rootcause", n.Tags[1])
	require.Less(t, len(n.ID), 70)

	other := v
	other.ID += "j"
	require.NotEqual(t, n.ID, verdictNote(other, nil).ID)
}

func TestStartEnd(t *testing.T) {
	tests := map[string]struct {
		end, now   time.Duration // after the start
		wantMillis int64
	}{
		"open":             {0, time.Minute, 60_000},
		"closed":           {time.Second, time.Minute, 1000},
		"just opened":      {0, 0, 1},
		"start is ahead":   {0, -time.Hour, 1},
		"end before start": {-time.Hour, time.Minute, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n := note{Start: onset}
			if test.end != 0 {
				n.End = onset.Add(test.end)
			}
			start, end := n.startEnd(onset.Add(test.now))
			require.Equal(t, onset.UnixMilli(), start)
			require.Equal(t, test.wantMillis, end-start)
		})
	}
}

func TestConfigFromYAML(t *testing.T) {
	c := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"endpoint":        "https://grafana.example.org",
		"token":           "secret",
		"dashboard_uid":   "culprit",
		"panel_id":        3,
		"tags":            []any{"prod"},
		"extend_interval": "30s",
	}).Unmarshal(c))
	require.NoError(t, c.Validate())
	require.Equal(t, "https://grafana.example.org", c.ClientConfig.Endpoint)
	require.Equal(t, "secret", string(c.Token))
	require.NotContains(t, c.Token.String(), "secret")
	require.Equal(t, int64(3), c.PanelID)
	require.Equal(t, 30*time.Second, c.ExtendInterval)
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"no endpoint":       {func(c *Config) { c.ClientConfig.Endpoint = "" }, "endpoint must be set, such as http://127.0.0.1:3000"},
		"no scheme":         {func(c *Config) { c.ClientConfig.Endpoint = "grafana:3000" }, "endpoint must be a URL with http or https and a host, such as http://127.0.0.1:3000"},
		"two credentials":   {func(c *Config) { c.ClientConfig.Auth = configoptional.Some(configauth.Config{}) }, "token and auth are both set: remove one"},
		"negative panel":    {func(c *Config) { c.PanelID = -1 }, "panel_id must not be negative: leave it out to show annotations in all panels"},
		"panel of nothing":  {func(c *Config) { c.PanelID = 1 }, "panel_id needs dashboard_uid: set it, or leave out panel_id"},
		"empty tag":         {func(c *Config) { c.Tags = []string{""} }, "tags must not be empty texts: remove them"},
		"long tags":         {func(c *Config) { c.Tags = []string{strings.Repeat("t", 200)} }, "tags must be at most 200 bytes as JSON, not 204: Grafana has room for 500 in all"},
		"extends too often": {func(c *Config) { c.ExtendInterval = 0 }, "extend_interval must be at least 1s"},
		"forgets too soon":  {func(c *Config) { c.ForgetAfter = 0 }, "forget_after must be at least extend_interval, such as 24h"},
		"no annotations":    {func(c *Config) { c.MaxAnnotations = 0 }, "max_annotations must be at least 1"},
		"no timeout":        {func(c *Config) { c.ClientConfig.Timeout = 0 }, "timeout must be positive, such as 5s, or a Grafana that hangs is waited for without end"},
	}
	require.NoError(t, config(nil).Validate())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, config(test.change).Validate(), test.want)
		})
	}
}
