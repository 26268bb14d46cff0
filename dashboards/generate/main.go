// Command generate writes the dashboards into the current folder.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const file = "culprit-overview.json"

func main() {
	content, err := render()
	if err == nil {
		err = os.WriteFile(file, content, 0o644) //nolint:gosec // Everybody may read a dashboard.
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// render is the overview as the file that is committed.
func render() ([]byte, error) {
	overview, err := newOverview().Build()
	if err != nil {
		return nil, fmt.Errorf("building the overview: %w", err)
	}
	number(overview.Panels)
	content, err := json.MarshalIndent(overview, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the overview: %w", err)
	}
	return append(content, '\n'), nil
}

// number gives each panel an ID, by which links and annotations name it.
func number(panels []dashboard.PanelOrRowPanel) {
	for i := range panels {
		id := uint32(i + 1)
		if panels[i].Panel != nil {
			panels[i].Panel.Id = &id
		}
		if panels[i].RowPanel != nil {
			panels[i].RowPanel.Id = id
		}
	}
}
