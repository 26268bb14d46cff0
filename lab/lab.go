// Package lab holds the lab's data: the scenarios, and recordings of real runs
// of them.
package lab

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/scenario"
)

//go:embed scenarios/*.yaml
var files embed.FS

// Scenarios are those that ship with the project, by name.
func Scenarios() ([]*scenario.Scenario, error) {
	names, err := fs.Glob(files, "scenarios/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the scenarios: %w", err)
	}
	list := make([]*scenario.Scenario, 0, len(names))
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read a scenario: %w", err)
		}
		s, err := scenario.Parse(strings.TrimSuffix(path.Base(name), ".yaml"), text)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *scenario.Scenario) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}
