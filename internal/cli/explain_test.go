package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

func TestMoments(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	before := time.Local
	time.Local = berlin
	t.Cleanup(func() { time.Local = before })
	night := covered{time.Date(2026, 11, 21, 22, 0, 0, 2e8, berlin), time.Date(2026, 11, 22, 4, 0, 0, 0, berlin)}
	for text, want := range map[string]string{
		"2026-11-22T01:10:00Z":      "2026-11-22 02:10:00",
		"2026-11-22T02:10:00+01:00": "2026-11-22 02:10:00",
		"2026-11-21 22:10:00":       "2026-11-21 22:10:00",
		"22:00":                     "2026-11-21 22:00:00",
		"23:10:05":                  "2026-11-21 23:10:05",
		" 02:10 ":                   "2026-11-22 02:10:00",
		"+90":                       "2026-11-21 22:01:30",
		"-90.5":                     "2026-11-22 03:58:29",
	} {
		at, err := night.moment("at", text)
		require.NoError(t, err, text)
		require.Equal(t, want, stamp(at), text)
	}
	const span = "2026-11-21 22:00:00 to 2026-11-22 04:00:00 CET (UTC+01:00)"
	for text, want := range map[string]string{
		"21:00":                "--at: the journal does not cover 2026-11-21 21:00:00: it covers " + span,
		"04:01":                "--at: the journal does not cover 2026-11-21 04:01:00: it covers " + span,
		"2026-11-23T00:00:00Z": "it covers " + span,
		"+30000":               "it covers " + span,
		"-30000":               "it covers " + span,
		"":                     `--at: "" is no time such as`,
		"+":                    `--at: "+" is no time such as`,
		"+inf":                 `--at: "+inf" is no time such as`,
		"at night":             "the journal covers " + span,
	} {
		_, err := night.moment("at", text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := coveredBy(func(yield func(fact.Fact, error) bool) { yield(fact.Mark{At: night.from}, nil) })
	require.ErrorContains(t, err, "no time passes in the journal")
}

// What a journal names was chosen by anybody who may start a process.
func TestAPageIsPlainAndNarrow(t *testing.T) {
	hostile := "evil\x1b[2J\n\u202e" + strings.Repeat("x", 200)
	w := backup.Workload{Host: "web-1", Name: hostile, PID: 7}
	v := rootcause.Verdict{
		ID: "1", At: time.Unix(1_800_000_060, 0), Onset: time.Unix(1_800_000_000, 0), Victim: rootcause.Victim{Service: hostile, Host: hostile},
		State: rootcause.StateNamed, Latency: 1, RequestRate: 3,
		Suspects: []rootcause.Suspect{
			{
				Cause: rootcause.Contention, Resource: rootcause.SharedDisk, Workload: w, Tool: hostile, Score: 5, Probability: 0.9,
				Evidence: []rootcause.Evidence{{Name: "shift", Value: 3e6, Unit: "By/s", Term: "shift", Strength: 1, Weight: 2, Sentence: hostile + " uses more"}},
			},
			{
				Cause: rootcause.UnknownCause, Score: 0, Probability: 0.1,
				Evidence: []rootcause.Evidence{{Name: "unexplained", Unit: "1", Sentence: "something else"}},
			},
		},
		Backups:  []rootcause.Backup{{Window: backup.Window{Tool: hostile, Workload: w, End: time.Unix(1_800_000_030, 0)}, Sentence: hostile}},
		Missing:  []string{hostile},
		Remedies: []rootcause.Remedy{{Title: hostile, Why: hostile, Command: "renice " + hostile}},
	}
	var out bytes.Buffer
	p := newPage(&out)
	explanation{verdict: v}.print(p)
	require.NoError(t, p.flush())
	require.NotContains(t, out.String(), "\x1b")
	require.NotContains(t, out.String(), "\u202e")
	require.NotContains(t, out.String(), "WHY NOT", "that it is unknown is no rival")
	require.Contains(t, out.String(), "what is usual is not learned yet")
	require.Contains(t, out.String(), "     +2.00 for ")
	require.Contains(t, out.String(), "     +5.00 score    +3.00 before any evidence, +2.00 from it\n")
	for line := range strings.Lines(out.String()) {
		longest := 0
		for word := range strings.FieldsSeq(line) {
			longest = max(longest, utf8.RuneCountInString(word))
		}
		if longest < 60 && !strings.Contains(line, "renice") {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), maxColumns, line)
		}
	}
}

func TestDifferencesArePutInOrder(t *testing.T) {
	evidence := func(name string, weight float64) rootcause.Evidence {
		return rootcause.Evidence{Name: name, Weight: weight, Sentence: "its " + name}
	}
	first := rootcause.Suspect{Score: 6, Evidence: []rootcause.Evidence{evidence("wait", 3), evidence("shift", 2), evidence("onset_order", -0.5)}} // prior 1.5
	second := rootcause.Suspect{Score: -3, Evidence: []rootcause.Evidence{evidence("shift", 0.5), evidence("request_rate", -2)}}                   // prior -1.5
	require.Equal(t, []difference{
		{3, "wait speaks for the first", "its wait"},
		{3, "before any evidence", "the first is taken for the more frequent cause"},
		{2, "request rate speaks against it", "its request_rate"},
	}, differences(first, second))
	require.Empty(t, differences(second, second))
}

func TestColumnsOfWhatIsNoTerminal(t *testing.T) {
	require.Equal(t, maxColumns, columns(&bytes.Buffer{}))
	f, err := os.Create(filepath.Join(t.TempDir(), "page"))
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.Equal(t, maxColumns, columns(f))
}
