package rootcause

import (
	"time"

	"github.com/otel-culprit/culprit/internal/latency"
)

// Params are the engine's numbers. Every threshold is in units of time or of
// the quantity itself, never in readings, so that any interval of collection
// means the same.
type Params struct {
	// Services names, for each service, the commands or units of the processes
	// that do its work; telemetry with process.pid needs no entry.
	Services map[string][]string
	// Objectives is the latency that each service may not exceed, seconds.
	Objectives map[string]float64

	Latency latency.Params
	Weights Weights

	Before      int64 // seconds before the onset that are compared with
	BeforeGap   int64 // seconds right before the onset that belong to neither side
	After       int64 // seconds after the onset that are looked at, at most
	OnsetSlack  int64 // seconds by which a cause may seem to start after its effect
	OnsetWithin int64 // seconds before the onset in which a cause starts

	NamedAt    float64 // probability from which a cause is named
	Margin     float64 // by which it must lead
	ProbableAt float64
	SettleFor  int // seconds for which an assessment must stand before it is told
	TellWithin int // seconds after the alarm until a verdict is told however unsure

	MinShift float64 // robust deviations under which a workload did not change

	BackupGrace  time.Duration
	MaxWorkloads int
	MaxProcesses int
	MaxVictims   int
	MaxWindows   int
	TopWorkloads int // in snapshots and verdicts
}

// Weights turn evidence into a score; the scores of all suspects become
// probabilities by a softmax. Each is the logarithm of the odds that the
// evidence at full strength adds.
type Weights struct {
	Contention   float64 // prior of each candidate
	Shift        float64 // its use rose
	Share        float64 // its share of the resource rose
	Onset        float64 // it started when the latency rose
	OnsetLate    float64 // it started afterwards (negative)
	Wait         float64 // the victim waits for that resource
	NoWait       float64 // the victim does not (negative)
	NoRecovery   float64 // it stopped and latency did not come back (negative)
	Surge        float64 // prior
	Rate         float64 // the request rate rose
	RateFlat     float64 // it did not (negative)
	OwnCPU       float64 // the victim's CPU rose with the rate
	OwnWork      float64 // prior
	PerRequest   float64 // the victim works more per request
	FaultyDisk   float64 // prior
	DiskErrors   float64 // the kernel logged I/O errors
	SlowDisk     float64 // operations take longer at unchanged load
	Upstream     float64 // prior
	NothingWaits float64 // no wait, no use changed
	Unknown      float64 // prior
}

// DefaultParams are the shipped numbers. The weights were set by hand, from single
// measurements on one host: they are neither fitted nor calibrated.
func DefaultParams() Params {
	return Params{
		Latency: latency.DefaultParams(),
		Weights: Weights{
			Contention: -2.5, Shift: 2, Share: 2, Onset: 1.5, OnsetLate: -3, Wait: 3, NoWait: -1.5,
			NoRecovery: -2,
			Surge:      -2.5, Rate: 4, RateFlat: -2, OwnCPU: 1.5,
			OwnWork: -2.5, PerRequest: 3,
			FaultyDisk: -3.5, DiskErrors: 5, SlowDisk: 4,
			Upstream: -2, NothingWaits: 1.5,
			Unknown: 0,
		},
		Before: 300, BeforeGap: 5, After: 300, OnsetSlack: 2, OnsetWithin: 60,
		NamedAt: 0.8, Margin: 0.2, ProbableAt: 0.5, SettleFor: 3, TellWithin: 15,
		MinShift:     3,
		BackupGrace:  5 * time.Second,
		MaxWorkloads: 2000, MaxProcesses: 65536, MaxVictims: 200, MaxWindows: 200, TopWorkloads: 10,
	}
}
