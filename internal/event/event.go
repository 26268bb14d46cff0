// Package event is the language between the rootcause processor and whatever
// delivers its findings: plain values and their form as OpenTelemetry log
// records. A record's event name is fixed, its attributes are flat, its
// timestamp is when the thing happened, and its body is one sentence.
package event

import "time"

// Names of the events.
const (
	NameBackupWindow = "rootcause.backup_window"
	NameEpisode      = "rootcause.episode"
	NameVerdict      = "rootcause.verdict"
)

// Phase tells where in its life a window, an episode or a verdict is.
type Phase string

// The phases. A record with any other phase is refused.
const (
	Opened  Phase = "opened"
	Updated Phase = "updated"
	Closed  Phase = "closed"
)

// State tells how sure a verdict is.
type State string

// The states of a verdict.
const (
	Named    State = "named"    // sure enough to page somebody
	Probable State = "probable" // likely, not sure
	Unknown  State = "unknown"  // no explanation stands out
)

// Window is an interval in which a backup is active.
type Window struct {
	ID       string // stable over the phases of one window
	Phase    Phase
	Reason   string    // why this transition, such as "backup_started"
	At       time.Time // when this phase was reached
	Host     string    // host.name
	Tool     string    // catalogue name, such as "restic"
	Workload string    // what a person would stop: a unit or a job
	PID      int64     // leader of the job; zero if it is a unit
	Start    time.Time
	End      time.Time // zero until closed
}

// Episode is an interval in which a service's latency is worse than its
// baseline.
type Episode struct {
	ID       string
	Phase    Phase
	Reason   string // why this transition, such as "latency_rose"
	At       time.Time
	Host     string // host.name; empty if unknown
	Service  string // service.name
	Onset    time.Time
	End      time.Time // zero until closed
	Latency  float64   // seconds, now (at close: the worst seen)
	Baseline float64   // seconds
}

// Job is a workload as people call it.
type Job struct {
	Workload string
	PID      int64 // leader of the job; zero if it is a unit
}

// Suspect is one ranked explanation.
type Suspect struct {
	Kind       string // contention, traffic_surge, own_work, faulty_disk, upstream, unknown
	Resource   string // cpu, disk, network, memory; empty if it has none
	Workload   string // empty unless Kind is contention
	PID        int64  // leader of the job that the workload is; zero if there is none
	Confidence float64
	Why        string // one sentence: what speaks for it or why it lost
}

// Backup is what a verdict says of one running backup.
type Backup struct {
	WindowID string
	Tool     string
	Workload string
	PID      int64  // leader of the job; zero if it is a unit
	Finding  string // charged, cleared, undecided
	Reason   string // one sentence
}

// Remedy is something to do, and whether it can work on this host.
type Remedy struct {
	Title   string
	Command string // exact; empty if there is none to copy
	Works   string // yes, no, unknown
	Why     string
}

// Verdict is the likely root cause of one episode.
type Verdict struct {
	ID          string // stable over the phases: of victim and onset
	Phase       Phase
	Reason      string    // why this transition, such as "cause_named"
	At          time.Time // when this phase was reached
	Host        string    // host.name of the victim; empty if unknown
	Service     string    // service.name of the victim
	Onset       time.Time
	End         time.Time // zero until closed
	State       State
	Cause       Suspect // the strongest; Kind "unknown" when none stands out
	Together    []Job   // that take as much of the same as the cause; its confidence is that of all
	Rival       Suspect // the strongest other explanation
	Suspects    []Suspect
	Backups     []Backup
	For         []string // evidence for the cause, sentences
	Against     []string // evidence against it
	Missing     []string // what could not be seen
	Remedies    []Remedy
	Latency     float64 // seconds, now
	Baseline    float64 // seconds
	RequestRate float64 // per second, now
}
