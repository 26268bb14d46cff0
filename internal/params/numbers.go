package params

import (
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// number is one key of a file, and the place in the engine's parameters that it
// sets.
type number struct {
	key       string // "section.name"
	place     any    // *float64, *int, *int64, or *time.Duration, which a file has in seconds
	low, high float64
	meaning   string // with the unit
}

// sections in the order in which they are written.
const (
	sectionProvenance = "provenance"
	sectionWeights    = "weights"
)

// maxWeight bounds the weights: e^100 is as sure as anybody can be.
const maxWeight = 100

// compared is how many seconds the engine remembers on either side of an onset.
const compared = 300

// numbers lists all that a file may set, apart from the weights.
func numbers(p *rootcause.Params) []number {
	l := &p.Latency
	return []number{
		{"verdict.temperature", &p.Temperature, 0.01, 100, "divides the scores before they become probabilities; more than 1 makes less sure"},
		{"verdict.named_at", &p.NamedAt, 0, 1, "probability from which a cause is named"},
		{"verdict.margin", &p.Margin, 0, 1, "by which it must lead"},
		{"verdict.probable_at", &p.ProbableAt, 0, 1, "probability from which a cause is probable"},
		{"verdict.settle_for", &p.SettleFor, 0, 300, "s, for which an assessment must stand before it is told"},
		{"verdict.tell_within", &p.TellWithin, 0, 600, "s, after the alarm, until a verdict is told however unsure"},

		{"compare.before", &p.Before, 10, compared, "s, before the onset, that are usual"},
		{"compare.before_gap", &p.BeforeGap, 0, 60, "s, right before the onset, that belong to neither side"},
		{"compare.after", &p.After, 10, compared, "s, after the onset, that are looked at at most"},
		{"compare.onset_slack", &p.OnsetSlack, 0, 60, "s, by which a cause may seem to start after its effect"},
		{"compare.onset_within", &p.OnsetWithin, 1, compared, "s, before the onset, in which a cause starts"},
		{"compare.min_shift", &p.MinShift, 0, 1000, "robust deviations, under which a workload did not change"},

		{"latency.quantile", &l.Quantile, 0.5, 0.999, "of the completed requests"},
		{"latency.min_requests", &l.MinRequests, 1, 1e6, "pooled until a quantile is taken"},
		{"latency.max_pool", &l.MaxPool, 1, 600, "s, over which requests are pooled at most"},
		{"latency.half_life", &l.HalfLife, 60, 1e9, "s, of the baseline"},
		{"latency.clip", &l.Clip, 0.1, 100, "robust deviations, to which a second is cut for the alarm"},
		{"latency.drift", &l.Drift, 0, 100, "robust deviations, taken off each second"},
		{"latency.threshold", &l.Threshold, 0.1, 1e4, "robust deviations, summed, above which the alarm is on"},
		{"latency.hold", &l.Hold, 1, 60, "s, for which they must be"},
		{"latency.min_ratio", &l.MinRatio, 1, 100, "of latency to baseline, under which nobody cares"},
		{"latency.min_rise", &l.MinRise, 0, 60, "s, of latency over baseline, under which nobody cares"},
		{"latency.close_sigma", &l.CloseSigma, -10, 100, "robust deviations, under which latency is good again"},
		{"latency.close_after", &l.CloseAfter, 1, 3600, "s, over which it must be, on average, to end an episode"},
		{"latency.bad_sigma", &l.BadSigma, -10, 100, "robust deviations, above which latency is bad now"},
		{"latency.bad_over", &l.BadOver, 1, 600, "s, over which it must be, on average"},
		{"latency.pause", &l.Pause, 0, 3600, "s, that part two bad times of one alarm"},
		{"latency.accept_after", &l.AcceptAfter, 60, 1e9, "s, of alarm, after which worse is the new usual"},
		{"latency.missed", &l.Missed, 1, 1e6, "requests that should have come until silence is a stall"},

		{"bounds.backup_grace", &p.BackupGrace, 0, 3600, "s, for which a backup may be gone before its window ends"},
		{"bounds.max_hosts", &p.MaxHosts, 1, 1e5, "that are listened to"},
		{"bounds.max_workloads", &p.MaxWorkloads, 1, 1e6, "of a host"},
		{"bounds.max_jobs", &p.MaxJobs, 1, 1e6, "workloads of all hosts"},
		{"bounds.max_processes", &p.MaxProcesses, 1, 1 << 22, "of all hosts"},
		{"bounds.max_victims", &p.MaxVictims, 1, 1e5, "services that are watched"},
		{"bounds.max_windows", &p.MaxWindows, 1, 1e5, "backups that are remembered"},
		{"bounds.top_workloads", &p.TopWorkloads, 1, 1000, "in verdicts and gauges"},
	}
}

// section and name are the two halves of a key.
func (n number) section() string { section, _, _ := strings.Cut(n.key, "."); return section }
func (n number) name() string    { _, name, _ := strings.Cut(n.key, "."); return name }

// whole is whether only whole numbers fit.
func (n number) whole() bool {
	switch n.place.(type) {
	case *int, *int64:
		return true
	default:
		return false
	}
}

func (n number) value() float64 {
	switch place := n.place.(type) {
	case *float64:
		return *place
	case *int:
		return float64(*place)
	case *int64:
		return float64(*place)
	case *time.Duration:
		return place.Seconds()
	default:
		panic(n.key + " is set in no way that is known")
	}
}

func (n number) set(v float64) {
	switch place := n.place.(type) {
	case *float64:
		*place = v
	case *int:
		*place = int(v)
	case *int64:
		*place = int64(v)
	case *time.Duration:
		*place = time.Duration(v * float64(time.Second))
	default:
		panic(n.key + " is set in no way that is known")
	}
}
