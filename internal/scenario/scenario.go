package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Scenario is a file that makes plans.
type Scenario struct {
	Name string

	text  []byte
	draws map[string]draw
}

// draw says between what a seed decides: numbers from low to high, or choices.
type draw struct {
	low, high float64
	whole     bool
	choices   []string
}

// usualTimes of a run in seconds, where a file does not say.
var usualTimes = map[string]draw{
	"learn":  {low: 27, high: 31, whole: false},
	"during": {low: 19, high: 23, whole: false},
}

var (
	variable = regexp.MustCompile(`\$\{([a-z_0-9]+)\}`)
	span     = regexp.MustCompile(`^(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)$`)
)

// Parse reads a scenario. What is wrong with the file is told here, whatever seed
// will be drawn.
func Parse(name string, text []byte) (*Scenario, error) {
	s := &Scenario{Name: name, text: text, draws: maps.Clone(usualTimes)}
	if err := s.parse(); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	return s, nil
}

func (s *Scenario) parse() error {
	var head struct {
		Draw map[string]yaml.Node `yaml:"draw"`
	}
	if err := yaml.Unmarshal(s.text, &head); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(head.Draw)) {
		d, err := parseDraw(head.Draw[key])
		if err != nil {
			return fmt.Errorf("draw.%s: %w", key, err)
		}
		if _, usual := usualTimes[key]; !usual && !bytes.Contains(s.text, []byte("${"+key+"}")) {
			return fmt.Errorf("draw.%s is used nowhere: remove it, or write ${%s} where it is meant", key, key)
		}
		s.draws[key] = d
	}
	_, err := s.draw(0)
	return err
}

// parseDraw reads "LO..HI" or a list.
func parseDraw(node yaml.Node) (draw, error) {
	var d draw
	switch node.Kind {
	case yaml.SequenceNode:
		if err := node.Decode(&d.choices); err != nil || len(d.choices) == 0 {
			return d, errors.New("a list must have values to choose from")
		}
		return d, nil
	case yaml.ScalarNode:
		parts := span.FindStringSubmatch(node.Value)
		if parts == nil {
			return d, fmt.Errorf("%q is neither a range such as 20..40 nor a list such as [1, 2]", node.Value)
		}
		d.whole = !strings.Contains(strings.ReplaceAll(node.Value, "..", ""), ".")
		var errLow, errHigh error
		d.low, errLow = strconv.ParseFloat(parts[1], 64)
		d.high, errHigh = strconv.ParseFloat(parts[2], 64)
		if err := errors.Join(errLow, errHigh); err != nil {
			return d, err
		}
		if d.high < d.low {
			return d, fmt.Errorf("%s ends before it begins", node.Value)
		}
		return d, nil
	default:
		return d, errors.New("must be a range such as 20..40 or a list such as [1, 2]")
	}
}

// Draw decides everything that the seed decides.
func (s *Scenario) Draw(seed uint64) (Plan, error) {
	p, err := s.draw(seed)
	if err != nil {
		return Plan{}, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	return p, nil
}

func (s *Scenario) draw(seed uint64) (Plan, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(s.text, &doc); err != nil {
		return Plan{}, err
	}
	if err := s.expand(&doc, seed); err != nil {
		return Plan{}, err
	}
	decided, err := yaml.Marshal(&doc)
	if err != nil {
		return Plan{}, err
	}
	file := struct {
		Plan `yaml:",inline"`
		Draw yaml.Node `yaml:"draw"` // read before
	}{}
	if file.Times, err = s.times(seed); err != nil {
		return Plan{}, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(decided))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return Plan{}, err
	}
	p := file.Plan
	p.Name, p.Seed = s.Name, seed
	return p, p.check()
}

// expand puts what the seed decides in the place of variables.
func (s *Scenario) expand(node *yaml.Node, seed uint64) error {
	var errs []error
	if node.Kind == yaml.ScalarNode && variable.MatchString(node.Value) {
		node.Value = variable.ReplaceAllStringFunc(node.Value, func(match string) string {
			key := match[len("${") : len(match)-len("}")]
			d, known := s.draws[key]
			if !known {
				errs = append(errs, fmt.Errorf("%s is drawn nowhere: add it under draw", match))
			}
			return d.value(s.random(seed, key))
		})
		node.Tag, node.Style = "", 0 // a number if it looks like one
	}
	for _, child := range node.Content {
		errs = append(errs, s.expand(child, seed))
	}
	return errors.Join(errs...)
}

// times are those of a file that says nothing of them, apart from what it draws.
func (s *Scenario) times(seed uint64) (Times, error) {
	seconds := func(key string) (Seconds, error) {
		v, err := strconv.ParseFloat(s.draws[key].value(s.random(seed, key)), 64)
		if err != nil {
			return 0, fmt.Errorf("draw.%s must be a number of seconds", key)
		}
		return Seconds(v), nil
	}
	learn, errLearn := seconds("learn")
	during, errDuring := seconds("during")
	return Times{Learn: learn, During: during, After: usualAfter}, errors.Join(errLearn, errDuring)
}

// random is a source for one variable, so that another one more changes nothing.
func (s *Scenario) random(seed uint64, key string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.Name + "/" + key))    // a hash takes everything
	return rand.New(rand.NewPCG(seed, h.Sum64())) //nolint:gosec // the same seed must give the same plan
}

func (d draw) value(random *rand.Rand) string {
	switch {
	case len(d.choices) > 0:
		return d.choices[random.IntN(len(d.choices))]
	case d.whole:
		return strconv.Itoa(int(d.low) + random.IntN(int(d.high-d.low)+1))
	default:
		return strconv.FormatFloat(math.Round((d.low+random.Float64()*(d.high-d.low))*100)/100, 'f', -1, 64)
	}
}
