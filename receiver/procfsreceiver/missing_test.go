package procfsreceiver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// Each gap is told with the metrics that it costs and a cure that can work.
func TestGaps(t *testing.T) {
	known := &process.Process{Known: process.KnowsIO | process.KnowsRunDelay}
	all := privileges{ptrace: true, search: true}
	whole := view{
		snap: process.Snapshot{Processes: []*process.Process{known}}, source: metadata.AttributeSourceProcfs, blockDelays: true, may: all,
	}
	for name, c := range map[string]struct {
		change        func(*view)
		metrics, cure string
	}{
		"hidepid":               {func(v *view) { v.hidden = true }, "all of processes", "hidepid"},
		"disk bytes":            {func(v *view) { v.snap.Unreadable, v.may = 3, privileges{} }, "process.disk.io", "CAP_DAC_READ_SEARCH"},
		"disk bytes, as root":   {func(v *view) { v.snap.Unreadable = 3 }, "process.disk.io", "none: a sandbox"},
		"sockets":               {func(v *view) { v.sockets, v.may = 3, privileges{ptrace: true} }, "process.network.io", "CAP_SYS_PTRACE"},
		"paths, with eBPF":      {func(v *view) { v.source, v.may = metadata.AttributeSourceEbpf, privileges{} }, "rootcause.backend", "as well"},
		"delays":                {func(v *view) { v.blockDelays = false }, "(block_io)", "kernel.task_delayacct=1"},
		"delays, with eBPF":     {func(v *view) { v.source, v.blockDelays = metadata.AttributeSourceEbpf, false }, "(block_io, swap, thrashing)", "kernel.task_delayacct=1"},
		"no I/O accounting":     {func(v *view) { v.snap.Processes = []*process.Process{{Known: process.KnowsRunDelay}} }, "process.disk.io", "CONFIG_TASK_IO_ACCOUNTING"},
		"no scheduler accounts": {func(v *view) { v.snap.Processes = []*process.Process{{Known: process.KnowsIO}} }, "run_queue", "CONFIG_SCHED_INFO"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, whole.gaps())
			v := whole
			c.change(&v)
			gaps := v.gaps()
			require.Len(t, gaps, 1)
			require.Contains(t, strings.Join(gaps[0].metrics, " "), c.metrics)
			require.Contains(t, gaps[0].cure, c.cure)
		})
	}
}
