package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// The ranks of workloads: whoever is blamed is drawn first and on top.
const (
	rankCulprit = iota
	rankSuspect
	rankBackup
	rankLarge
	rankRest
)

// colours gives each workload one colour in the whole page. The colours mean
// something: warm ones are blamed, green ones cleared.
type colours struct {
	class map[backup.Workload]string
	ranks map[backup.Workload]int
}

// rest is what the engine calls the sum of the workloads it does not list.
const rest = "other"

func newColours(s *story) colours {
	c := colours{class: map[backup.Workload]string{}, ranks: map[backup.Workload]int{}}
	culprits := 0
	for _, st := range s.verdicts {
		v := st.final()
		if len(v.Suspects) == 0 || v.State == rootcause.StateUnknown || v.Top().Cause != rootcause.Contention {
			continue
		}
		if c.give(v.Top().Workload, fmt.Sprintf("k%d", culprits%2), rankCulprit) {
			culprits++
		}
	}
	judged := s.findingsByWindow()
	next := 0
	for _, w := range s.windows {
		if o := judged[w.Window.ID]; o.told && o.finding == rootcause.Cleared {
			c.give(w.Window.Workload, "g0", rankBackup)
		} else if c.give(w.Window.Workload, fmt.Sprintf("o%d", next%5), rankBackup) {
			next++
		}
	}
	const worth = 0.02
	for _, st := range s.verdicts {
		for _, suspect := range st.final().Suspects {
			if suspect.Cause != rootcause.Contention || suspect.Probability < worth {
				continue
			}
			if c.give(suspect.Workload, fmt.Sprintf("o%d", next%5), rankSuspect) {
				next++
			}
		}
	}
	for _, w := range largest(s) {
		if w.Name == rest && w.PID == 0 {
			c.give(w, "rest", rankRest)
		} else if c.give(w, fmt.Sprintf("o%d", next%5), rankLarge) {
			next++
		}
	}
	return c
}

// largest lists all workloads by the largest part they ever had of the peak of
// any resource.
func largest(s *story) []backup.Workload {
	var peaks [len(uses)]float64
	for _, w := range s.workloads {
		for i := range uses {
			if _, hi, ok := w.use[i].extremes(); ok {
				peaks[i] = max(peaks[i], hi)
			}
		}
	}
	part := map[backup.Workload]float64{}
	list := make([]backup.Workload, 0, len(s.workloads))
	for id, w := range s.workloads {
		list = append(list, id)
		for i := range uses {
			if _, hi, ok := w.use[i].extremes(); ok && peaks[i] > 0 && uses[i] != rootcause.SharedMemory {
				part[id] = max(part[id], hi/peaks[i])
			}
		}
	}
	slices.SortFunc(list, func(a, b backup.Workload) int {
		return cmp.Or(cmp.Compare(part[b], part[a]), compareWorkloads(a, b))
	})
	return list
}

// give reports whether the workload had no colour before.
func (c *colours) give(w backup.Workload, class string, rank int) bool {
	if _, ok := c.class[w]; ok {
		return false
	}
	c.class[w], c.ranks[w] = class, rank
	return true
}

func (c *colours) of(w backup.Workload) string {
	if class, ok := c.class[w]; ok {
		return class
	}
	return "plain"
}

func (c *colours) rank(w backup.Workload) int {
	if r, ok := c.ranks[w]; ok {
		return r
	}
	return rankLarge
}

// ofSuspect is the colour of an explanation that is believed.
func (c *colours) ofSuspect(s rootcause.Suspect) string {
	if s.Cause == rootcause.Contention {
		return c.of(s.Workload)
	}
	return "k0"
}
