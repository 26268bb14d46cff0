package evaluate

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Set is a folder of labelled incidents.
type Set struct {
	Name string

	dir     string
	mapping *Mapping
	cases   []caseLine // one for each file if the truth is in the columns
	tables  map[string]*lazyTable
}

type lazyTable struct {
	read func() (*table, error)
}

// caseLine is a line of cases.jsonl.
type caseLine struct {
	ID         string  `json:"id"`
	File       string  `json:"file"`
	Journal    string  `json:"journal"`
	Period     float64 `json:"period_s"`
	OnsetRow   *int    `json:"onset_row"`
	OnsetUnix  float64 `json:"onset_unix"`
	Fault      float64 `json:"fault_s"`
	SLI        string  `json:"sli"`
	Throughput string  `json:"throughput"`
	Abnormal   []int   `json:"abnormal"` // first and last row
	Normal     []int   `json:"normal"`   // first and last row that are surely normal; empty if all others are
	WarmupRows int     `json:"warmup_rows"`
	Scenario   string  `json:"scenario"`
	Seed       uint64  `json:"seed"`
	Half       string  `json:"half"` // fit or held; empty if the set has no halves
	Truth      Truth   `json:"truth"`
}

// Truth is what a recorded incident was.
type Truth struct {
	Entity   string  `json:"entity,omitzero"`
	Metric   string  `json:"metric,omitzero"`
	Fault    string  `json:"fault,omitzero"`
	Cause    string  `json:"cause,omitzero"`    // a kind of the engine's, or none
	Workload string  `json:"workload,omitzero"` // that is to blame: its name, unit or tool
	Resource string  `json:"resource,omitzero"` // empty if any will do
	Onset    float64 `json:"onset_unix,omitzero"`
	Service  string  `json:"service,omitzero"` // empty if there is one only
	// Accomplices are as guilty as the workload: naming any of them is right.
	Accomplices []string `json:"accomplices,omitempty"`
	Innocent    []string `json:"innocent,omitempty"` // may not be blamed
}

func (c caseLine) recording() string { return c.File + c.Journal }

// group is the culprit, however often and in whatever way it did harm; where the
// truth is in the columns, the recording.
func (c caseLine) group() string {
	culprit := strings.TrimSpace(c.Truth.Entity + " " + c.Truth.Cause + " " + c.Truth.Workload)
	return cmp.Or(culprit, c.recording())
}

const (
	casesFile   = "cases.jsonl"
	tableSuffix = ".csv.gz"
)

// Open finds the sets in a folder, or the folder itself if it is one, in the
// order of their names; names chooses among them.
func Open(dir string, names ...string) ([]*Set, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	dirs := []string{dir}
	if !isSet(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		dirs = nil
		for _, e := range entries {
			if sub := filepath.Join(dir, e.Name()); isSet(sub) {
				dirs = append(dirs, sub)
			}
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("%s holds no labelled incidents: a set is a folder with %s, or with files *%s and a %s", dir, casesFile, tableSuffix, mappingFile)
	}
	var there []string
	var sets []*Set
	for _, d := range dirs {
		name := filepath.Base(d)
		there = append(there, name)
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		s, err := openSet(d)
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	for _, name := range names {
		if !slices.Contains(there, name) {
			return nil, fmt.Errorf("%s has no set %q: there are %s", dir, name, strings.Join(there, ", "))
		}
	}
	return sets, nil
}

func isSet(dir string) bool {
	for _, pattern := range []string{casesFile, mappingFile, "*" + tableSuffix} {
		if found, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

func openSet(dir string) (*Set, error) {
	s := &Set{Name: filepath.Base(dir), dir: dir, tables: map[string]*lazyTable{}}
	cases, err := readCases(filepath.Join(dir, casesFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		files, bad := filepath.Glob(filepath.Join(dir, "*"+tableSuffix))
		if bad != nil {
			return nil, bad
		}
		for _, file := range files { // sorted
			name := filepath.Base(file)
			cases = append(cases, caseLine{ID: strings.TrimSuffix(name, tableSuffix), File: name})
		}
	case err != nil:
		return nil, err
	}
	if err = checkHalves(cases); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, casesFile), err)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%s: there is no case: write one a line into %s", dir, casesFile)
	}
	s.cases = cases
	for _, c := range cases {
		if c.File != "" && s.tables[c.File] == nil {
			s.tables[c.File] = &lazyTable{sync.OnceValues(func() (*table, error) { return readTable(filepath.Join(dir, c.File)) })}
		}
	}
	if cases[0].Journal != "" {
		s.mapping = &Mapping{Protocol: protocolJournals, name: protocolJournals}
		return s, nil
	}
	first, err := s.table(cases[0].File)
	if err != nil {
		return nil, err
	}
	s.mapping, err = mappingOf(dir, first.columns)
	return s, err
}

func (s *Set) table(file string) (*table, error) {
	lazy := s.tables[file]
	if lazy == nil {
		return nil, fmt.Errorf("%s: a case names no file: set file, or journal", filepath.Join(s.dir, casesFile))
	}
	return lazy.read()
}

// feed makes facts of a case's file.
func (s *Set) feed(c caseLine) (*feed, error) {
	tab, err := s.table(c.File)
	if err != nil {
		return nil, err
	}
	return newFeed(s.mapping, tab, c)
}

// check refuses a line that speaks of no recording, or of one outside its folder.
func (c caseLine) check() error {
	switch name := c.recording(); {
	case c.ID == "" || name == "":
		return errors.New("a case needs id, and file or journal")
	case !filepath.IsLocal(name):
		return fmt.Errorf("%q must be within the folder", name)
	case c.Journal != "" && !slices.Contains(nightCauses, c.Truth.Cause):
		return fmt.Errorf("truth.cause %q is none of %s", c.Truth.Cause, strings.Join(nightCauses, ", "))
	default:
		return nil
	}
}

func readCases(path string) ([]caseLine, error) {
	file, err := os.Open(path) //nolint:gosec // reading the folder that the user named is the purpose
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	var list []caseLine
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var c caseLine
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return nil, fmt.Errorf("%s:%d: it must be one JSON object a line: %w", path, n, err)
		}
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		list = append(list, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}
