package monitoring_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/otlptranslator"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const root = "../.."

// declared are the names under which Prometheus sees the metrics that the
// components declare, by the prometheus exporter's rules.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	namer := otlptranslator.MetricNamer{WithMetricSuffixes: true}
	names := map[string]bool{}
	add := func(name, unit string, kind otlptranslator.MetricType) {
		built, err := namer.Build(otlptranslator.Metric{Name: name, Unit: unit, Type: kind})
		require.NoError(t, err)
		names[built] = true
	}

	var meta struct {
		Metrics map[string]struct {
			Unit string
			Sum  *struct{ Monotonic bool }
		}
	}
	read(t, "receiver/procfsreceiver/metadata.yaml", &meta)
	require.NotEmpty(t, meta.Metrics)
	for name, m := range meta.Metrics {
		var kind otlptranslator.MetricType = otlptranslator.MetricTypeGauge
		if m.Sum != nil {
			kind = otlptranslator.MetricTypeNonMonotonicCounter
			if m.Sum.Monotonic {
				kind = otlptranslator.MetricTypeMonotonicCounter
			}
		}
		add(name, m.Unit, kind)
	}

	// The processor declares its gauges in Go: gauge{"name", "unit", "..."}.
	source, err := os.ReadFile(filepath.Join(root, "processor/rootcauseprocessor/gauges.go"))
	require.NoError(t, err)
	gauges := regexp.MustCompile(`gauge\{"([^"]+)", "([^"]+)",`).FindAllStringSubmatch(string(source), -1)
	require.NotEmpty(t, gauges, "the gauges of the processor are declared in another way now")
	for _, g := range gauges {
		add(g[1], g[2], otlptranslator.MetricTypeGauge)
	}
	return names
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, into), path)
}

// rules are the alerting rules of alerts/.
type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []rule }
	}
	read(t, "alerts/culprit.rules.yaml", &file)
	var list []rule
	for _, g := range file.Groups {
		list = append(list, g.Rules...)
	}
	require.NotEmpty(t, list)
	return list
}

// queries are what the dashboard asks, panels and variables.
func queries(t *testing.T) (panels, variables []string) {
	t.Helper()
	var d struct {
		Panels     []map[string]any
		Templating struct {
			List []struct {
				Type  string
				Query string
			}
		}
	}
	read(t, "dashboards/culprit-overview.json", &d) // JSON is YAML
	for _, p := range d.Panels {
		targets, _ := p["targets"].([]any)
		for _, target := range targets {
			expr, ok := target.(map[string]any)["expr"].(string)
			require.True(t, ok)
			panels = append(panels, expr)
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			variables = append(variables, v.Query)
		}
	}
	require.NotEmpty(t, panels)
	require.NotEmpty(t, variables)
	return panels, variables
}

var (
	notMetrics = regexp.MustCompile(`(?s)\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	identifier = regexp.MustCompile(`[A-Za-z_:][A-Za-z0-9_:]*(\s*\()?`)
	labelQuery = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	operators  = []string{"and", "or", "unless", "bool", "offset"}
)

// metricsIn finds the metrics that a PromQL expression asks for: the names that
// are neither labels nor functions nor operators.
func metricsIn(expr string) (list []string) {
	expr = notMetrics.ReplaceAllString(expr, " ")
	for _, name := range identifier.FindAllString(expr, -1) {
		if !strings.HasSuffix(name, "(") && !slices.Contains(operators, name) {
			list = append(list, name)
		}
	}
	return list
}

func TestMetricsOfDashboardsAndAlertsExist(t *testing.T) {
	names := declared(t)
	panels, variables := queries(t)
	exprs := slices.Clone(panels)
	for _, v := range variables {
		match := labelQuery.FindStringSubmatch(v)
		require.NotNil(t, match, v)
		exprs = append(exprs, match[1])
	}
	for _, r := range rules(t) {
		exprs = append(exprs, r.Expr)
	}
	for _, expr := range exprs {
		found := metricsIn(expr)
		require.NotEmpty(t, found, expr)
		for _, name := range found {
			require.True(t, names[name], "no component emits %s, which is asked for in\n%s", name, expr)
		}
	}
}

func TestMetricsInExpression(t *testing.T) {
	require.Equal(t, []string{"a_total", "b", "c"},
		metricsIn(`sum by (x, y) (rate(a_total{x="sum",y=~"$host|"}[$__rate_interval])) / on (x) group_left (y) max(b) or absent(c) unless vector(0)`))
}

func TestEveryAlertHelpsWhoeverIsWoken(t *testing.T) {
	for _, r := range rules(t) {
		require.Contains(t, []string{"critical", "warning", "info"}, r.Labels["severity"], r.Alert)
		require.NotEmpty(t, r.Annotations["summary"], r.Alert)
		require.NotContains(t, r.Annotations["summary"], "{{", "a summary is the same for all alerts of a rule")
		require.NotEmpty(t, r.Annotations["description"], r.Alert)
		require.Equal(t, "https://github.com/otel-culprit/culprit/blob/main/docs/runbooks/"+r.Alert+".md", r.Annotations["runbook_url"])

		page, err := os.ReadFile(filepath.Join(root, "docs/runbooks", r.Alert+".md"))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(page), "# "+r.Alert+"\n"), r.Alert)
		for _, section := range []string{"## Meaning", "## First three commands", "## What each cause means", "## Mitigate", "## Silence"} {
			require.Contains(t, string(page), "\n"+section+"\n", r.Alert)
		}
	}
}

// TestRunbookHasASectionForEachCause keeps the fragments that
// alertmanager_events puts behind its runbook_url.
func TestRunbookHasASectionForEachCause(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/runbooks/RootCause.md"))
	require.NoError(t, err)
	for _, kind := range []string{"contention", "traffic_surge", "own_work", "faulty_disk", "upstream", "unknown"} {
		require.Contains(t, string(page), "\n## "+kind+"\n")
	}
}
