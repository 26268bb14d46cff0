package rootcause

import (
	"time"

	"github.com/otel-culprit/culprit/internal/backup"
)

// Event is what a Step may return: a Window, an Episode or a Verdict.
type Event interface {
	// When is the event time of the transition.
	When() time.Time
	isEvent()
}

// Phase tells where in its life a window, an episode or a verdict is.
type Phase uint8

// The phases.
const (
	PhaseUnknown Phase = iota
	Opened
	Updated
	Closed
)

// String is the phase's name in events.
func (p Phase) String() string {
	switch p {
	case Opened:
		return "opened"
	case Updated:
		return "updated"
	case Closed:
		return "closed"
	default:
		return "unknown"
	}
}

// MarshalText is String, for JSON.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Reason names why a transition happened; the same words are in events,
// counters and explanations.
type Reason string

// The reasons of transitions.
const (
	ReasonBackupStarted    Reason = "backup_started"
	ReasonBackupEnded      Reason = "backup_ended"
	ReasonLatencyRose      Reason = "latency_rose"
	ReasonRequestsStalled  Reason = "requests_stalled"
	ReasonObjectiveMissed  Reason = "objective_missed"
	ReasonLatencyRecovered Reason = "latency_recovered"
	ReasonVictimVanished   Reason = "victim_vanished"
	ReasonCauseNamed       Reason = "cause_named"
	ReasonCauseProbable    Reason = "cause_probable"
	ReasonNoCause          Reason = "no_cause_stands_out"
	ReasonCauseChanged     Reason = "cause_changed"
	ReasonFindingChanged   Reason = "finding_changed"
)

// State tells how sure a verdict is; its zero value is StateUnknown.
type State uint8

// The states of a verdict.
const (
	StateUnknown  State = iota // no explanation stands out
	StateProbable              // likely, not sure
	StateNamed                 // sure enough to page somebody
)

// String is the state's name in events.
func (s State) String() string {
	switch s {
	case StateNamed:
		return "named"
	case StateProbable:
		return "probable"
	default:
		return "unknown"
	}
}

// MarshalText is String, for JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Cause is a kind of explanation.
type Cause string

// The kinds of explanation: one that blames a workload, and its rivals.
const (
	Contention   Cause = "contention"    // a workload uses what the victim needs
	TrafficSurge Cause = "traffic_surge" // more requests than before
	OwnWork      Cause = "own_work"      // the victim does more per request
	FaultyDisk   Cause = "faulty_disk"   // errors, or slow at unchanged load
	Upstream     Cause = "upstream"      // something that it calls, or a lock
	UnknownCause Cause = "unknown"
)

// Shared is a resource that workloads contend for.
type Shared uint8

// The shared resources; NoResource is the zero value.
const (
	NoResource Shared = iota
	SharedCPU
	SharedDisk
	SharedNetwork
	SharedMemory
	SharedCache // the page cache: what others read and write pushes the victim's files out
	SharedSpace // room in a file system
	SharedLock
	numShared
)

// String is the resource's name in events.
func (s Shared) String() string {
	switch s {
	case SharedCPU:
		return "cpu"
	case SharedDisk:
		return "disk"
	case SharedNetwork:
		return "network"
	case SharedMemory:
		return "memory"
	case SharedCache:
		return "page_cache"
	case SharedSpace:
		return "disk_space"
	case SharedLock:
		return "lock"
	default:
		return ""
	}
}

// MarshalText is String, for JSON.
func (s Shared) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Evidence is one named number that speaks for or against a suspect.
type Evidence struct {
	Name     string  `json:"name"`          // such as "shift" or "onset_order"
	Value    float64 `json:"value"`         // in Unit
	Unit     string  `json:"unit"`          // UCUM
	Term     Term    `json:"term,omitzero"` // of the weights; empty if it only explains
	Strength float64 `json:"strength"`      // how much of it there is
	Weight   float64 `json:"weight"`        // Strength times the term's; added to the suspect's score, negative speaks against it
	Sentence string  `json:"sentence"`
}

// Suspect is one explanation with its probability.
type Suspect struct {
	Cause       Cause           `json:"cause"`
	Resource    Shared          `json:"resource,omitzero"`
	Workload    backup.Workload `json:"workload"`      // zero unless Cause is Contention
	Tool        string          `json:"tool,omitzero"` // backup tool of the workload, if it is one
	Prior       Term            `json:"prior"`         // of its kind, in the weights
	Score       float64         `json:"score"`         // the prior of its kind and the weights of its evidence
	Probability float64         `json:"probability"`
	Together    bool            `json:"together,omitzero"` // named with others that take the same
	Evidence    []Evidence      `json:"evidence"`
}

// Finding is what a verdict says of a running backup.
type Finding uint8

