// Package backup recognises backups among the processes of a host and tells in
// which windows they are active.
package backup

import "time"

// Workload identifies what a person would stop or throttle: a systemd unit, a
// container, or a job (a process group). It is comparable.
type Workload struct {
	Host  string `json:"host"`
	Name  string `json:"name"`           // unit, container or command
	PID   int64  `json:"pid,omitzero"`   // leader of the job; zero for a unit or container
	Start int64  `json:"start,omitzero"` // of the leader, Unix milliseconds; zero for a unit or container
}

// Window is an interval in which a backup is active.
type Window struct {
	ID       string    `json:"id"`            // hash of workload, tool and start
	Tool     string    `json:"tool,omitzero"` // name in the catalogue
	Workload Workload  `json:"workload"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end,omitzero"` // zero while active
	// Phase and Outcome are what the tool itself said last and at its worst.
	Phase   string  `json:"phase,omitzero"` // such as "scan"; empty if not told
	Outcome Outcome `json:"outcome,omitzero"`
}

// Outcome is how a backup went, as its tool says; empty if it did not say.
type Outcome string

// The outcomes, from good to bad.
const (
	OutcomeOK      Outcome = "ok"
	OutcomePartial Outcome = "partial" // some files are missing
	OutcomeFailed  Outcome = "failed"
)

// worse is the worse of two outcomes: a tool that could not read some files says
// that it is done all the same.
func worse(a, b Outcome) Outcome {
	for _, o := range []Outcome{OutcomeFailed, OutcomePartial, OutcomeOK} {
		if a == o || b == o {
			return o
		}
	}
	return ""
}
