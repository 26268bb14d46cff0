package rootcause

import (
	"cmp"
	"time"

	"github.com/otel-culprit/culprit/internal/latency"
)

// Params are the engine's numbers; package params has the shipped ones. Every
// threshold is in units of time or of the quantity itself, never in readings, so
// that any interval of collection means the same.
type Params struct {
	// Services names, for each service, the commands or units of the processes
	// that do its work; telemetry with process.pid needs no entry.
	Services map[string][]string
	// Objectives is the latency that each service may not exceed, seconds.
	Objectives map[string]float64

	Latency latency.Params
	Weights Weights
	// Temperature divides the scores before they become probabilities: more than 1
	// makes less sure. Zero means 1.
	Temperature float64

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
	MaxHosts     int
	MaxWorkloads int // of a host
	MaxJobs      int // workloads of all hosts: six series each are most of the memory, twelve of those that serve
	MaxProcesses int
	MaxVictims   int
	MaxWindows   int
	TopWorkloads int // in snapshots and verdicts
}

// Term names a kind of evidence, or the prior of a kind of suspect, in the
// weights.
type Term string

// The terms. A prior counts as it is; evidence counts by its strength.
const (
	PriorContention Term = "prior.contention"
	PriorSurge      Term = "prior.traffic_surge"
	PriorOwnWork    Term = "prior.own_work"
	PriorFaultyDisk Term = "prior.faulty_disk"
	PriorUpstream   Term = "prior.upstream"
	PriorUnknown    Term = "prior.unknown"
	PriorUnseen     Term = "prior.unseen"

	TermShift        Term = "shift"           // its use rose
	TermShare        Term = "share"           // its share of the resource rose
	TermOnset        Term = "onset"           // it started when the latency rose
	TermOnsetLate    Term = "onset_late"      // it started afterwards
	TermWait         Term = "wait"            // the victim waits for that resource
	TermLockWait     Term = "lock_wait"       // its sessions wait for a lock: that is no estimate
	TermNoWait       Term = "no_wait"         // the victim does not
	TermNoRecovery   Term = "no_recovery"     // it stopped and latency did not come back
	TermRecovery     Term = "recovery"        // it paused or stopped and latency came back
	TermHarm         Term = "earlier_harm"    // earlier runs of it did harm
	TermAlibi        Term = "alibi"           // earlier runs of it did none
	TermNightsDose   Term = "nights_dose"     // earlier runs that used more did more harm
	TermSameHour     Term = "same_hour"       // at this hour it is as bad without a backup
	TermDose         Term = "dose_response"   // latency follows its ups and downs
	TermNoDose       Term = "no_dose"         // latency does not
	TermRate         Term = "request_rate"    // the request rate rose
	TermRateFlat     Term = "rate_flat"       // it did not
	TermOwnCPU       Term = "own_cpu"         // the victim's CPU rose with the rate
	TermPerRequest   Term = "cpu_per_request" // the victim works more per request
	TermWorksAlone   Term = "works_alone"     // and waits for nobody
	TermDiskErrors   Term = "disk_errors"     // the kernel logged I/O errors
	TermSlowDisk     Term = "slow_disk"       // operations take longer at unchanged load
	TermSlowByItself Term = "slow_by_itself"  // they do, more than its use explains
	TermLoad         Term = "load"            // at this request rate the latency is usual
	TermNoLoad       Term = "no_load"         // at this request rate it is not
	TermCrowd        Term = "crowd"           // more sessions at once, and no fewer requests done
	TermStarved      Term = "starved"         // the host fell idle with the requests
	TermRoundTrip    Term = "round_trip"      // the way to the clients became slow, and not by what is sent here
	TermNothingWaits Term = "nothing_waits"   // no wait, no use changed

	TermHungTask       Term = "hung_task"           // the kernel told of tasks that hang
	TermArrayRebuild   Term = "array_rebuild"       // a RAID array is rebuilt or checked
	TermOOMKill        Term = "oom_kill"            // memory ran out and a process was killed
	TermDiskFull       Term = "disk_full"           // writes failed for want of space
	TermDeploy         Term = "deploy"              // the victim was started anew
	TermGCPause        Term = "gc_pause"            // it told of long collections of garbage
	TermRefused        Term = "refused_connections" // calls were refused or timed out
	TermServerErrors   Term = "server_errors"       // access logs tell of failed requests
	TermUnreachable    Term = "unreachable"         // a file server or the network did not answer
	TermLockMessages   Term = "lock_messages"       // a database told of waits for locks
	TermFailedRequests Term = "failed_requests"     // more requests fail while nothing else changed
	TermCalls          Term = "calls"               // the time is spent in calls to others
	TermCallsFlat      Term = "calls_flat"          // it is not
	TermElsewhere      Term = "elsewhere"           // the time is spent in calls to other hosts
)

// Weights turn evidence into scores; the scores of all suspects become
// probabilities by a softmax. Each is the logarithm of the odds that evidence of
// strength 1 adds; a term that is missing weighs nothing.
type Weights map[Term]float64

// tempered are scores as the softmax takes them.
func (p Params) tempered(scores []float64) []float64 {
	out := make([]float64, len(scores))
	for i, score := range scores {
		out[i] = score / cmp.Or(p.Temperature, 1)
	}
	return out
}
