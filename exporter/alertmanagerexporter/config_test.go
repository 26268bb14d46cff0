package alertmanagerexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otel-culprit/culprit/internal/event"
)

func TestConfigFromYAML(t *testing.T) {
	c := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"endpoints":       []any{"http://am1:9093", "https://am2/alerts"},
		"timeout":         "3s",
		"resend_interval": "30s",
		"min_state":       "named",
		"labels":          map[string]any{"team": "storage"},
		"storage":         "file_storage/alerts",
		"tls":             map[string]any{"insecure_skip_verify": true},
	}).Unmarshal(c))
	require.NoError(t, c.Validate())
	require.Equal(t, []string{"http://am1:9093", "https://am2/alerts"}, c.Endpoints)
	require.Equal(t, 3*time.Second, c.ClientConfig.Timeout)
	require.True(t, c.ClientConfig.TLS.InsecureSkipVerify)
	require.Equal(t, event.Named, c.MinState)
	require.Equal(t, 2*time.Minute, c.lease())
	require.Equal(t, component.MustNewIDWithName("file_storage", "alerts"), *c.Storage)
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"no endpoints":     {func(c *Config) { c.Endpoints = nil }, "endpoints must list every Alertmanager, such as [http://127.0.0.1:9093]"},
		"endpoint":         {func(c *Config) { c.ClientConfig.Endpoint = "http://am" }, "endpoint is not used here: list every Alertmanager under endpoints"},
		"no scheme":        {func(c *Config) { c.Endpoints = []string{"am:9093"} }, "endpoints[0] must be a URL with http or https and a host, such as http://127.0.0.1:9093"},
		"twice":            {func(c *Config) { c.Endpoints = []string{"http://am", "http://am"} }, "endpoints[1] is listed twice: remove one"},
		"resend too often": {func(c *Config) { c.ResendInterval = time.Millisecond }, "resend_interval must be at least 1s"},
		"resolves between": {func(c *Config) { c.ResolveAfter = time.Minute }, "resolve_after must be at least twice resend_interval, or alerts resolve between two renewals; leave it out to have four times as long"},
		"forgets too soon": {func(c *Config) { c.ForgetAfter = time.Minute }, "forget_after must be at least resolve_after, such as 24h"},
		"no timeout":       {func(c *Config) { c.ClientConfig.Timeout = 0 }, "timeout must be positive, such as 5s, or an Alertmanager that hangs is waited for without end"},
		"dotted label":     {func(c *Config) { c.Labels = map[string]string{"a.b": "c"} }, `labels: "a.b" must consist of letters, digits and underscores, and not begin with a digit`},
		"own label":        {func(c *Config) { c.Labels = map[string]string{"severity": "page"} }, "labels: severity is set by the exporter: choose another name"},
		"empty label":      {func(c *Config) { c.Labels = map[string]string{"team": ""} }, "labels: team must have a value, or be removed"},
		"long label":       {func(c *Config) { c.Labels = map[string]string{"team": string(make([]byte, 201))} }, "labels: team must be at most 200 bytes long"},
		"odd state":        {func(c *Config) { c.MinState = "sure" }, `min_state must be named, probable or unknown, not "sure"`},
		"no alerts":        {func(c *Config) { c.MaxAlerts = 0 }, "max_alerts must be at least 1"},
		"odd dashboard":    {func(c *Config) { c.DashboardURL = "/d/x" }, "dashboard_url must be a URL with http or https and a host"},
		"odd runbook":      {func(c *Config) { c.RunbookURL = "see wiki" }, "runbook_url must be a URL with http or https and a host"},
	}
	require.NoError(t, config(nil).Validate())
	require.Equal(t, event.Named, config(nil).MinState)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, config(test.change).Validate(), test.want)
		})
	}
}
