package cli

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/experiment"
)

func TestTheBackupStandsBehindDashes(t *testing.T) {
	tests := []struct{ line, want string }{
		{
			"--web http://127.0.0.1:1/ --data /srv/a --data /srv/b --skip nice,ionice --json restic -r /tmp/repo backup --tag=a",
			"put -- before the backup's command, for what follows is its own:\n" +
				"  culprit experiment --data=/srv/a --data=/srv/b --json=true --skip=nice --skip=ionice --web=http://127.0.0.1:1/ -- restic -r /tmp/repo backup --tag=a\n",
		},
		{"tar c /srv --web http://127.0.0.1:1/", "  culprit experiment -- tar c /srv --web http://127.0.0.1:1/\n"},
		{"--web http://127.0.0.1:1/ --prepare true too -- tar c /srv", "only flags may stand before --, and too is none"},
		{"--web http://127.0.0.1:1/", "the backup's command must follow --, such as"},
		{"--web http://127.0.0.1:1/ --", "the backup's command must follow --, such as"},
		{"--web http://127.0.0.1:1/ --unknown -- tar c /srv", "unknown flag: --unknown"},
		{"-- tar c --option /srv", "--web must name the site"},
	}
	for _, tt := range tests {
		var out, errOut bytes.Buffer
		status := run(t.Context(), append([]string{"experiment"}, strings.Fields(tt.line)...), streams{out: &out, err: &errOut})
		require.Equal(t, exitUsage, status, tt.line)
		require.Contains(t, errOut.String(), tt.want)
	}
}

func TestWhereThePageIsIsTold(t *testing.T) {
	var out, errOut bytes.Buffer
	page := filepath.Join(t.TempDir(), "page.html")
	report := experiment.Report{State: experiment.Interrupted, Stopped: "it was interrupted"}.Sum(nil, nil)
	o := experimentOptions{html: page}
	err := o.finish(streams{out: &out, err: &errOut}, report, nil)
	require.ErrorIs(t, err, errSaid, "it is not complete")
	require.FileExists(t, page)
	require.Equal(t, "culprit: the page is in "+page+"\nculprit: the experiment is not complete: it was interrupted\n", errOut.String())
	require.Contains(t, out.String(), "REMEDY  none")
}

func TestWhatWasMeasuredIsReportedBesideAnError(t *testing.T) {
	left := errors.New("the control group is busy")
	measured := []experiment.Block{{Arm: experiment.Baseline}}
	tests := []struct {
		name   string
		report experiment.Report
		told   string // empty for nothing
	}{
		{"all was played", experiment.Report{State: experiment.Done, Blocks: measured}, "REMEDY  none"},
		{"it was stopped, too", experiment.Report{State: experiment.Aborted, Stopped: "p95 was high", Blocks: measured}, "not complete: p95 was high"},
		{"nothing was measured", experiment.Report{}, ""},
	}
	for _, tt := range tests {
		var out, errOut bytes.Buffer
		var o experimentOptions
		err := o.finish(streams{out: &out, err: &errOut}, tt.report.Sum(nil, nil), left)
		require.ErrorIs(t, err, left, tt.name)
		require.NotErrorIs(t, err, errSaid, "the error is to be said: %s", tt.name)
		if tt.told == "" {
			require.Empty(t, out.String(), tt.name)
			continue
		}
		require.Contains(t, out.String(), tt.told, tt.name)
	}
}
