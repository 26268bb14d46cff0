package labscore

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runs reads runs as they are printed.
func runs(t *testing.T, lines ...string) []Run {
	t.Helper()
	var list []Run
	for _, line := range lines {
		var r Run
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		require.NoError(t, r.Check(), line)
		list = append(list, r)
	}
	return list
}

const (
	right = `{"scenario":"disk","seed":1,"truth":{"kind":"guilty","suspect":"restic","cause":"contention"},
		"verdict":{"state":"named","suspect":"restic","cause":"contention","confidence":0.9},"correct":true,"symptom_to_verdict_s":10,"p95_ms":{"before":5,"during":50}}`
	wrong = `{"scenario":"disk","seed":2,"truth":{"kind":"guilty","suspect":"restic","cause":"contention"},
		"verdict":{"state":"probable","suspect":"find","cause":"contention","confidence":0.6},"correct":false,"symptom_to_verdict_s":30,"p95_ms":{"before":7,"during":70}}`
	unsure = `{"scenario":"disk","seed":3,"truth":{"kind":"guilty","suspect":"restic","cause":"contention"},
		"verdict":{"state":"unknown","suspect":"","cause":"unknown","confidence":0.6},
		"strongest":{"suspect":"restic","cause":"contention","resource":"disk","confidence":0.4},"correct":false,"symptom_to_verdict_s":20,"p95_ms":{"before":6,"during":60}}`
	silent = `{"scenario":"disk","seed":4,"truth":{"kind":"guilty","suspect":"restic","cause":"contention"},
		"verdict":{"state":"none","suspect":"","cause":"","confidence":null},"correct":false,"symptom_to_verdict_s":null,"p95_ms":{"before":null,"during":null}}`
	void = `{"scenario":"disk","seed":5,"void":true,"truth":{"kind":"guilty","suspect":"restic","cause":"contention"},
		"verdict":{"state":"named","suspect":"find","cause":"contention","confidence":1},"correct":false,"symptom_to_verdict_s":99,"p95_ms":{"before":1,"during":1}}`
	calm   = `{"scenario":"calm","seed":6,"truth":{"kind":"innocent","cause":"none","innocent":["rsync"]},"verdict":{"state":"none"},"correct":true,"p95_ms":{"before":5,"during":5}}`
	blamed = `{"scenario":"surge","seed":7,"truth":{"kind":"innocent","cause":"traffic_surge","innocent":["rsync"]},
		"verdict":{"state":"named","suspect":"rsync","cause":"contention","confidence":0.8},"correct":false,"blamed_backup":true,"symptom_to_verdict_s":12,"p95_ms":{"before":5,"during":500}}`
)

func TestScore(t *testing.T) {
	r := Score(runs(t, right, wrong, unsure, silent, void, calm, blamed))
	require.Len(t, r.Guilty, 1)
	disk := r.Guilty[0]
	require.Equal(t, "disk", disk.Scenario)
	require.Equal(t, [3]int{4, 1, 2}, [3]int{disk.Runs, disk.Void, disk.Abstained})
	require.InDelta(t, 0.25, float64(disk.Top1.Value), 1e-12)
	require.False(t, disk.FalseBlame.Value.Known(), "there was no innocent backup")
	// Squares of 0.1 and 0.6, of 0.6 for a first suspect that was right and not named, and of 1 for silence.
	require.InDelta(t, (0.01+0.36+0.36+1)/4, float64(disk.Brier), 1e-12)
	require.InDelta(t, 20, float64(disk.VerdictP50), 0)
	require.InDelta(t, 30, float64(disk.VerdictP90), 0)
	require.InDelta(t, 6, float64(disk.Before), 0)
	require.InDelta(t, 60, float64(disk.During), 0)

	require.Len(t, r.Innocent, 2)
	require.Equal(t, "calm", r.Innocent[0].Scenario)
	require.InDelta(t, 1, float64(r.Innocent[0].Top1.Value), 0)
	require.InDelta(t, 0, float64(r.Innocent[0].FalseBlame.Value), 0)
	require.Zero(t, r.Innocent[0].Abstained, "to say nothing was right")
	require.InDelta(t, 0, float64(r.Innocent[0].Brier), 0, "silence was right")
	require.InDelta(t, 1, float64(r.Innocent[1].FalseBlame.Value), 0)
	require.InDelta(t, 0.64, float64(r.Innocent[1].Brier), 1e-12)
	require.Equal(t, "all innocent", r.AllInnocent.Scenario)
	require.InDelta(t, 0.5, float64(r.AllInnocent.FalseBlame.Value), 0)
}

func TestFalseBlameIsCountedWhereThereIsAnInnocent(t *testing.T) {
	const both = `{"scenario":"one-of-two","truth":{"kind":"guilty","suspect":"restic","cause":"contention","innocent":["rsync"]},
		"verdict":{"state":"named","suspect":"restic","cause":"contention","confidence":0.9},"correct":false,"blamed_backup":true}`
	const alone = `{"scenario":"quiet","truth":{"kind":"innocent","cause":"none"},"verdict":{"state":"none"},"correct":true}`
	r := Score(runs(t, right, both, alone, calm))
	require.InDelta(t, 1, float64(r.AllGuilty.FalseBlame.Value), 0, "of the one run that had an innocent backup")
	require.False(t, r.Innocent[1].FalseBlame.Value.Known(), "there was nobody to blame")
	require.InDelta(t, 0, float64(r.AllInnocent.FalseBlame.Value), 0)
}

