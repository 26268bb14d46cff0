package workload

import (
	"slices"

	"github.com/otel-culprit/culprit/internal/process"
)

// Filter says which processes count. What is left out is counted nowhere, not
// even among the others. The zero value lets all pass.
type Filter struct {
	Include Patterns // empty: all
	Exclude Patterns // is asked first
}

// Patterns match a process if any of them does.
type Patterns struct {
	Names   []func(name string) bool // the kernel's name of the command
	Users   []int64                  // effective user IDs
	Units   []func(unit string) bool // systemd unit, also that of a container
	Cgroups []func(path string) bool
}

func (f *Filter) passes(p *process.Process, unit string) bool {
	return !f.Exclude.match(p, unit) && (f.Include.empty() || f.Include.match(p, unit))
}

func (m *Patterns) empty() bool {
	return len(m.Names)+len(m.Users)+len(m.Units)+len(m.Cgroups) == 0
}

func (m *Patterns) match(p *process.Process, unit string) bool {
	return slices.Contains(m.Users, p.User) || anyOf(m.Names, p.Name) || anyOf(m.Units, unit) || anyOf(m.Cgroups, p.Cgroup)
}

// anyOf never matches what is unknown.
func anyOf(patterns []func(string) bool, s string) bool {
	return s != "" && slices.ContainsFunc(patterns, func(matches func(string) bool) bool { return matches(s) })
}
