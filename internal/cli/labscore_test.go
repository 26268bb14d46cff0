package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
)

const labRuns = `{"scenario":"disk-restic","seed":1,"truth":{"kind":"guilty","suspect":"restic","cause":"contention"},"verdict":{"state":"named","suspect":"restic","cause":"contention","confidence":0.9},"correct":true,"blamed_backup":true,"symptom_to_verdict_s":10.2,"p95_ms":{"before":12.3,"during":450}}
{"scenario":"disk-restic","seed":2,"void":true,"truth":{"kind":"guilty","suspect":"restic","cause":"contention"},"verdict":{"state":"none"},"correct":false,"p95_ms":{"before":12,"during":13}}

{"scenario":"calm","seed":3,"truth":{"kind":"innocent","cause":"none","innocent":["tar"]},"verdict":{"state":"none","confidence":null},"correct":true,"blamed_backup":false,"symptom_to_verdict_s":null,"p95_ms":{"before":5,"during":5}}
`

// score writes runs into a folder and scores it.
func score(t *testing.T, text string, flags ...string) (status int, out, errOut string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "runs.jsonl"), []byte(text), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cases.jsonl"), []byte(`{"id":"no run"}`), 0o600))
	var said, complained bytes.Buffer
	status = run(t.Context(), append([]string{"lab", "score", dir}, flags...), streams{out: &said, err: &complained})
	return status, said.String(), complained.String()
}

func TestLabScore(t *testing.T) {
	status, out, errOut := score(t, `{"scenario":"calm","se`+"\n"+labRuns+`{"scenario":"disk-re`)
	require.Equal(t, exitOK, status, errOut)
	require.Contains(t, errOut, "runs.jsonl:1 is left out, it is no whole run: ")
	require.Contains(t, errOut, "runs.jsonl:6 is left out, it is no whole run: ")
	require.Regexp(t, `(?m)^disk-restic +1 +1 +1\.00 +0\.21 to 1\.00 +0 +0\.010 +10\.2 +10\.2 +12\.3 +450\.0 +- +-$`, out)
	require.Regexp(t, `(?m)^calm +1 +0 +1\.00 +0\.21 to 1\.00 +0 +0\.000 +- +- +5\.0 +5\.0 +0\.00 +0\.00 to 0\.79$`, out)
	require.Regexp(t, `(?m)^symptom to verdict p90 over the guilty, s +10\.200 +at most 60\.00 +kept$`, out)
	require.Less(t, strings.Index(out, "all guilty"), strings.Index(out, "calm"), "the guilty and the innocent are apart")

	status, out, errOut = score(t, labRuns, "--json")
	require.Equal(t, exitOK, status, errOut)
	var figures struct {
		Guilty []struct {
			Void  int      `json:"void"`
			Blame struct{} `json:"false_blame"`
		}
		AllGuilty struct {
			Top1 struct{ Value, Low float64 }
		} `json:"all_guilty"`
		Promises []struct{ Kept bool }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &figures))
	require.Equal(t, 1, figures.Guilty[0].Void)
	require.InDelta(t, 0.2065, figures.AllGuilty.Top1.Low, 1e-4)
	require.Len(t, figures.Promises, 5)
}

func TestLabScoreAsBenchmark(t *testing.T) {
	status, out, errOut := score(t, labRuns, "--bench")
	require.Equal(t, exitOK, status, errOut)
	require.Contains(t, out, "\nBenchmarkLab/scenario=disk-restic 1 1 top1 ")

	in := benchfmt.NewReader(strings.NewReader(out), "score")
	values := map[string]map[string]float64{}
	for in.Scan() {
		switch record := in.Result().(type) {
		case *benchfmt.Result:
			require.Equal(t, "github.com/otel-culprit/culprit/lab", record.GetConfig("pkg"))
			units := map[string]float64{}
			for _, v := range record.Values {
				units[v.Unit] = v.Value
			}
			values[record.Name.String()] = units
		case *benchfmt.SyntaxError:
			require.NoError(t, record)
		}
	}
	require.NoError(t, in.Err())
	require.Equal(t, 1, in.Units().GetBetter("top1"))
	require.Equal(t, -1, in.Units().GetBetter("s-to-verdict"))
	require.Len(t, values, 2, "a void run has no line")
	require.InDelta(t, 0.01, values["Lab/scenario=disk-restic"]["brier"], 1e-9)
	delete(values["Lab/scenario=disk-restic"], "brier")
	require.Equal(t, map[string]map[string]float64{
		"Lab/scenario=disk-restic": {"top1": 1, "s-to-verdict": 10.2, "p95-before-ms": 12.3, "p95-during-ms": 450},
		"Lab/scenario=calm":        {"top1": 1, "false-blame": 0, "brier": 0, "p95-before-ms": 5, "p95-during-ms": 5},
	}, values)
}

func TestLabScoreRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		text   string
		flags  []string
		status int
		want   string
	}{
		"nothing whole": {text: "{", status: exitFailed, want: "there is no run"},
		"no run":        {text: `{"kind":"tick"}`, status: exitFailed, want: "runs.jsonl:1: scenario is missing"},
		"empty":         {text: "", status: exitFailed, want: "there is no run: culprit lab run --json makes them"},
		"two forms":     {text: labRuns, flags: []string{"--json", "--bench"}, status: exitUsage, want: "choose one"},
		"no folder":     {text: labRuns, flags: []string{"nowhere"}, status: exitFailed, want: "nowhere: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, errOut := score(t, tt.text, tt.flags...)
			require.Equal(t, tt.status, status)
			require.Contains(t, errOut, tt.want)
		})
	}
}
