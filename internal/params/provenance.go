package params

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Provenance is what numbers rest on, so that nobody trusts a verdict more than
// it deserves.
type Provenance struct {
	How  string `yaml:"how"`  // such as "set by hand"
	Date string `yaml:"date"` // YYYY-MM-DD
	Sets []Set  `yaml:"sets"` // what they were fitted on; empty if on nothing
}

// Set is a collection of cases that numbers were fitted on.
type Set struct {
	Name   string             `yaml:"name"`
	Cases  int                `yaml:"cases"`
	Scores map[string]float64 `yaml:"scores"` // by measure, such as top1
}

// String is one sentence without a full stop.
func (p Provenance) String() string {
	if p.How == "" {
		return "where they come from is not said"
	}
	if len(p.Sets) == 0 {
		return fmt.Sprintf("%s, %s", p.How, p.Date)
	}
	sets := make([]string, 0, len(p.Sets))
	for _, s := range p.Sets {
		sets = append(sets, s.String())
	}
	return fmt.Sprintf("%s, %s, fitted on %s", p.How, p.Date, strings.Join(sets, ", "))
}

// String is such as "lab (420 cases: brier 0.04, top1 0.96)".
func (s Set) String() string {
	scores := make([]string, 0, len(s.Scores))
	for _, measure := range slices.Sorted(maps.Keys(s.Scores)) {
		scores = append(scores, measure+" "+strconv.FormatFloat(s.Scores[measure], 'g', 3, 64))
	}
	text := fmt.Sprintf("%s (%d cases", s.Name, s.Cases)
	if len(scores) > 0 {
		text += ": " + strings.Join(scores, ", ")
	}
	return text + ")"
}
