package rootcause_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// A mysqldump hardly reads; the server reads for it, and for everybody else.
func dumpNight(related bool) []fact.Fact {
	w := newWorld(7)
	w.jobs = []job{
		{pid: 800, command: "mariadbd", to: 1000, cpu: 0.2, disk: 3e6},
		{pid: 900, command: "mysqldump", args: []string{"mysqldump", "--all-databases"}, from: 300, to: 400, cpu: 0.05, disk: 1e3},
		{pid: 801, command: "mariadbd", from: 300, to: 400, cpu: 0.2, disk: 90e6}, // what the dump makes it read
	}
	w.latency = during(300, 400, 0.010, 0.150)
	w.io = during(300, 400, 0.01, 0.7)
	var facts []fact.Fact
	for _, f := range w.facts(380) {
		if d, ok := f.(fact.Described); ok && d.Command == "mariadbd" {
			d.Group, d.Cgroup = 800, "/system.slice/mariadb.service"
			f = d
		}
		facts = append(facts, f)
		if u, ok := f.(fact.Use); ok && related && u.Process.PID == 900 {
			facts = append(facts, fact.WorksFor{At: u.At, Server: w.process(800), Client: u.Process})
		}
	}
	return facts
}

func TestADumpIsChargedWithWhatTheServerReadsForIt(t *testing.T) {
	all := verdicts(run(t, newEngine(t, nil), dumpNight(true)))
	require.NotEmpty(t, all)
	last := all[len(all)-1]
	require.Equal(t, rootcause.StateNamed, last.State)
	require.Equal(t, "mysqldump", last.Suspects[0].Workload.Name)
	require.Equal(t, rootcause.SharedDisk, last.Suspects[0].Resource)
	require.Contains(t, last.Suspects[0].Evidence[0].Sentence, "mysqldump, with what mariadb.service does for it, uses ")
	require.Len(t, last.Backups, 1)
	require.Equal(t, rootcause.Charged, last.Backups[0].Finding)
	for _, s := range last.Suspects {
		require.NotEqual(t, "mariadb.service", s.Workload.Name, "what it usually does is not to blame")
	}

	all = verdicts(run(t, newEngine(t, nil), dumpNight(false)))
	require.NotEmpty(t, all)
	require.Equal(t, "mariadb.service", all[len(all)-1].Suspects[0].Workload.Name, "without the relation the reader is all that is seen")
}

// A relation of a PID that was reused, or of a process that nobody saw, is none.
func TestRelationsOfOthersAreNone(t *testing.T) {
	for name, spoil := range map[string]func(*fact.WorksFor){
		"another client": func(f *fact.WorksFor) { f.Client.Start++ },
		"another server": func(f *fact.WorksFor) { f.Server.Start++ },
		"unseen":         func(f *fact.WorksFor) { f.Server.PID = 77 },
		"itself":         func(f *fact.WorksFor) { f.Server = f.Client },
	} {
		t.Run(name, func(t *testing.T) {
			facts := dumpNight(true)
			for i, f := range facts {
				if f, ok := f.(fact.WorksFor); ok {
					spoil(&f)
					facts[i] = f
				}
			}
			all := verdicts(run(t, newEngine(t, nil), facts))
			require.NotEmpty(t, all)
			require.Equal(t, "mariadb.service", all[len(all)-1].Suspects[0].Workload.Name)
		})
	}
}
