package evaluate

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

//go:embed mappings/*.yaml
var shipped embed.FS

// mappingFile is the name of a set's own mapping, in its folder.
const mappingFile = "mapping.yaml"

// The protocols: how a set's cases are asked about.
const (
	protocolRank     = "rank"     // the onset is told; which workload?
	protocolDetect   = "detect"   // live, then with the onset told; which resource?
	protocolPairs    = "pairs"    // two runs one after the other; neighbour or surge?
	protocolJournals = "journals" // recorded facts, live
)

// Mapping says how a set's columns become facts and how it is judged.
type Mapping struct {
	Protocol string       `yaml:"protocol"`
	Requires []string     `yaml:"requires"` // patterns of columns by which a set is known
	Host     string       `yaml:"host"`
	Cores    int          `yaml:"cores"`
	Period   float64      `yaml:"period_s"` // if the cases do not tell
	Time     string       `yaml:"time"`     // "rows" if time is to be counted by rows; else the column t
	Rank     RankRules    `yaml:"rank"`
	Detect   DetectRules  `yaml:"detect"`
	Pairs    PairRules    `yaml:"pairs"`
	Victim   VictimRules  `yaml:"victim"`
	Entity   []Rename     `yaml:"entity"` // from the names of workloads to those of the truth
	Columns  []ColumnRule `yaml:"columns"`

	name     string
	requires []*regexp.Regexp
}

// RankRules are the numbers of the protocol "rank"; times are in seconds.
type RankRules struct {
	Before       float64             `yaml:"before_s"`
	After        float64             `yaml:"after_s"` // zero: as long as the case's fault
	Late         float64             `yaml:"late_s"`  // the question is asked again with the onset told so much later
	History      float64             `yaml:"history_s"`
	DropConstant bool                `yaml:"drop_constant"` // columns that do not change in one of the halves
	ByFault      map[string][]string `yaml:"by_fault"`      // names of groups of faults that are judged together; else each by itself
}

// DetectRules are those of the protocol "detect".
type DetectRules struct {
	Answer float64             `yaml:"answer_s"` // seconds after the onset until the question
	Causes map[string][]string `yaml:"causes"`   // the resources that are right for each
}

// PairRules are those of the protocol "pairs".
type PairRules struct {
	Load      string  `yaml:"load"`      // column
	Neighbour string  `yaml:"neighbour"` // column; 0 means none
	Gap       float64 `yaml:"gap_s"`
	MinRows   int     `yaml:"min_rows"`
	Symptom   float64 `yaml:"symptom"` // ratio of latencies
	Limit     int     `yaml:"limit"`   // pairs of a file that are judged
}

// VictimRules say which columns are the victim's latency and requests.
type VictimRules struct {
	Service      string   `yaml:"service"`
	Units        []string `yaml:"units"`         // names of its own workloads, if they are columns
	Latency      string   `yaml:"latency"`       // column; {sli} is the case's
	LatencyElse  string   `yaml:"latency_else"`  // column for cases that name none
	LatencyMatch string   `yaml:"latency_match"` // pattern with groups for Requests
	LatencyScale float64  `yaml:"latency_scale"` // to seconds
	Requests     string   `yaml:"requests"`      // pattern of a column; {throughput} is the case's
	PerSecond    bool     `yaml:"requests_per_second"`
}

// Rename replaces what matches a pattern in a name.
type Rename struct {
	Match string `yaml:"match"`
	With  string `yaml:"with"`

	match *regexp.Regexp
}

// ColumnRule says what columns mean. Several columns that mean the same are
// added up.
type ColumnRule struct {
	Match  string  `yaml:"match"` // pattern
	To     string  `yaml:"to"`    // fact and field, such as use.cpu
	Name   string  `yaml:"name"`  // of the workload or device; $1 is the first group
	Host   string  `yaml:"host"`
	As     string  `yaml:"as"`    // rate, total, counter or level
	Scale  float64 `yaml:"scale"` // to the fact's unit
	Show   float64 `yaml:"show"`  // scale for the baselines
	If     string  `yaml:"if"`    // column that must be there
	Unless string  `yaml:"unless"`

	match *regexp.Regexp
	to    field
}

// ParseMapping reads a mapping from YAML. Unknown keys are errors.
func ParseMapping(name string, data []byte) (*Mapping, error) {
	m := Mapping{name: name}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("mapping %s: %w", name, err)
	}
	if err := m.compile(); err != nil {
		return nil, fmt.Errorf("mapping %s: %w", name, err)
	}
	return &m, nil
}