// The findings; Undecided is the zero value.
const (
	Undecided Finding = iota
	Cleared
	Charged
)

// String is the finding's name in events.
func (f Finding) String() string {
	switch f {
	case Charged:
		return "charged"
	case Cleared:
		return "cleared"
	default:
		return "undecided"
	}
}

// MarshalText is String, for JSON.
func (f Finding) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Backup is the finding on one backup that ran when the latency rose.
type Backup struct {
	Window      backup.Window `json:"window"`
	Finding     Finding       `json:"finding"`
	Probability float64       `json:"probability"` // of its being the cause
	Sentence    string        `json:"sentence"`    // the reason
}

// Works tells whether a remedy can have an effect on the host.
type Works uint8

// The answers; MayWork is the zero value.
const (
	MayWork Works = iota
	DoesNotWork
	DoesWork
)

// String is the answer's name in events.
func (w Works) String() string {
	switch w {
	case DoesWork:
		return "yes"
	case DoesNotWork:
		return "no"
	default:
		return "unknown"
	}
}

// MarshalText is String, for JSON.
func (w Works) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// Remedy is something to do against the cause.
type Remedy struct {
	Title   string `json:"title"`
	Command string `json:"command"` // exact; empty if there is nothing to copy
	Works   Works  `json:"works"`
	Why     string `json:"why"`
}

// Victim is a service whose latency somebody cares about.
type Victim struct {
	Service string `json:"service"`
	Host    string `json:"host"` // empty if unknown
}

// Window tells that a backup started or ended.
type Window struct {
	Phase  Phase         `json:"phase"`
	Reason Reason        `json:"reason"`
	At     time.Time     `json:"at"`
	Window backup.Window `json:"window"`
}

// Episode tells that a victim's latency left its baseline, or came back.
type Episode struct {
	ID       string    `json:"id"`
	Phase    Phase     `json:"phase"`
	Reason   Reason    `json:"reason"`
	At       time.Time `json:"at"`
	Victim   Victim    `json:"victim"`
	Onset    time.Time `json:"onset"`
	End      time.Time `json:"end,omitzero"` // zero until closed
	Signal   string    `json:"signal"`       // the latency signal that shows it most
	Latency  float64   `json:"latency"`      // seconds, now; at close the worst seen
	Baseline float64   `json:"baseline"`     // seconds; zero if not learned
}

// Verdict is the likely root cause of one episode.
type Verdict struct {
	ID          string    `json:"id"` // stable over the phases: hash of victim and onset
	Phase       Phase     `json:"phase"`
	Reason      Reason    `json:"reason"`
	At          time.Time `json:"at"`
	Victim      Victim    `json:"victim"`
	Onset       time.Time `json:"onset"`
	End         time.Time `json:"end,omitzero"` // zero until closed
	State       State     `json:"state"`
	Suspects    []Suspect `json:"suspects"` // ranked by probability, rivals among them; never empty
	Backups     []Backup  `json:"backups"`
	Missing     []string  `json:"missing"`
	Remedies    []Remedy  `json:"remedies"`
	Latency     float64   `json:"latency"`      // seconds, now
	Baseline    float64   `json:"baseline"`     // seconds; zero if not learned
	RequestRate float64   `json:"request_rate"` // per second, now
	UsualRate   float64   `json:"usual_rate"`   // per second, before the onset
}

// Top is the strongest suspect.
func (v Verdict) Top() Suspect { return v.Suspects[0] }

// Others are those that are named together with the strongest suspect.
func (v Verdict) Others() []Suspect {
	if v.State == StateUnknown || !v.Top().Together {
		return nil
	}
	var others []Suspect
	for _, s := range v.Suspects[1:] {
		if s.Together {
			others = append(others, s)
		}
	}
	return others
}

// Probability is that of what the verdict says: of the strongest suspect, or that
// it is one of those that are named together.
func (v Verdict) Probability() float64 {
	p := v.Top().Probability
	for _, s := range v.Others() {
		p += s.Probability
	}
	return p
}

// Rival is the strongest other explanation; that it is unknown explains nothing
// and is no rival. ok is false if there is none.
func (v Verdict) Rival() (rival Suspect, ok bool) {
	together := v.State != StateUnknown && v.Top().Together
	for _, s := range v.Suspects[1:] {
		if named := together && s.Together; !named && s.Cause != UnknownCause {
			return s, true
		}
	}
	return Suspect{}, false
}

// When is the event time of the transition.
func (w Window) When() time.Time { return w.At }

// When is the event time of the transition.
func (e Episode) When() time.Time { return e.At }

// When is the event time of the transition.
func (v Verdict) When() time.Time { return v.At }

func (Window) isEvent()  {}
func (Episode) isEvent() {}
func (Verdict) isEvent() {}
