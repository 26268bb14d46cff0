package evaluate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

func TestRecordingsAreScoredByHalfAndScenario(t *testing.T) {
	dir := kept(t)
	ours, theirs, text := judged(t, dir)
	groups := map[string]float64{}
	for name, figures := range ours {
		groups[name] = figures.(map[string]any)["cases"].(float64)
	}
	var all float64
	for name, cases := range groups {
		half, scenario, found := strings.Cut(name, " / ")
		require.True(t, found, name)
		require.Contains(t, []string{HalfFit, HalfHeld}, half)
		require.Contains(t, []string{"cpu-tar", "surge", "calm"}, scenario)
		all += cases
	}
	require.InDelta(t, 12, all, 0)

	name := HalfOf("cpu-tar", 1) + " / cpu-tar"
	tar := ours[name].(map[string]any)
	require.InDelta(t, 1, tar["top1"], 0)
	require.InDelta(t, 0, tar["false_blame"], 0)
	methods := theirs[name].(map[string]any)
	for method, right := range map[string]float64{
		"nsigma": 1, "baro": 1, "pearson": 1, "cpi2_like": 1, "host_busier": 1,
		"running_backup": 0, // rsync ran first
	} {
		require.InDelta(t, right, methods[method].(map[string]any)["top1"], 0, method)
	}
	require.InDelta(t, 1, methods["running_backup"].(map[string]any)["false_blame"], 0)

	name = HalfOf("surge", 1) + " / surge"
	require.InDelta(t, 1, ours[name].(map[string]any)["top1"], 0)
	methods = theirs[name].(map[string]any)
	for method, right := range map[string]float64{
		"nsigma": 1, "pearson": 1, "running_backup": 0, "host_busier": 0,
		"baro": 0, // rsync ran for so short a time that its usual use has no spread: any byte is far from it
	} {
		require.InDelta(t, right, methods[method].(map[string]any)["top1"], 0, method)
	}
	require.InDelta(t, 1, methods["host_busier"].(map[string]any)["false_blame"], 0, "the host is busier, and rsync runs")

	require.Contains(t, text, "recordings: top1\n")
	require.Regexp(t, `(?m)^  `+name+` +\d +1\.000 +(1\.000 to 1\.000|-) +0\.000 +0\.000 +1\.000`, text)
	require.Regexp(t, `(?m)^  held / surge +1 +1\.000 +- `, text, "one case has no interval")
	require.Regexp(t, `(?m)^  top1 +8 of 8 +0 of 8 `, text)
	require.Regexp(t, `(?m)^  top1 held +3 of 3 `, text)
	require.Regexp(t, `(?m)^  false_blame +0 of \d+ `, text)
	require.Contains(t, text, "fit: runs from which numbers may be learned; held: ")
	require.Less(t, strings.Index(text, "recordings: false_blame"), strings.Index(text, "recordings: brier"))
}

func TestKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	r := madeNight{wrong: "tar"}.recording(t, "cpu-tar", 7)
	path, err := Keep(dir, r, shippedEngine(t))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "cpu-tar-7.journal.gz"), path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(20_000))
	lines, err := os.ReadFile(filepath.Join(dir, casesFile))
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf(`{"id":"cpu-tar-7","scenario":"cpu-tar","seed":7,"half":%q,"journal":"cpu-tar-7.journal.gz",
		"truth":{"cause":"contention","workload":"tar","resource":"cpu","onset_unix":%d,"service":"shop","innocent":["rsync"]}}`, HalfOf("cpu-tar", 7), trouble), string(lines))

	for f, err := range journal.Open(path) {
		require.NoError(t, err)
		if l, ok := f.(fact.Latency); ok {
			require.Equal(t, "host", l.Host, "it was made on web")
		}
	}

	again, err := Keep(dir, r, shippedEngine(t))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "cpu-tar-7-2.journal.gz"), again, "the same seed again is another run")
	ours, _, _ := judged(t, dir)
	require.InDelta(t, 2, ours[HalfOf("cpu-tar", 7)+" / cpu-tar"].(map[string]any)["cases"], 0)

	r.Seed, r.Truth.Cause = 8, "cosmic_rays"
	_, err = Keep(dir, r, shippedEngine(t))
	require.ErrorContains(t, err, `recording cpu-tar-8: truth.cause "cosmic_rays" is none of`)
	r.Scenario = "../out"
	_, err = Keep(dir, r, shippedEngine(t))
	require.ErrorContains(t, err, "must be within the folder")
}

