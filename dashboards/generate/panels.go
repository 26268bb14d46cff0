package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func query(ref, expr, legend string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(ref).Datasource(source()).Expr(expr).LegendFormat(legend).
		EditorMode(prometheus.QueryEditorModeCode).Range()
}

// instant asks for the present only.
func instant(ref, expr string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(ref).Datasource(source()).Expr(expr).
		EditorMode(prometheus.QueryEditorModeCode).Instant()
}

func lines(title, description, unit string) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().Title(title).Description(description).Datasource(source()).Unit(unit).
		LineWidth(1).FillOpacity(0).ShowPoints(common.VisibilityModeNever).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).
			DisplayMode(common.LegendDisplayModeTable).Placement(common.LegendPlacementRight).
			Calcs([]string{"max", "lastNotNull"}).SortBy("Max").SortDesc(true))
}

func verdictTable() *table.PanelBuilder {
	const expr = `max by (service_name, host_name, rootcause_verdict_state, rootcause_cause_kind, rootcause_cause_resource, rootcause_cause_workload) (` +
		confidence + `{` + ofVictim + `})`
	return table.NewPanelBuilder().Title("Verdicts now").
		Description("What makes a service slow at this moment, and how sure that is. Empty while nothing is slow. Named: sure enough to wake somebody. Probable: it leads. Unknown: nothing stands out.").
		Datasource(source()).NoValue("No service is slower than usual").Unit("percentunit").
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{"sum"})).
		WithTarget(instant("A", expr).Format(prometheus.PromQueryFormatTable)).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]any{"Time": true},
			"indexByName": map[string]any{
				"service_name": 0, "host_name": 1, "rootcause_verdict_state": 2, "rootcause_cause_kind": 3,
				"rootcause_cause_resource": 4, "rootcause_cause_workload": 5, "Value": 6,
			},
			"renameByName": map[string]any{
				"service_name": "Service", "host_name": "Host", "rootcause_verdict_state": "State", "rootcause_cause_kind": "Cause",
				"rootcause_cause_resource": "Resource", "rootcause_cause_workload": "Workload", "Value": "Probability",
			},
		}}).
		OverrideByName("Probability", []dashboard.DynamicConfigValue{
			{Id: "custom.cellOptions", Value: map[string]any{"type": "gauge", "mode": "basic"}},
			{Id: "min", Value: 0},
			{Id: "max", Value: 1},
		})
}

func single(title, description, expr string, steps ...dashboard.Threshold) *stat.PanelBuilder {
	return stat.NewPanelBuilder().Title(title).Description(description).Datasource(source()).Unit("none").
		WithTarget(instant("A", expr)).
		GraphMode(common.BigValueGraphModeNone).ColorMode(common.BigValueColorModeBackground).
		Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps))
}

func slowNow() *stat.PanelBuilder {
	one := 1.0
	return single("Slow now", "Services that are slower than usual at this moment.",
		`sum(max by (service_name, host_name) (`+episode+`{`+ofVictim+`}))`,
		dashboard.Threshold{Color: "green"}, dashboard.Threshold{Color: "red", Value: &one})
}

func backupsNow() *stat.PanelBuilder {
	return single("Backups now", "Backups that run at this moment.",
		`count(max by (host_name, rootcause_backup_tool, rootcause_workload) (`+running+`{`+ofHost+`})) or vector(0)`,
		dashboard.Threshold{Color: "blue"})
}

