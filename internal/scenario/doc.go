// Package scenario describes the lab's incidents: a scenario is a file that says
// what happens and what a seed decides; a plan is one run of it with every number
// decided. The same file and seed give the same plan.
package scenario
