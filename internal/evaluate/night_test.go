package evaluate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
)

// madeNight is a made journal of 200 s; what is wrong begins at trouble.
type madeNight struct {
	wrong    string // "tar" takes the CPU, "surge" of requests, or nothing (empty)
	stranger bool   // somebody's secret program takes the CPU in tar's place
}

const (
	nightStart = 1_790_000_000
	trouble    = nightStart + 150
	rootPID    = 50 // of what runs the night
)

// write makes the journal: nginx serves the shop; a harmless rsync runs from
// shortly before the trouble.
func (n madeNight) write(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	w := journal.NewWriter(file)
	say := func(f fact.Fact) { require.NoError(t, w.Write(f)) }
	process := func(pid int64) fact.Process { return fact.Process{Host: "web", PID: pid, Start: pid} }
	describe := func(second int, pid int64, args ...string) {
		parent := int64(rootPID)
		if n.stranger && pid == 900 {
			parent = 1
		}
		say(fact.Described{
			At: unixTime(nightStart + float64(second)), Process: process(pid), Parent: parent, Group: pid, Command: args[0], Args: args,
			Workload: fact.Workload{Type: "job", Name: args[0], PID: pid},
		})
	}
	for i := range 200 {
		at := unixTime(nightStart + float64(i))
		use := func(pid int64, cpu, delay float64) {
			amounts := fact.Unknown()
			amounts[fact.CPU], amounts[fact.RunDelay], amounts[fact.DiskRead] = cpu, delay, 1e5*cpu
			say(fact.Use{At: at, Over: 1e9, Process: process(pid), Amounts: amounts})
		}
		bad := i >= trouble-nightStart && n.wrong != ""
		latency, requests, cpu, delay := 0.02+wobble(i)/100, 50.0, 0.2+wobble(i)/100, 0.0
		switch {
		case bad && n.wrong == "surge":
			latency, requests, cpu = 0.3, 200, 0.95
		case bad:
			latency, delay = 0.2, 0.6
		}
		if i%30 == 0 {
			say(fact.Service{At: at, Name: "shop", Processes: []string{"nginx"}})
			describe(i, 100, "nginx")
		}
		use(100, cpu, delay)
		if i >= 140 {
			describe(i, 800, "rsync", "-a", "--bwlimit=100", "/srv", "backup:/srv")
			use(800, 0.02, 0)
		}
		if bad && n.wrong == "tar" {
			describe(i, 900, "tar", "-czf", "b.tgz", "/srv/secret")
			use(900, 0.9, 0)
		}
		say(fact.Latency{At: at, Over: 1e9, Service: "shop", Host: "web", Signal: "server", Count: requests, Buckets: []fact.Bucket{{Low: latency, High: latency, Count: requests}}})
		say(fact.Tick{At: at})
	}
	require.NoError(t, w.Flush())
	require.NoError(t, file.Close())
	return path
}

// recording is a night as it is kept.
func (n madeNight) recording(t *testing.T, scenario string, seed uint64) Recording {
	t.Helper()
	truth := Truth{Onset: trouble, Service: "shop", Innocent: []string{"rsync"}}
	switch n.wrong {
	case "tar":
		truth.Cause, truth.Workload, truth.Resource = "contention", "tar", "cpu"
	case "surge":
		truth.Cause = "traffic_surge"
	default:
		truth.Cause, truth.Onset = nothingWrong, 0
	}
	return Recording{
		Scenario: scenario, Seed: seed, Truth: truth, Packing: journal.Packing{Root: rootPID},
		Journals: []string{n.write(t, filepath.Join(t.TempDir(), "journal"))},
	}
}

// kept is a folder of made recordings: seeds 1 to 4 of each.
func kept(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "recordings")
	for scenario, night := range map[string]madeNight{"cpu-tar": {wrong: "tar"}, "surge": {wrong: "surge"}, "calm": {}} {
		for seed := range uint64(4) {
			_, err := Keep(dir, night.recording(t, scenario, seed+1), shippedEngine(t))
			require.NoError(t, err)
		}
	}
	return dir
}