// latencyPanel is repeated for each service, so that the series have fixed
// names and the band can be filled between two of them.
func latencyPanel() *timeseries.PanelBuilder {
	worst := func(metric string) string { return `max by (service_name) (` + metric + `{` + ofVictim + `})` }
	return lines("Latency of $service", "Latency now against what is usual at this request rate; on the slowest of the chosen hosts. Requests that are not finished count with their age, so a stall is seen. Logarithmic.", "s").
		Repeat("service").RepeatDirection(dashboard.PanelRepeatDirectionH).MaxPerRow(2).
		ScaleDistribution(common.NewScaleDistributionConfigBuilder().Type(common.ScaleDistributionLog).Log(10)).
		WithTarget(query("A", worst(latency), "now")).
		WithTarget(query("B", worst(baseline), "usual")).
		WithTarget(query("C", worst(upper), "usual band ends")).
		OverrideByName("now", []dashboard.DynamicConfigValue{
			{Id: "color", Value: map[string]any{"mode": "fixed", "fixedColor": "orange"}},
			{Id: "custom.lineWidth", Value: 2},
		}).
		OverrideByName("usual", []dashboard.DynamicConfigValue{
			{Id: "color", Value: map[string]any{"mode": "fixed", "fixedColor": "blue"}},
			{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{8, 6}}},
		}).
		OverrideByName("usual band ends", []dashboard.DynamicConfigValue{
			{Id: "color", Value: map[string]any{"mode": "fixed", "fixedColor": "super-light-blue"}},
			{Id: "custom.lineWidth", Value: 0},
			{Id: "custom.fillBelowTo", Value: "usual"},
			{Id: "custom.fillOpacity", Value: 20},
		})
}

func backupPanel() *statetimeline.PanelBuilder {
	text, colour := "running", "blue"
	return statetimeline.NewPanelBuilder().Title("Backups").
		Description("When each backup ran. The workload is what a person would stop: a unit, a container or a job.").
		Datasource(source()).Unit("none").NoValue("No backup ran").
		WithTarget(query("A", `max by (host_name, rootcause_backup_tool, rootcause_workload) (`+running+`{`+ofHost+`})`,
			"{{rootcause_backup_tool}}: {{rootcause_workload}} {{host_name}}")).
		Mappings([]dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{
			Type:    dashboard.MappingTypeValueToText,
			Options: map[string]dashboard.ValueMappingResult{"1": {Text: &text, Color: &colour}},
		}}}).
		ShowValue(common.VisibilityModeNever).RowHeight(0.8).FillOpacity(80).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(false).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle).Sort(common.SortOrderNone))
}

func verdictPanel() *timeseries.PanelBuilder {
	return lines("Verdicts", "Probability of the strongest explanation while a verdict is open. Above 80 % and clearly ahead it is named.", "percentunit").
		Min(0).Max(1).LineWidth(2).FillOpacity(10).
		WithTarget(query("A", `max by (service_name, rootcause_verdict_state, rootcause_cause_kind, rootcause_cause_resource, rootcause_cause_workload) (`+
			confidence+`{`+ofVictim+`})`,
			"{{service_name}}: {{rootcause_verdict_state}} {{rootcause_cause_kind}} {{rootcause_cause_resource}} {{rootcause_cause_workload}}"))
}

func ratePanel() *timeseries.PanelBuilder {
	return lines("Requests", "Requests to each service. A surge explains a slow site before any backup does.", "reqps").Min(0).
		WithTarget(query("A", `sum by (service_name, host_name) (`+rate+`{`+ofVictim+`})`, "{{service_name}} {{host_name}}"))
}

func workloadPanel(title, description, metric, unit string) *timeseries.PanelBuilder {
	return lines(title, description, unit).Min(0).FillOpacity(35).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A")).
		WithTarget(query("A", `sum by (host_name, rootcause_workload) (`+metric+`{`+ofHost+`})`, "{{rootcause_workload}} {{host_name}}"))
}

func pressurePanel() *timeseries.PanelBuilder {
	return lines("Pressure", "Part of the time in which at least one task of the host waited for the resource (PSI, some).", "percentunit").Min(0).
		WithTarget(query("A", `sum by (instance, host_name, rootcause_pressure_resource) (rate(`+pressure+
			`{rootcause_pressure_level="some",process_linux_cgroup="",`+ofHost+`}[$__rate_interval]))`, "{{rootcause_pressure_resource}} {{host_name}} {{instance}}"))
}

func devicePanel() *timeseries.PanelBuilder {
	perSecond := func(metric string) string {
		return `sum by (instance, host_name, system_device) (rate(` + metric + `{` + ofHost + `}[$__rate_interval]))`
	}
	return lines("Disk, time per operation", "How long reads and writes of each device take on average. Up while its throughput is not: a faulty disk.", "s").Min(0).
		WithTarget(query("A", perSecond(opTime)+" / "+perSecond(ops), "{{system_device}} {{host_name}} {{instance}}"))
}
