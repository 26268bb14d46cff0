package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/stretchr/testify/require"
)

func TestCommittedDashboardIsGenerated(t *testing.T) {
	want, err := render()
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join("..", file))
	require.NoError(t, err)
	if string(want) != string(got) {
		t.Fatalf("dashboards/%s is out of date: run `make generate`", file)
	}
}

// TestDashboardIsClassic holds the rules that make it show data wherever it is
// imported or provisioned.
func TestDashboardIsClassic(t *testing.T) {
	content, err := render()
	require.NoError(t, err)
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard //nolint:staticcheck // See newOverview.
	// An annotation query by tag is not among the SDK's queries.
	var raw map[string]any
	require.NoError(t, json.Unmarshal(content, &raw))
	raw["annotations"] = map[string]any{"list": []any{}}
	rest, err := json.Marshal(raw)
	require.NoError(t, err)
	// The SDK returns an empty list of errors where there is none.
	if err := d.UnmarshalJSONStrict(rest); err != nil {
		require.Empty(t, err.Error())
	}

	require.Equal(t, "culprit-overview", *d.Uid)
	require.EqualValues(t, 42, d.SchemaVersion)
	require.NotContains(t, raw, "__inputs", "inputs work in the import dialogue only")
	require.NotContains(t, string(content), "${DS_")

	ids := map[uint32]bool{}
	for _, p := range d.Panels {
		if p.Panel == nil {
			continue
		}
		title := *p.Panel.Title
		require.Contains(t, []string{"table", "stat", "timeseries", "state-timeline"}, p.Panel.Type, title)
		require.NotEmpty(t, *p.Panel.Description, title)
		require.NotEmpty(t, *p.Panel.FieldConfig.Defaults.Unit, title)
		require.Equal(t, "${datasource}", *p.Panel.Datasource.Uid, title)
		require.False(t, ids[*p.Panel.Id], title)
		ids[*p.Panel.Id] = true
		require.LessOrEqual(t, p.Panel.GridPos.X+p.Panel.GridPos.W, uint32(24), title)
	}
	for _, v := range d.Templating.List {
		if v.Type == dashboard.VariableTypeQuery {
			require.Equal(t, ".+", *v.AllValue, v.Name)
		}
	}
	exprs := expressions(raw["panels"])
	require.GreaterOrEqual(t, len(exprs), 14)
	for _, expr := range exprs {
		require.Contains(t, expr, ofHost, "it selects no host")
		if strings.Contains(expr, "rate(") {
			require.Contains(t, expr, "[$__rate_interval]")
		}
	}
	require.Contains(t, string(content), `"uid": "-- Grafana --"`)
}

// expressions finds every query in decoded JSON.
func expressions(v any) (list []string) {
	switch v := v.(type) {
	case map[string]any:
		if expr, ok := v["expr"].(string); ok {
			list = append(list, expr)
		}
		for _, x := range v {
			list = append(list, expressions(x)...)
		}
	case []any:
		for _, x := range v {
			list = append(list, expressions(x)...)
		}
	}
	slices.Sort(list)
	return list
}
