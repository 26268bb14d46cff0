package evaluate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"text/tabwriter"
)

// Options are those of Evaluate.
type Options struct {
	Engine    NewEngine
	Resamples int                               // of the bootstrap
	Progress  func(set string, done, total int) // from several goroutines; nil for none
}

// Report is what Evaluate found, set by set.
type Report struct {
	Sets []SetReport
}

// SetReport is what was found of one set, in groups of cases: the files of a set
// of pairs, the scenarios of recordings, else a single one without a name.
type SetReport struct {
	Name   string
	Groups []Group

	scenarios bool // a group is a scenario, or a half of its runs
}

// Group is cases that are counted together.
type Group struct {
	Name     string
	Methods  []Method // the product is the first
	mistakes []mistake
}

// Method is what was measured of one way to find the cause.
type Method struct {
	Name     string
	Measures []Measure
}

// Measure is one figure with its 95 % bootstrap interval.
type Measure struct {
	Name      string
	Value     float64
	Low, High float64
	Cases     int

	stat   stat
	values []float64
}

// mistake is a wrong answer with the cases in which it was given.
type mistake struct {
	question, truth, said string
	cases                 []string
}

// Evaluate judges the engine on sets, with the baselines beside it.
func Evaluate(ctx context.Context, sets []*Set, o Options) (Report, error) {
	var r Report
	for _, s := range sets {
		one, err := s.evaluate(ctx, o)
		if err != nil {
			return Report{}, fmt.Errorf("set %s: %w", s.Name, err)
		}
		r.Sets = append(r.Sets, one)
	}
	return r, nil
}