// Whoever may not be named in a recording may have no say in it.
func TestKeepRefusesStrangers(t *testing.T) {
	dir := t.TempDir()
	r := madeNight{wrong: "tar", stranger: true}.recording(t, "cpu-tar", 1)
	_, err := Keep(dir, r, shippedEngine(t))
	require.ErrorContains(t, err, "another process of the host had a say in it")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	r.Packing = journal.Packing{}
	path, err := Keep(dir, r, shippedEngine(t))
	require.NoError(t, err)
	secrets := 0
	for f, err := range journal.Open(path) {
		require.NoError(t, err)
		if d, ok := f.(fact.Described); ok && d.Command == "tar" {
			secrets++
		}
	}
	require.Equal(t, 50, secrets, "without a root all is told")
}

func TestAccomplicesAreRightToo(t *testing.T) {
	dir := t.TempDir()
	r := madeNight{wrong: "tar"}.recording(t, "two", 1)
	r.Truth.Workload, r.Truth.Accomplices = "borg", []string{"tar"}
	_, err := Keep(dir, r, shippedEngine(t))
	require.NoError(t, err)
	ours, _, _ := judged(t, dir)
	require.InDelta(t, 1, ours[HalfOf("two", 1)+" / two"].(map[string]any)["top1"], 0)
}

// Who names an innocent together with the guilty is wrong, and blames.
func TestThoseNamedTogetherAreJudgedTogether(t *testing.T) {
	suspect := func(name string) rootcause.Suspect {
		return rootcause.Suspect{
			Cause: rootcause.Contention, Resource: rootcause.SharedDisk, Workload: backup.Workload{Name: name}, Probability: 0.5, Together: true,
		}
	}
	for _, test := range []struct {
		state       rootcause.State
		accomplices []string
		right       bool
		blames      bool
	}{
		{rootcause.StateNamed, []string{"rsync"}, true, false},
		{rootcause.StateNamed, nil, false, true},
		{rootcause.StateUnknown, nil, true, false}, // nobody is named: the first suspect counts
	} {
		truth := Truth{Cause: "contention", Workload: "borg", Resource: "disk", Accomplices: test.accomplices}
		if test.accomplices == nil {
			truth.Innocent = []string{"rsync"}
		}
		n := &night{c: caseLine{Truth: truth}}
		v := rootcause.Verdict{State: test.state, Suspects: []rootcause.Suspect{suspect("borg"), suspect("rsync")}}
		n.verdicts = []rootcause.Verdict{v}
		require.Equal(t, test.right, n.allRight(v), test)
		require.Equal(t, test.blames, n.blames(v), test)
		for _, o := range n.observe().seen {
			switch o.measure {
			case "top1":
				require.InDelta(t, share(test.right && test.state == rootcause.StateNamed), o.value, 0, test)
			case "brier":
				p := map[rootcause.State]float64{rootcause.StateNamed: 1, rootcause.StateUnknown: 0.5}[test.state]
				miss := p - share(test.right)
				require.InDelta(t, miss*miss, o.value, 0, test)
			}
		}
	}
}

func TestHalves(t *testing.T) {
	require.Equal(t, HalfHeld, HalfOf("disk-restic", 1), "recordings that are there stay in their half")
	require.Equal(t, HalfFit, HalfOf("disk-restic", 2))
	for _, scenario := range []string{"disk-restic", "cpu-xz", "surge"} {
		held := 0
		for seed := range uint64(1000) {
			held += int(share(HalfOf(scenario, seed+1) == HalfHeld))
		}
		require.InDelta(t, 500, held, 60, scenario)
	}

	half := HalfOf("surge", 3)
	other := map[string]string{HalfFit: HalfHeld, HalfHeld: HalfFit}[half]
	cases := []caseLine{{ID: "a", Scenario: "surge", Seed: 3}, {ID: "b", Half: HalfHeld}, {ID: "c"}}
	require.NoError(t, checkHalves(cases))
	require.Equal(t, []string{half, HalfHeld, ""}, []string{cases[0].Half, cases[1].Half, cases[2].Half})
	require.Equal(t, []string{half + " / surge", HalfHeld, ""}, []string{cases[0].heading(), cases[1].heading(), cases[2].heading()})
	require.ErrorContains(t, checkHalves([]caseLine{{ID: "a", Scenario: "surge", Seed: 3, Half: other}}), "its scenario and seed belong to the other")
	require.ErrorContains(t, checkHalves([]caseLine{{ID: "a", Half: "mine"}}), `half of case a is "mine": it must be fit or held`)
}
