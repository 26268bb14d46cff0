package rootcause

import (
	"fmt"
	"math"
	"time"

	"github.com/otel-culprit/culprit/internal/backup"
)

// The sentences of evidence are made of these words, so that a number looks the
// same wherever it stands.

func duration(s float64) string {
	switch {
	case math.IsNaN(s):
		return "unknown"
	case s >= 1:
		return fmt.Sprintf("%.1f s", s)
	case s >= 0.0095:
		return fmt.Sprintf("%.0f ms", s*1e3)
	default:
		return fmt.Sprintf("%.1f ms", s*1e3)
	}
}

func percent(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) }

func bytes(b float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if math.Abs(b) < 1000 {
			return fmt.Sprintf("%.3g %s", b, unit)
		}
		b /= 1000
	}
	return fmt.Sprintf("%.3g TB", b)
}

// amount words a use of a shared resource.
func (s Shared) amount(x float64) string {
	switch s {
	case SharedCPU:
		return fmt.Sprintf("%.2f CPUs", x)
	case SharedMemory, NoResource:
		return bytes(x)
	case SharedLock:
		return fmt.Sprintf("%.0f sessions", x)
	default:
		return bytes(x) + "/s"
	}
}

// unit is the UCUM unit of a use.
func (s Shared) unit() string {
	switch s {
	case SharedCPU:
		return "{cpu}"
	case SharedMemory:
		return "By"
	case SharedLock:
		return "{session}"
	default:
		return "By/s"
	}
}

// NameOf words a workload: its unit, or its command and the PID of its job.
func NameOf(w backup.Workload) string {
	switch {
	case w.Name == Unseen:
		return "something unseen on " + w.Host
	case w.PID == 0:
		return w.Name
	}
	return fmt.Sprintf("%s (PID %d)", w.Name, w.PID)
}

// moment is a second as a time.
func moment(second int64) time.Time { return time.Unix(second, 0).UTC() }
