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
}
