package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/report"
)

// keep writes the page to the folder named by CULPRIT_REPORT_DIR, to be looked
// at in a browser.
func keep(t *testing.T, page []byte) {
	t.Helper()
	if dir := os.Getenv("CULPRIT_REPORT_DIR"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, t.Name()+".html"), page, 0o600))
	}
}

func TestPageOfADemonstration(t *testing.T) {
	d := demo()
	at := func(second int) time.Time { return d.start.Add(time.Duration(second) * time.Second) }
	var page bytes.Buffer
	require.NoError(t, report.Write(&page, report.Input{
		Title: "demo", Engine: engine(t), Facts: seq(d.facts()),
		Acts: []report.Act{
			{Name: "restic, gently", Text: "restic reads 300 kB/s", Start: at(128), End: at(186)},
			{Name: "surge", Text: "three times the requests", Start: at(140), End: at(170), Harm: true},
			{Name: "tar with xz", Text: "tar compresses the site", Start: at(238), End: at(278), Harm: true},
		},
	}))
	keep(t, page.Bytes())
	text := page.String()
	// What the engine decides is tested with the engine.
	has(t, text, "2 slowdowns")
	has(t, text, "tar (PID 900)")
	has(t, text, "restic (PID 800)")
	has(t, text, "meant to harm")
	has(t, text, "a greedy backup")
	require.Less(t, page.Len(), 1<<20)
}

func TestPageOfANight(t *testing.T) {
	var page bytes.Buffer
	require.NoError(t, report.Write(&page, report.Input{Engine: engine(t), Facts: seq(night().facts())}))
	keep(t, page.Bytes())
	has(t, page.String(), "borg")
	has(t, page.String(), "UTC (9\u00a0h")
	require.Less(t, page.Len(), 1<<20)
}

func TestQuietPage(t *testing.T) {
	d := demo()
	d.rate, d.latency, d.delay, d.cpu = usually(60), usually(0.011), usually(0.12), usually(0.4)
	d.jobs = d.jobs[:2]
	var page bytes.Buffer
	require.NoError(t, report.Write(&page, report.Input{Engine: engine(t), Facts: seq(d.facts())}))
	keep(t, page.Bytes())
	has(t, page.String(), "Nothing was slow.")
	has(t, page.String(), "<b>restic (PID 800)</b>")
}
