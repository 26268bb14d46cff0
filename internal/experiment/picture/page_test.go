package picture_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/experiment/picture"
)

func report(p95 map[string]float64) experiment.Report {
	r := experiment.Report{
		Web: "http://127.0.0.1/", Command: []string{"tar", "<b>evil</b>"}, Rate: 20, Repeats: 3, State: experiment.Done,
		Missing: []experiment.Missing{{ID: "ionice", Title: "idle disk", Why: "no <bfq>"}},
	}
	for repeat := range 3 {
		for _, arm := range []string{experiment.Baseline, experiment.Without, "nice", "cpu_limit_4"} {
			if v := p95[arm]; v > 0 {
				took := make([]float64, 100)
				for i := range took {
					took[i] = v * float64(i+1) / 95
				}
				r.Blocks = append(r.Blocks, experiment.Block{
					Arm: arm, Repeat: repeat, Took: took, Lasted: 10 * time.Second, At: time.Duration(len(r.Blocks)) * 13 * time.Second,
					Backup: experiment.Work{Seconds: 10, Bytes: 1e8, CPU: 9},
				}.Sum())
			}
		}
	}
	return r.Sum([]experiment.Remedy{
		{ID: "nice", Title: "lowest priority (nice)", Class: experiment.CPU, Yields: true},
		{ID: "cpu_limit_4", Title: "a quarter", Class: experiment.CPU},
	}, map[string]experiment.Recipe{"nice": {Command: "nice -n 19 tar '<b>evil</b>'"}})
}

func page(t *testing.T, r experiment.Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, picture.Write(&b, r))
	return b.String()
}

func TestPageShowsBlocksAndTheRemedy(t *testing.T) {
	html := page(t, report(map[string]float64{"baseline": 10, "plain": 80, "nice": 11, "cpu_limit_4": 40}))
	require.Contains(t, html, "<h1>The backup slows the site by the CPU time it takes</h1>")
	require.Contains(t, html, "nice -n 19 tar &#39;&lt;b&gt;evil&lt;/b&gt;&#39;")
	require.NotContains(t, html, "<b>evil")
	require.Contains(t, html, "no &lt;bfq&gt;")
	require.Equal(t, 2*12, strings.Count(html, `class="dot"`), "a dot for each block, for wide screens and for narrow ones")
	require.Equal(t, 2*9, strings.Count(html, `class="ring"`), "and a ring, but for the baseline's")
	require.Contains(t, html, "the range of 3 repeats, which holds the true value with 75 %")
	require.Contains(t, html, "Nothing is to be undone")
	require.Contains(t, html, "repeat 3")
	require.Contains(t, html, `<tr class="chosen"><th scope="row"><i></i>lowest priority</th>`)
	for _, outside := range []string{"http://www", "https://", "src=", "href=", "url("} {
		require.NotContains(t, html, outside, "the page needs no network")
	}
	// The page is well formed, so nothing in it is cut.
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(html, "<!doctype html>")))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.NotContains(t, html, "NaN")
	require.NotContains(t, html, "Inf")
}

func TestPageOfWhatWasStopped(t *testing.T) {
	r := report(map[string]float64{"baseline": 10, "plain": 80})
	r.State, r.Stopped, r.Live = experiment.Aborted, "it was too slow", true
	html := page(t, r)
	require.Contains(t, html, "The experiment is not complete: it was too slow.")
	require.Contains(t, html, "with live traffic and a probe")
	require.Contains(t, html, "<h2>none</h2>")

	html = page(t, experiment.Report{State: experiment.Aborted, Stopped: "at once"})
	require.Contains(t, html, "at once")
	require.NotContains(t, html, "NaN")
}

func TestPageWithoutHarm(t *testing.T) {
	require.Contains(t, page(t, report(map[string]float64{"baseline": 10, "plain": 10.5})), "<h1>The backup does not slow the site</h1>")
}
