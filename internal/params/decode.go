package params

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// decode sets in p what a file holds. The terms that p weighs already are those
// that a file may weigh; where there are none, any.
func decode(data []byte, p *rootcause.Params) (Provenance, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return Provenance{}, errors.New("the file is empty: it must hold at least one of the engine's numbers")
	case err != nil:
		return Provenance{}, err
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return Provenance{}, errors.New("the file holds several YAML documents: keep one")
	}
	var (
		d          decoder
		provenance Provenance
	)
	sections := map[string]map[string]func(*yaml.Node){}
	for _, n := range numbers(p) {
		if sections[n.section()] == nil {
			sections[n.section()] = map[string]func(*yaml.Node){}
		}
		sections[n.section()][n.name()] = func(value *yaml.Node) {
			if v, ok := d.number(value, n.key, n.low, n.high, n.whole()); ok {
				n.set(v)
			}
		}
	}
	keys := map[string]func(*yaml.Node){
		sectionProvenance: func(value *yaml.Node) { provenance = d.provenance(value) },
		sectionWeights:    func(value *yaml.Node) { p.Weights = d.weights(value, p.Weights) },
	}
	for name, known := range sections {
		keys[name] = func(value *yaml.Node) { d.fields(value, name, known) }
	}
	d.fields(doc.Content[0], "", keys)
	if len(d.errs) == 0 && p.NamedAt < p.ProbableAt {
		d.report(doc.Content[0], "verdict.named_at is %v and less than verdict.probable_at, %v: a named cause is a probable one too", p.NamedAt, p.ProbableAt)
	}
	return provenance, errors.Join(d.errs...)
}

// decoder gathers what is wrong with a file.
type decoder struct{ errs []error }

func (d *decoder) report(at *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf("line %d: "+format, append([]any{at.Line}, args...)...))
}

// fields calls what is known for each key of a mapping, and complains of others.
func (d *decoder) fields(mapping *yaml.Node, path string, known map[string]func(*yaml.Node)) {
	d.each(mapping, path, func(key, value *yaml.Node) {
		if use := known[key.Value]; use != nil {
			use(value)
			return
		}
		d.unknown(key, join(path, key.Value), "key", slices.Sorted(maps.Keys(known)))
	})
}

// each calls f for each key of a mapping, once.
func (d *decoder) each(mapping *yaml.Node, path string, f func(key, value *yaml.Node)) {
	if mapping.Kind != yaml.MappingNode {
		d.report(mapping, "%s must be keys with values, such as %q", cmp.Or(path, "a file of parameters"), "weights: {shift: 2}")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if first, twice := seen[key.Value]; twice {
			d.report(key, "%s stands in line %d too: keep one", join(path, key.Value), first)
			continue
		}
		seen[key.Value] = key.Line
		f(key, value)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) unknown(at *yaml.Node, name, what string, known []string) {
	near := nearest(at.Value, known)
	if len(near) == 0 {
		d.report(at, "%s is no %s: remove it, or use one of %s", name, what, strings.Join(known, ", "))
		return
	}
	d.report(at, "%s is no %s: did you mean %s?", name, what, strings.Join(near, " or "))
}

// number takes a finite number within its range.
func (d *decoder) number(at *yaml.Node, key string, low, high float64, whole bool) (v float64, ok bool) {
	kind := "a number"
	if whole {
		kind = "a whole number"
	}
	tag := at.ShortTag()
	if at.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" || at.Decode(&v) != nil ||
		!(v >= low && v <= high) || whole && v != math.Trunc(v) {
		given := at.Value
		if at.Kind != yaml.ScalarNode {
			given = "something else"
		}
		d.report(at, "%s must be %s from %v to %v, not %s", key, kind, low, high, cmp.Or(given, "nothing"))
		return 0, false
	}
	return v, true
}

func (d *decoder) weights(mapping *yaml.Node, base rootcause.Weights) rootcause.Weights {
	weights := rootcause.Weights{}
	maps.Copy(weights, base)
	d.each(mapping, sectionWeights, func(key, value *yaml.Node) {
		term := rootcause.Term(key.Value)
		if _, known := base[term]; !known && len(base) > 0 {
			var terms []string
			for t := range base {
				terms = append(terms, string(t))
			}
			slices.Sort(terms)
			d.unknown(key, join(sectionWeights, key.Value), "term that the engine weighs", terms)
			return
		}
		if v, ok := d.number(value, join(sectionWeights, key.Value), -maxWeight, maxWeight, false); ok {
			weights[term] = v
		}
	})
	return weights
}

func (d *decoder) provenance(mapping *yaml.Node) (p Provenance) {
	d.fields(mapping, sectionProvenance, map[string]func(*yaml.Node){
		"how": func(value *yaml.Node) { p.How = d.text(value, "provenance.how") },
		"date": func(value *yaml.Node) {
			p.Date = value.Value
			if _, err := time.Parse(time.DateOnly, value.Value); err != nil && value.Value != "" {
				d.report(value, "provenance.date must be a day such as 2026-11-21, not %s", value.Value)
			}
		},
		"sets": func(value *yaml.Node) {
			if value.Kind != yaml.SequenceNode {
				d.report(value, "provenance.sets must be a list, such as [{name: lab, cases: 420}]; [] if they were fitted on nothing")
				return
			}
			for i, set := range value.Content {
				p.Sets = append(p.Sets, d.set(set, fmt.Sprintf("provenance.sets[%d]", i)))
			}
		},
	})
	if (p.How == "") != (p.Date == "") {
		d.report(mapping, "provenance.how and provenance.date must both be set, such as %q and 2026-11-21", "set by hand")
	}
	return p
}

func (d *decoder) set(mapping *yaml.Node, path string) (s Set) {
	d.fields(mapping, path, map[string]func(*yaml.Node){
		"name": func(value *yaml.Node) { s.Name = d.text(value, path+".name") },
		"cases": func(value *yaml.Node) {
			v, _ := d.number(value, path+".cases", 1, 1e9, true)
			s.Cases = int(v)
		},
		"scores": func(value *yaml.Node) {
			d.each(value, path+".scores", func(key, value *yaml.Node) {
				if v, ok := d.number(value, path+".scores."+key.Value, -math.MaxFloat64, math.MaxFloat64, false); ok {
					if s.Scores == nil {
						s.Scores = map[string]float64{}
					}
					s.Scores[key.Value] = v
				}
			})
		},
	})
	if s.Name == "" || s.Cases == 0 {
		d.report(mapping, "%s: name and cases must be set, such as {name: lab, cases: 420}", path)
	}
	return s
}

func (d *decoder) text(at *yaml.Node, key string) string {
	if at.Kind != yaml.ScalarNode || at.ShortTag() != "!!str" {
		d.report(at, "%s must be text", key)
		return ""
	}
	return at.Value
}

// nearest lists the names that somebody who wrote another may have meant: those
// that differ in a few letters, and those of which it is a part.
func nearest(written string, names []string) []string {
	var near []string
	for _, name := range names {
		if distance(written, name) <= max(2, len(written)/3) || len(written) > 2 && strings.Contains(name, written) {
			near = append(near, name)
		}
	}
	return near
}

// distance is how many bytes must be added, removed or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
