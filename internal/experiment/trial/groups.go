package trial

import (
	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/stage"
)

// limiter is a control group: a command that it wraps runs in it.
type limiter interface{ Wrap(argv []string) []string }

// groupLimits are limits of which those of reading and writing are for one
// device.
func groupLimits(l experiment.Limits, device string) stage.Limits {
	limits := stage.Limits{CPUCores: l.CPUCores, CPUWeight: l.CPUWeight}
	if l.ReadBPS > 0 || l.WriteBPS > 0 {
		limits.IO = []stage.IOLimit{{Device: device, ReadBPS: l.ReadBPS, WriteBPS: l.WriteBPS}}
	}
	return limits
}
