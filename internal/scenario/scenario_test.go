package scenario_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/scenario"
)

const good = `summary: tar reads
kind: guilty
draw: {rate: 20..40, share: "0.5..0.75", level: [6, 9], mib: 100..100}
truth: {cause: contention, suspect: tar, resource: disk}
host:
  disk: {size_mib: "${mib}", read_mbps: 20}
site: {server: go, rate: "${rate}", cpu_ms: "${share}"}
jobs:
  - name: tar
    run: exec tar -c "$DATA" --level=${level}
`

func TestTheSameSeedGivesTheSamePlan(t *testing.T) {
	s, err := scenario.Parse("tar", []byte(good))
	require.NoError(t, err)
	rates, levels := map[float64]bool{}, map[string]bool{}
	for seed := range uint64(200) {
		plan, err := s.Draw(seed)
		require.NoError(t, err)
		again, err := s.Draw(seed)
		require.NoError(t, err)
		require.Equal(t, plan, again)
		require.Equal(t, seed, plan.Seed)
		require.Equal(t, 100, plan.Host.Disk.SizeMiB)
		require.True(t, plan.Site.Rate >= 20 && plan.Site.Rate <= 40)
		require.True(t, plan.Site.CPUms >= 0.5 && plan.Site.CPUms <= 0.75)
		require.Less(t, plan.Length().Seconds(), 80.0)
		rates[plan.Site.Rate], levels[plan.Jobs[0].Run] = true, true
	}
	require.Len(t, rates, 21, "whole numbers, all of them drawn")
	require.Equal(t, map[string]bool{`exec tar -c "$DATA" --level=6`: true, `exec tar -c "$DATA" --level=9`: true}, levels)
}

func TestAnotherVariableChangesNoOther(t *testing.T) {
	s, err := scenario.Parse("tar", []byte(good))
	require.NoError(t, err)
	more, err := scenario.Parse("tar", []byte(replace(good, "level: [6, 9]", "a: 1..100, level: [6, 9]", "cpu_ms: \"${share}\"", "cpu_ms: \"${share}\", body_kib: \"${a}\"")))
	require.NoError(t, err)
	plan, err := s.Draw(7)
	require.NoError(t, err)
	other, err := more.Draw(7)
	require.NoError(t, err)
	require.InDelta(t, plan.Site.Rate, other.Site.Rate, 0)
	require.Equal(t, plan.Times, other.Times)
	require.NotZero(t, other.Site.BodyKiB)
}

func TestMistakesAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		old, by string
		says    string
	}{
		"no YAML":                 {"kind: guilty", "kind: {", "scenario tar: "},
		"unknown key":             {"kind: guilty", "kinds: guilty", "field kinds not found"},
		"unknown kind":            {"kind: guilty", "kind: bad", `kind is "bad": use one of guilty, innocent`},
		"not drawn":               {"rate: 20..40, ", "", "${rate} is drawn nowhere: add it under draw"},
		"not used":                {"rate: 20..40", "rate: 20..40, more: 1..2", "draw.more is used nowhere"},
		"no range":                {"20..40", "20-40", `draw.rate: "20-40" is neither a range such as 20..40 nor a list`},
		"range backwards":         {"20..40", "40..20", "draw.rate: 40..20 ends before it begins"},
		"empty list":              {"[6, 9]", "[]", "draw.level: a list must have values"},
		"range of words":          {"[6, 9]", "{a: b}", "draw.level: must be a range"},
		"no suspect":              {", suspect: tar", "", "truth.suspect must be given"},
		"suspect is no job":       {"suspect: tar", "suspect: cpio", "truth speaks of cpio, which is no job"},
		"no rate":                 {"rate: 20..40", "rate: 0..0", "site.rate must be more than 0"},
		"job without program":     {`    run: exec tar -c "$DATA" --level=${level}`, "    prepare: ${level}", "jobs[0] must have a name without blanks and something to run"},
		"too long":                {"mib: 100..100", "mib: 100..100, learn: 70..80", "more than 1m30s"},
		"unknown change":          {"jobs:", "changes: [{what: storm}]\njobs:", `changes[0].what is "storm"`},
		"pause of no faulty disk": {"jobs:", "changes: [{what: disk_pause}]\njobs:", "changes[0] needs host.disk.faulty"},
		"delay of no upstream":    {"jobs:", "changes: [{what: upstream_delay, value: 5}]\njobs:", "changes[0] needs site.upstream"},
		"trouble of nginx's":      {"site: {server: go, rate: \"${rate}\", cpu_ms: \"${share}\"}\n", "site: {server: nginx, rate: \"${rate}\", cpu_ms: \"${share}\"}\nchanges: [{what: gc_pause, value: 5}]\n", "changes[0] needs site.server: go"},
		"queries of nginx's":      {"server: go", "server: nginx, query: read", "nginx, which serves files only"},
		"change too late":         {"jobs:", "changes: [{what: visitors, value: 2, start: 50}]\njobs:", "changes[0].start is not within the trouble"},
		"rates of a faulty disk":  {"read_mbps: 20", "read_mbps: 20, faulty: true", "host.disk.faulty has no rates"},
		"innocent that may fail":  {"disk}\nhost:\n  disk: {size_mib: \"${mib}\", read_mbps: 20}\nsite: {server: go, rate: \"${rate}\", cpu_ms: \"${share}\"}\njobs:\n", "disk, innocent: [tar]}\nhost:\n  disk: {size_mib: \"${mib}\", read_mbps: 20}\nsite: {server: go, rate: \"${rate}\", cpu_ms: \"${share}\"}\njobs:\n  - {name: tar, run: x, may_fail: true}\n", "jobs[0].may_fail: an innocent job must work"},
		"no summary":              {"summary: tar reads\n", "", "summary is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scenario.Parse("tar", []byte(replace(good, c.old, c.by)))
			require.ErrorContains(t, err, c.says)
		})
	}
}

// replace replaces each old text, which must be there, by the one after it.
func replace(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			panic("the text has no " + pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}
