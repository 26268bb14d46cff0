// Package backup recognises backups among the processes of a host and tells in
// which windows they are active.
package backup

import "time"

// Workload identifies what a person would stop or throttle: a systemd unit, a
// container, or a job (a process group). It is comparable.
type Workload struct {
	Host  string
	Name  string // unit, container or command
	PID   int64  // leader of the job; zero for a unit or container
	Start int64  // of the leader, Unix milliseconds; zero for a unit or container
}

// Window is an interval in which a backup is active.
type Window struct {
	ID       string // hash of workload, tool and start
	Tool     string // name in the catalogue
	Workload Workload
	Start    time.Time
	End      time.Time // zero while active
}