func (m *Mapping) compile() error {
	switch m.Protocol {
	case protocolJournals:
		return nil
	case protocolRank:
		if m.Rank.Before <= 0 {
			return errors.New("rank.before_s: say how many seconds before the onset are looked at")
		}
	case protocolDetect:
		if m.Detect.Answer <= 0 {
			return errors.New("detect.answer_s: say how many seconds after the onset the question is asked")
		}
	case protocolPairs:
		if p := m.Pairs; p.Load == "" || p.Neighbour == "" || p.Symptom <= 0 || p.MinRows < 1 || p.Gap <= 0 || p.Limit < 1 {
			return errors.New("pairs: load, neighbour, symptom, min_rows, gap_s and limit must be set")
		}
	default:
		return fmt.Errorf("protocol: %q is none of rank, detect, pairs and journals", m.Protocol)
	}
	if m.Time != "" && m.Time != "rows" {
		return fmt.Errorf("time: %q is neither empty nor rows", m.Time)
	}
	if m.Victim.Service == "" || m.Victim.Latency == "" || m.Host == "" {
		return errors.New("host, victim.service and victim.latency must be set")
	}
	if m.Victim.LatencyScale == 0 {
		m.Victim.LatencyScale = 1
	}
	for _, pattern := range m.Requires {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("requires: %w", err)
		}
		m.requires = append(m.requires, re)
	}
	for i := range m.Entity {
		re, err := regexp.Compile(m.Entity[i].Match)
		if err != nil {
			return fmt.Errorf("entity: %w", err)
		}
		m.Entity[i].match = re
	}
	for i := range m.Columns {
		if err := m.Columns[i].compile(); err != nil {
			return fmt.Errorf("columns: %s: %w", m.Columns[i].Match, err)
		}
	}
	return nil
}

func (r *ColumnRule) compile() error {
	re, err := regexp.Compile(r.Match)
	if err != nil {
		return err
	}
	to, ok := fields[r.To]
	if !ok {
		return fmt.Errorf("to: %q is no fact and field; they are %s", r.To, strings.Join(fieldNames(), ", "))
	}
	switch r.As {
	case "rate", "total", "counter", "level":
	default:
		return fmt.Errorf("as: %q is none of rate, total, counter and level", r.As)
	}
	if to.kind == kindUse && r.Name == "" {
		return errors.New("name: say whose use it is")
	}
	if r.Scale == 0 {
		r.Scale = 1
	}
	if r.Show == 0 {
		r.Show = 1
	}
	r.match, r.to = re, to
	return nil
}

// entity is what the truth calls a workload.
func (m *Mapping) entity(workload string) string {
	for _, r := range m.Entity {
		workload = r.match.ReplaceAllString(workload, r.With)
	}
	return workload
}

// between are the ways to join causes.
var between = regexp.MustCompile(`\s*(?:\+|,|\band\b)\s*`)

// answers are the resources that are right for a cause, which may be several
// joined by " + ", commas or "and". A cause that no resource is right for has
// none; one that is not known is an error, unless another one beside it is.
func (m *Mapping) answers(cause string) ([]string, error) {
	var list []string
	found := false
	for _, part := range between.Split(cause, -1) {
		for name, resources := range m.Detect.Causes {
			if letters(name) == letters(part) {
				found = true
				list = append(list, resources...)
			}
		}
	}
	if !found {
		return nil, fmt.Errorf("cause %q: add it to detect.causes of the mapping", cause)
	}
	return list, nil
}

// letters is a name without what people write differently.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// mappingOf finds the mapping of a set: its own, else the shipped one of its
// name, else the shipped one whose required columns are there.
func mappingOf(dir string, columns []string) (*Mapping, error) {
	own := filepath.Join(dir, mappingFile)
	data, err := os.ReadFile(own) //nolint:gosec // reading the folder that the user named is the purpose
	switch {
	case err == nil:
		return ParseMapping(own, data)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	all, err := Shipped()
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.name == filepath.Base(dir) {
			return m, nil
		}
	}
	for _, m := range all {
		if len(m.requires) > 0 && m.fits(columns) {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%s: no mapping fits its columns: write %s with protocol, host, victim and columns, as in internal/evaluate/mappings", dir, own)
}

// fits reports whether all required columns are there.
func (m *Mapping) fits(columns []string) bool {
	return !slices.ContainsFunc(m.requires, func(re *regexp.Regexp) bool { return !slices.ContainsFunc(columns, re.MatchString) })
}

// Shipped are the mappings that come with the project, by name.
func Shipped() ([]*Mapping, error) {
	files, err := shipped.ReadDir("mappings")
	if err != nil {
		return nil, err
	}
	var all []*Mapping
	for _, f := range files {
		data, err := shipped.ReadFile(path.Join("mappings", f.Name()))
		if err != nil {
			return nil, err
		}
		m, err := ParseMapping(strings.TrimSuffix(f.Name(), ".yaml"), data)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}
