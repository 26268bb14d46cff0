package evaluate

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// foremost are the measures that a reader wants to know first.
var foremost = []string{"top1", "false_blame"}

// writeScenarios writes a summary, and then a table for each measure, with a line
// for each scenario of each half: a set of many scenarios is read by measure, not
// by scenario.
func (s SetReport) writeScenarios(w io.Writer) error {
	if err := s.writeSummary(w); err != nil {
		return err
	}
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
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(rankOf(a), rankOf(b)), strings.Compare(a, b))
	})
	return names
}

// rankOf is the place of a measure before those of the same rank.
func rankOf(measure string) int {
	if i := slices.Index(foremost, measure); i >= 0 {
		return i
	}
	return len(foremost)
}

// writeSummary writes in how many cases each method was right, and in how many it
// blamed an innocent backup, over all scenarios.
func (s SetReport) writeSummary(w io.Writer) error {
	halves := s.halves()
	if _, err := fmt.Fprintln(w, s.Name); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "  top1: the true cause was named; false_blame: a backup that did no harm was blamed."); err != nil {
		return err
	}
	if len(halves) > 1 {
		if _, err := fmt.Fprintf(w, "  %s: runs from which numbers may be learned; %s: runs from which none ever are. Name and seed of a run decide.\n", HalfFit, HalfHeld); err != nil {
			return err
		}
	}
	methods := s.methods(foremost...)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(t, "  "+strings.Join(cells, "\t")) } // Flush tells what went wrong
	line(append([]string{"measure", product}, methods...)...)
	for _, measure := range foremost {
		for _, half := range halves {
			cells := []string{strings.TrimSpace(measure + " " + half)}
			for _, method := range append([]string{product}, methods...) {
				cells = append(cells, s.share(half, method, measure))
			}
			line(cells...)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// halves are those of the groups, and the empty one for all.
func (s SetReport) halves() []string {
	var halves []string
	for _, half := range []string{HalfFit, HalfHeld} {
		if slices.ContainsFunc(s.Groups, func(g Group) bool { return g.half() == half }) {
			halves = append(halves, half)
		}
	}
	return append(halves, "")
}

// half is that of the group's cases; empty if they have none.
func (g Group) half() string {
	half, _, _ := strings.Cut(g.Name, " / ")
	if half != HalfFit && half != HalfHeld {
		return ""
	}
	return half
}

// share is in how many cases of a half something was so, of how many; a dash if
// there are none.
func (s SetReport) share(half, method, measure string) string {
	var so float64
	cases := 0
	for _, g := range s.Groups {
		i := slices.IndexFunc(g.Methods, func(m Method) bool { return m.Name == method })
		if i < 0 || (half != "" && g.half() != half) {
			continue
		}
		if m, ok := g.Methods[i].measure(measure); ok {
			so += m.Value * float64(m.Cases)
			cases += m.Cases
		}
	}
	if cases == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f of %d", so, cases)
}

// methods are those beside the product that know any of the measures.
func (s SetReport) methods(measures ...string) []string {
	var methods []string
	for _, g := range s.Groups {
		for _, m := range g.Methods {
			knows := slices.ContainsFunc(measures, func(name string) bool {
				_, ok := m.measure(name)
				return ok
			})
			if knows && m.Name != product && !slices.Contains(methods, m.Name) {
				methods = append(methods, m.Name)
			}
		}
	}
	return methods
}

func (s SetReport) writeMeasure(w io.Writer, measure string) error {
	methods := s.methods(measure)
	several := slices.ContainsFunc(s.Groups, func(g Group) bool {
		ours, ok := g.ours().measure(measure)
		return ok && ours.Cases > 1
	})
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(t, "  "+strings.Join(cells, "\t")) } // Flush tells what went wrong
	heads := []string{"scenario", "cases", product}
	if several {
		heads = append(heads, "95 % interval")
	}
	line(append(heads, methods...)...)
	for _, g := range s.Groups {
		ours, ok := g.ours().measure(measure)
		if !ok {
			continue
		}
		cells := []string{g.Name, strconv.Itoa(ours.Cases), figure(ours, ours.Value)}
		if several {
			cells = append(cells, ours.interval())
		}
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

// interval is that of a figure; a dash for one case, of which it says nothing.
func (m Measure) interval() string {
	if m.Cases < 2 {
		return "-"
	}
	return figure(m, m.Low) + " to " + figure(m, m.High)
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
