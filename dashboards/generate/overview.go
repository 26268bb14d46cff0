package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The metrics as the collector's prometheus exporter names them by default.
const (
	latency    = "rootcause_latency_current_seconds"
	baseline   = "rootcause_latency_baseline_seconds"
	upper      = "rootcause_latency_upper_seconds"
	rate       = "rootcause_request_rate_per_second"
	episode    = "rootcause_episode_active_ratio"
	confidence = "rootcause_verdict_confidence_ratio"
	running    = "rootcause_backup_active_ratio"
	cpu        = "rootcause_workload_cpu_usage"
	disk       = "rootcause_workload_disk_rate_bytes_per_second"
	network    = "rootcause_workload_network_rate_bytes_per_second"
	memory     = "rootcause_workload_memory_usage_bytes"
	pressure   = "rootcause_pressure_stall_time_seconds_total"
	opTime     = "system_disk_operation_time_seconds_total"
	ops        = "system_disk_operations_total"
)

// The selectors. The empty alternative lets in what carries no host: telemetry
// of a service may not tell it, and what is measured on the host itself carries
// it only if the exporter adds resource attributes. "All" is ".+", so that the
// list of values is never part of a query.
const (
	ofHost   = `host_name=~"$host|"`
	ofVictim = `service_name=~"$service",` + ofHost
)

// newOverview makes a classic dashboard. The SDK wants to move everybody to
// v2, which Grafana's file provisioning refuses or shows empty.
func newOverview() *dashboard.DashboardBuilder { //nolint:staticcheck // See above.
	b := dashboard.NewDashboardBuilder("Culprit: what slowed the site"). //nolint:staticcheck // See above.
										Uid("culprit-overview").
										Description("Which backup, surge or fault makes a site slow: latency against its usual band, what ran, who used what, and the verdicts.").
										Tags([]string{"culprit", "rootcause"}).
										Time("now-3h", "now").
										Refresh("30s").
										Timezone("browser").
										Tooltip(dashboard.DashboardCursorSyncCrosshair).
										Annotation(findings()).
										Link(dashboard.NewDashboardLinkBuilder("Culprit").
											Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"culprit"}).
											AsDropdown(true).IncludeVars(true).KeepTime(true))
	for _, v := range variables() {
		b.WithVariable(v)
	}

	b.WithPanel(verdictTable().Span(18).Height(6)).
		WithPanel(slowNow().Span(3).Height(6)).
		WithPanel(backupsNow().Span(3).Height(6)).
		WithPanel(latencyPanel().Span(24).Height(9)).
		WithPanel(backupPanel().Span(24).Height(6)).
		WithPanel(verdictPanel().Span(12).Height(7)).
		WithPanel(ratePanel().Span(12).Height(7))

	b.WithRow(dashboard.NewRowBuilder("Who used what"))
	b.WithPanel(workloadPanel("CPU by workload", "CPUs that each workload uses. The largest users of each host; the rest is named other.", cpu, "suffix: CPUs").Span(12).Height(8)).
		WithPanel(workloadPanel("Disk by workload", "Bytes that each workload reads from and writes to storage, not counting what the page cache answers.", disk, "Bps").Span(12).Height(8)).
		WithPanel(workloadPanel("Network by workload", "Bytes that each workload receives and transmits. Empty where no source can tell the network use of processes.", network, "Bps").Span(12).Height(8)).
		WithPanel(workloadPanel("Memory by workload", "Memory that each workload holds.", memory, "decbytes").Span(12).Height(8))

	b.WithRow(dashboard.NewRowBuilder("What it waited for"))
	b.WithPanel(pressurePanel().Span(12).Height(8)).
		WithPanel(devicePanel().Span(12).Height(8))
	return b
}

func variables() []interface {
	Build() (dashboard.VariableModel, error)
} {
	all := func(name, label, description, metric, attribute string) *dashboard.QueryVariableBuilder {
		query := "label_values(" + metric + ", " + attribute + ")"
		return dashboard.NewQueryVariableBuilder(name).
			Label(label).Description(description).
			Datasource(source()).
			Query(dashboard.StringOrMap{String: &query}).Definition(query).
			Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
			Sort(dashboard.VariableSortAlphabeticalAsc).
			Multi(true).IncludeAll(true).AllValue(".+").
			Current(choice("All", "$__all"))
	}
	return []interface {
		Build() (dashboard.VariableModel, error)
	}{
		dashboard.NewDatasourceVariableBuilder("datasource").
			Label("Data source").Description("The Prometheus that scrapes the collector.").
			Type("prometheus").Current(choice("default", "default")),
		all("service", "Service", "Services whose latency is watched.", episode, "service_name"),
		all("host", "Host", "Hosts that are watched. What carries no host is always shown.", memory, "host_name"),
	}
}

func choice(text, value string) dashboard.VariableOption {
	selected := true
	return dashboard.VariableOption{
		Selected: &selected,
		Text:     dashboard.StringOrArrayOfString{String: &text},
		Value:    dashboard.StringOrArrayOfString{String: &value},
	}
}

// source is the data source that the reader chose.
func source() common.DataSourceRef { return sourceRef("prometheus", "${datasource}") }

func sourceRef(kind, uid string) common.DataSourceRef {
	return common.DataSourceRef{Type: &kind, Uid: &uid}
}

// findings shows the annotations that grafana_annotations writes.
func findings() *dashboard.AnnotationQueryBuilder {
	return dashboard.NewAnnotationQueryBuilder().
		Name("Findings").
		Datasource(sourceRef("grafana", "-- Grafana --")).
		Enable(true).
		IconColor("orange").
		Target(byTag{Limit: 200, Tags: []string{"rootcause"}, Type: "tags"})
}

// byTag asks Grafana for its own annotations. The SDK has its fields, but not
// as something that can be the target of an annotation query.
type byTag struct {
	Limit    int64    `json:"limit"`
	MatchAny bool     `json:"matchAny"`
	Tags     []string `json:"tags"`
	Type     string   `json:"type"`
}

// builder makes byTag its own builder.
func (t byTag) Build() (variants.Dataquery, error) { return t, nil }

// ImplementsDataqueryVariant marks the type as a query.
func (byTag) ImplementsDataqueryVariant() {}

// Equals is never asked while generating.
func (byTag) Equals(variants.Dataquery) bool { return false }

// DataqueryType is the plugin that answers.
func (byTag) DataqueryType() string { return "grafana" }

// Validate has nothing to refuse.
func (byTag) Validate() error { return nil }
