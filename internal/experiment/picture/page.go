package picture

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/otel-culprit/culprit/internal/experiment"
)

//go:embed page.html.tmpl style.css
var assets embed.FS

// page is what the template draws.
type page struct {
	Style    template.CSS
	Report   experiment.Report
	Headline string
	Period   string
	Remedy   *experiment.Arm // to take
	Ranges   string
	Played   played
	Listed   played // for narrow screens, as Stacked
	Forest   forest
	Stacked  forest
	Rows     []row
	Missing  []missing
}

// missing is what was not tried.
type missing struct{ Label, Title, Why string }

// row is a line of the table.
type row struct {
	experiment.Arm
	Name     string
	Kind     string // class of its colour
	P50, P95 string // milliseconds
	P99      string
	Over     string // p95, times the baseline
	Slowdown string
}

// Write writes the page of a report.
func Write(w io.Writer, r experiment.Report) error {
	tmpl, err := template.ParseFS(assets, "page.html.tmpl")
	if err != nil {
		return fmt.Errorf("parse the page's template: %w", err)
	}
	style, err := assets.ReadFile("style.css")
	if err != nil {
		return fmt.Errorf("read the page's style: %w", err)
	}
	p := page{
		Style:    template.CSS(style), //nolint:gosec // The text is our own file.
		Report:   r,
		Headline: headline(r),
		Period:   period(r),
		Ranges:   r.Ranges(),
		Played:   drawPlayed(r),
		Listed:   listPlayed(r),
		Forest:   drawForest(r, wide),
		Stacked:  drawForest(r, narrow),
	}
	if a, ok := r.Recommended(); ok {
		p.Remedy = &a
	}
	for _, a := range r.Arms {
		p.Rows = append(p.Rows, newRow(a, r))
	}
	for _, m := range r.Missing {
		p.Missing = append(p.Missing, missing{experiment.Label(m.ID), m.Title, m.Why})
	}
	if err := tmpl.Execute(w, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func headline(r experiment.Report) string {
	switch r.Decision.Hypothesis {
	case experiment.None:
		return "The backup does not slow the site"
	case experiment.Undecided:
		return "It is undecided what the backup does to the site"
	default:
		return "The backup slows the site by the " + resources[r.Decision.Hypothesis]
	}
}

var resources = map[experiment.Hypothesis]string{
	experiment.ByCPU:     "CPU time it takes",
	experiment.ByDisk:    "disk it keeps busy",
	experiment.ByNetwork: "link it fills",
}

func period(r experiment.Report) string {
	traffic := fmt.Sprintf("%g requests a second", r.Rate)
	if r.Live {
		traffic = "live traffic and a probe"
	}
	var last float64
	for _, b := range r.Blocks {
		last = max(last, b.Start+b.Seconds)
	}
	length := time.Duration(last * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%d blocks in %v, with %s, seed %d", len(r.Blocks), length, traffic, r.Seed)
}

func newRow(a experiment.Arm, r experiment.Report) row {
	out := row{
		Arm: a, Name: a.Label(), Kind: kind(a.ID, r),
		P50: experiment.Figure(a.P50), P95: experiment.Figure(a.P95), P99: experiment.Figure(a.P99),
		Over: "the baseline",
	}
	if a.ID != experiment.Baseline {
		out.Over = a.OverBaseline.P95.Told()
	}
	if a.ID != experiment.Baseline && a.ID != experiment.Without {
		out.Slowdown = a.Slowdown.Told()
	}
	if a.Stalled() {
		out.Slowdown = "hardly moves"
	}
	return out
}

// kind is the class of an arm's colour.
func kind(id string, r experiment.Report) string {
	switch id {
	case experiment.Baseline:
		return "baseline"
	case experiment.Without:
		return "plain"
	case r.Decision.Remedy:
		return "chosen"
	default:
		return "other"
	}
}