// A verdict that names no cause is as good as its strongest suspect, not as it was
// sure to know nothing.
func TestBrierOfAbstentions(t *testing.T) {
	run := func(truth, strongest string) Run {
		return runs(t, `{"scenario":"s","truth":`+truth+`,"verdict":{"state":"unknown","cause":"unknown","confidence":0.9},"strongest":`+strongest+`}`)[0]
	}
	const two = `{"kind":"guilty","suspect":"restic","cause":"contention","resource":"disk","accomplices":["borg"]}`
	for _, test := range []struct {
		truth, strongest string
		want             float64
	}{
		{two, `{"suspect":"restic","cause":"contention","resource":"disk","confidence":0.25}`, 0.75 * 0.75},
		{two, `{"suspect":"borg","cause":"contention","resource":"disk","confidence":0.25}`, 0.75 * 0.75},
		{two, `{"suspect":"find","cause":"contention","resource":"disk","confidence":0.25}`, 0.25 * 0.25},
		{two, `{"suspect":"restic","cause":"contention","resource":"cpu","confidence":0.25}`, 0.25 * 0.25},
		{`{"kind":"innocent","cause":"traffic_surge"}`, `{"cause":"traffic_surge","confidence":0.25}`, 0.75 * 0.75},
		{two, `null`, 1}, // as silence
		{`{"kind":"innocent","cause":"none"}`, `null`, 0},
		{`{"kind":"innocent","cause":"none"}`, `{"cause":"traffic_surge","confidence":0.25}`, 0.25 * 0.25},
	} {
		square, ok := run(test.truth, test.strongest).brier()
		require.True(t, ok)
		require.InDelta(t, test.want, square, 1e-12, test)
	}
}

func TestNothingCounts(t *testing.T) {
	require.Equal(t, Report{}, Score(nil))
	require.Empty(t, Score(nil).Promises())

	r := Score(runs(t, void, void))
	require.Equal(t, 2, r.Guilty[0].Void)
	require.Zero(t, r.Guilty[0].Runs)
	for name, f := range map[string]Figure{"top1": r.Guilty[0].Top1.Value, "low": r.Guilty[0].Top1.Low, "brier": r.Guilty[0].Brier, "p90": r.Guilty[0].VerdictP90, "before": r.Guilty[0].Before} {
		require.False(t, f.Known(), name)
	}
	require.Empty(t, r.Promises(), "nothing is kept, nothing is broken")
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(text), `"top1":{"value":null,"low":null,"high":null}`)
}

func TestSingleRun(t *testing.T) {
	r := Score(runs(t, right)).Guilty[0]
	require.InDelta(t, 1, float64(r.Top1.Value), 0)
	require.InDelta(t, 1, float64(r.Top1.High), 1e-12)
	require.InDelta(t, 0.2065, float64(r.Top1.Low), 1e-4, "one run says little")
	require.InDelta(t, 10, float64(r.VerdictP50), 0)
	require.InDelta(t, 10, float64(r.VerdictP90), 0)
}

func TestShare(t *testing.T) {
	// Figures of Wilson's interval from its publication's formula: 8 of 10, and none of 48.
	s := share(8, 10)
	require.InDelta(t, 0.4902, float64(s.Low), 1e-4)
	require.InDelta(t, 0.9433, float64(s.High), 1e-4)
	none := share(0, 48)
	require.InDelta(t, 0, float64(none.Low), 1e-12)
	require.InDelta(t, 0.0741, float64(none.High), 1e-4)
}

func TestPromises(t *testing.T) {
	kept := map[string]bool{}
	for _, p := range Score(runs(t, right, calm, blamed)).Promises() {
		kept[p.What] = p.Kept
	}
	require.Equal(t, map[string]bool{
		"top-1 over the guilty": true, "symptom to verdict p90 over the guilty, s": true, "Brier score over the guilty": true,
		"false blame of a backup over the innocent": false, "Brier score over the innocent": false,
	}, kept)
}

func TestCheck(t *testing.T) {
	for want, line := range map[string]string{
		"scenario is missing":           `{}`,
		`truth.kind is "perhaps"`:       strings.Replace(right, "guilty", "perhaps", 1),
		"verdict.state is missing":      strings.Replace(right, "named", "", 1),
		"verdict.confidence is 90: it ": strings.Replace(right, "0.9", "90", 1),
		"strongest.confidence is 4: it": strings.Replace(unsure, "0.4", "4", 1),
	} {
		var r Run
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		require.ErrorContains(t, r.Check(), want)
	}
	nan, r := math.NaN(), runs(t, right)[0]
	r.Verdict.Confidence = &nan
	require.Error(t, r.Check())
	r.Verdict.Confidence, r.SymptomToVerdict = nil, &nan
	require.False(t, Score([]Run{r}).Guilty[0].VerdictP90.Known())
}

func TestAScenarioThatMissesAPromiseIsTold(t *testing.T) {
	require.Empty(t, Score(runs(t, right, calm)).Missed())
	missed := Score(runs(t, right, blamed)).Missed()
	require.Len(t, missed, 2)
	require.Contains(t, missed[0].What, "false blame of a backup of ")
	require.Contains(t, missed[1].What, "Brier score of ")
}