func (s *Set) evaluate(ctx context.Context, o Options) (SetReport, error) {
	trials, err := s.trials(ctx, o.Engine)
	if err != nil {
		return SetReport{}, err
	}
	var done atomic.Int64
	outcomes, err := inOrder(ctx, trials, func(t trial) (outcome, error) {
		out, failure := t.judge()
		if failure != nil {
			return outcome{}, failure
		}
		out.seen = append(out.seen, t.compare()...)
		out.judged = nil
		if n := int(done.Add(1)); o.Progress != nil {
			o.Progress(s.Name, n, len(trials))
		}
		return out, nil
	})
	if err != nil {
		return SetReport{}, err
	}
	r := SetReport{Name: s.Name, scenarios: s.ofScenarios()}
	for i, out := range outcomes {
		for _, seen := range out.seen {
			r.group(seen.group).add(seen)
		}
		for _, a := range out.answers {
			if !a.right {
				r.group(a.group).wrong(a, trials[i].id)
			}
		}
	}
	if r.scenarios {
		slices.SortFunc(r.Groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	}
	for _, g := range r.Groups {
		for _, m := range g.Methods {
			slices.SortFunc(m.Measures, func(a, b Measure) int { return cmp.Compare(a.Name, b.Name) })
			for i := range m.Measures {
				m.Measures[i].finish(o.Resamples)
			}
		}
	}
	return r, nil
}

func (r *SetReport) group(name string) *Group {
	i := slices.IndexFunc(r.Groups, func(g Group) bool { return g.Name == name })
	if i < 0 {
		i = len(r.Groups)
		r.Groups = append(r.Groups, Group{Name: name})
	}
	return &r.Groups[i]
}

func (g *Group) add(o observation) {
	i := slices.IndexFunc(g.Methods, func(m Method) bool { return m.Name == o.method })
	if i < 0 {
		i = len(g.Methods)
		g.Methods = append(g.Methods, Method{Name: o.method})
	}
	m := &g.Methods[i]
	j := slices.IndexFunc(m.Measures, func(m Measure) bool { return m.Name == o.measure })
	if j < 0 {
		j = len(m.Measures)
		m.Measures = append(m.Measures, Measure{Name: o.measure, stat: o.stat})
	}
	m.Measures[j].values = append(m.Measures[j].values, o.value)
}

func (g *Group) wrong(a answer, id string) {
	i := slices.IndexFunc(g.mistakes, func(m mistake) bool {
		return m.question == a.question && m.truth == a.truth && m.said == a.said
	})
	if i < 0 {
		i = len(g.mistakes)
		g.mistakes = append(g.mistakes, mistake{a.question, a.truth, a.said, nil})
	}
	g.mistakes[i].cases = append(g.mistakes[i].cases, id)
}

func (m *Measure) finish(resamples int) {
	m.Value, m.Cases = m.stat.of(m.values), len(m.values)
	m.Low, m.High = interval(m.values, m.stat, resamples)
	m.values = nil
}

// WriteJSON writes the figures as one object:
// {"sets":{set:{measure:value}},"baselines":{set:{method:{measure:value}}}}, with
// the name of a group between set and measure where a set has groups, and each
// interval under the measure's name with "_ci".
func (r Report) WriteJSON(w io.Writer) error {
	sets, baselines := map[string]any{}, map[string]any{}
	for _, s := range r.Sets {
		ours, theirs := map[string]any{}, map[string]any{}
		for _, g := range s.Groups {
			methods := map[string]any{}
			for _, m := range g.Methods {
				if m.Name != product {
					methods[m.Name] = m.figures()
				}
			}
			if len(g.Methods) == 0 {
				continue
			}
			if g.Name == "" {
				ours, theirs = g.Methods[0].figures(), methods
				continue
			}
			ours[g.Name], theirs[g.Name] = g.Methods[0].figures(), methods
		}
		sets[s.Name], baselines[s.Name] = ours, theirs
	}
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	return out.Encode(map[string]any{"sets": sets, "baselines": baselines})
}

func (m Method) figures() map[string]any {
	all := map[string]any{}
	for _, x := range m.Measures {
		all[x.Name] = rounded(x.Value)
		if x.stat != count {
			all[x.Name+"_ci"] = []float64{rounded(x.Low), rounded(x.High)}
			all[x.Name+"_n"] = x.Cases
		}
	}
	return all
}

// rounded is a figure as it is printed, so that it is the same on all machines.
func rounded(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// WriteText writes the figures as tables, and which cases were answered wrongly.
func (r Report) WriteText(w io.Writer) error {
	for _, s := range r.Sets {
		if s.scenarios {
			if err := s.writeScenarios(w); err != nil {
				return err
			}
			continue
		}
		for _, g := range s.Groups {
			title := s.Name
			if g.Name != "" {
				title += " / " + g.Name
			}
			if _, err := fmt.Fprintln(w, title); err != nil {
				return err
			}
			if err := g.table(w); err != nil {
				return err
			}
			if err := g.writeMistakes(w); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// table has a line for each measure and a column for each method.
func (g Group) table(w io.Writer) error {
	if len(g.Methods) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := []string{"  measure", "cases"}
	for i, m := range g.Methods {
		line = append(line, m.Name)
		if i == 0 {
			line = append(line, "95 % interval")
		}
	}
	rows := []string{strings.Join(line, "\t")}
	for _, x := range g.Methods[0].Measures {
		ci := x.interval()
		if x.stat == count {
			ci = ""
		}
		line := []string{"  " + x.Name, strconv.Itoa(x.Cases), figure(x, x.Value), ci}
		for _, m := range g.Methods[1:] {
			i := slices.IndexFunc(m.Measures, func(y Measure) bool { return y.Name == x.Name })
			if i < 0 {
				line = append(line, "-")
				continue
			}
			line = append(line, figure(m.Measures[i], m.Measures[i].Value))
		}
		rows = append(rows, strings.Join(line, "\t"))
	}
	if _, err := fmt.Fprintln(t, strings.Join(rows, "\n")); err != nil {
		return err
	}
	return t.Flush()
}

func figure(m Measure, x float64) string {
	switch m.stat {
	case mean:
		return fmt.Sprintf("%.3f", x)
	case count:
		return fmt.Sprintf("%.0f", x)
	default:
		return fmt.Sprintf("%.1f", x)
	}
}

// maxNamed is how many cases of a mistake are named.
const maxNamed = 6

func (g Group) writeMistakes(w io.Writer) error {
	for _, m := range g.mistakes {
		named := m.cases[:min(len(m.cases), maxNamed)]
		more := ""
		if len(named) < len(m.cases) {
			more = ", ..."
		}
		if _, err := fmt.Fprintf(w, "  wrong %s: %s, said %s: %d (%s%s)\n", m.question, m.truth, m.said, len(m.cases), strings.Join(named, ", "), more); err != nil {
			return err
		}
	}
	return nil
}
