package evaluate

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

var update = flag.Bool("update", false, "write anew what is expected of the lab's recordings")

// goldenFile has a line for each recording: its last verdict.
const goldenFile = "verdicts.golden"

// TestRecordings replays the lab's recordings: the engine says of each what it
// said when it was taken up.
func TestRecordings(t *testing.T) {
	dir := filepath.Join("..", "..", "lab", "recordings")
	require.FileExists(t, filepath.Join(dir, casesFile), "culprit lab run --keep makes recordings")
	requireGolden(t, dir, *update)
}

func TestGoldenVerdicts(t *testing.T) {
	dir := kept(t)
	requireGolden(t, dir, true)
	requireGolden(t, dir, false)
	golden, err := os.ReadFile(filepath.Join(dir, goldenFile))
	require.NoError(t, err)
	require.Contains(t, string(golden), "cpu-tar-1: named contention cpu tar\n")
	require.Contains(t, string(golden), "surge-2: named traffic_surge\n")
	require.Contains(t, string(golden), "calm-3: none\n")
}

func requireGolden(t *testing.T, dir string, update bool) {
	t.Helper()
	got := lastVerdicts(t, dir)
	golden := filepath.Join(dir, goldenFile)
	if update {
		write(t, golden, got)
		return
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err, "run go test ./internal/evaluate -run TestRecordings -update")
	require.Equal(t, string(want), got, "if the verdicts are better now, run go test ./internal/evaluate -run TestRecordings -update")
}

// lastVerdicts has a line for each case of a set of journals, sorted as they are.
func lastVerdicts(t *testing.T, dir string) string {
	t.Helper()
	s, err := openSet(dir)
	require.NoError(t, err)
	nights := map[string]*night{}
	var trials []trial
	for _, c := range s.cases {
		n := &night{set: s.Name, c: c, path: filepath.Join(dir, c.Journal)}
		nights[c.ID] = n
		trials = append(trials, trial{id: c.ID, c: c, judge: func() (outcome, error) { return n.judge(t.Context(), shippedEngine(t)()) }})
	}
	_, err = inOrder(t.Context(), trials, func(one trial) (outcome, error) { return one.judge() })
	require.NoError(t, err)
	var b strings.Builder
	for _, c := range s.cases {
		_, _ = fmt.Fprintf(&b, "%s: %s\n", c.ID, nights[c.ID].saidLast())
	}
	return b.String()
}

// saidLast is the last verdict in words: its state, and whom it names if the state
// says that it counts.
func (n *night) saidLast() string {
	if len(n.verdicts) == 0 {
		return "none"
	}
	v := n.verdicts[len(n.verdicts)-1]
	if v.State == rootcause.StateUnknown {
		return v.State.String()
	}
	top := v.Top()
	words := []string{v.State.String(), string(top.Cause), top.Resource.String()}
	for _, s := range namedBy(v) {
		words = append(words, cmp.Or(s.Tool, s.Workload.Name))
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}
