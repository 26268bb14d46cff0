package rootcause

// DefaultParams are the shipped numbers. Their package needs this one, so that
// only the tests outside can bring them in here.
var DefaultParams func() Params

// ServicesOf are the services whose work is done by the workload of a process.
func (e *Engine) ServicesOf(host string, pid int64) []string {
	return e.byHost[host].byPID[pid].workload.serves
}

// CgroupOf is the control group of the workload of a process.
func (e *Engine) CgroupOf(host string, pid int64) string {
	return e.byHost[host].byPID[pid].workload.cgroup
}
