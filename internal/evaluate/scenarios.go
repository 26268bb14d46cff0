package evaluate

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// writeScenarios writes a table for each measure, with a line for each scenario of
// each half: a set of many scenarios is read by measure, not by scenario.
func (s SetReport) writeScenarios(w io.Writer) error {
	for _, measure := range s.measures() {
		if _, err := fmt.Fprintf(w, "%s: %s\n", s.Name, measure); err != nil {
			return err
		}
		if err := s.writeMeasure(w, measure); err != nil {
			return err
		}
	}
	for _, g := range s.Groups {
		if err := g.writeMistakes(w); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// measures are those of the product in any group, but for the number of cases.
func (s SetReport) measures() []string {
	var names []string
	for _, g := range s.Groups {
		for _, m := range g.ours().Measures {
			if m.stat != count && !slices.Contains(names, m.Name) {
				names = append(names, m.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func (s SetReport) writeMeasure(w io.Writer, measure string) error {
	var methods []string // that know the measure in any group
	for _, g := range s.Groups {
		for _, m := range g.Methods {
			if _, ok := m.measure(measure); ok && m.Name != product && !slices.Contains(methods, m.Name) {
				methods = append(methods, m.Name)
			}
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(t, "  "+strings.Join(cells, "\t")) } // Flush tells what went wrong
	line(append([]string{"scenario", "cases", product, "95 % interval"}, methods...)...)
	for _, g := range s.Groups {
		ours, ok := g.ours().measure(measure)
		if !ok {
			continue
		}
		cells := []string{g.Name, strconv.Itoa(ours.Cases), figure(ours, ours.Value), figure(ours, ours.Low) + " to " + figure(ours, ours.High)}
		for _, name := range methods {
			i := slices.IndexFunc(g.Methods, func(m Method) bool { return m.Name == name })
			cell := "-"
			if i >= 0 {
				if theirs, ok := g.Methods[i].measure(measure); ok {
					cell = figure(theirs, theirs.Value)
				}
			}
			cells = append(cells, cell)
		}
		line(cells...)
	}
	return t.Flush()
}

// ours is the product's figures; empty if there are none.
func (g Group) ours() Method {
	if len(g.Methods) == 0 {
		return Method{}
	}
	return g.Methods[0]
}

func (m Method) measure(name string) (Measure, bool) {
	i := slices.IndexFunc(m.Measures, func(x Measure) bool { return x.Name == name })
	if i < 0 {
		return Measure{}, false
	}
	return m.Measures[i], true
}
