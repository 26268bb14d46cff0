// Package files holds the catalogue's data and reads it.
package files

import (
	"bytes"
	_ "embed"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/otel-culprit/culprit/internal/catalog"
)

//go:embed catalog.yaml
var embedded []byte

// Default is the catalogue that ships with the project.
func Default() (*catalog.Catalog, error) { return Parse(embedded) }

// Parse reads a catalogue from YAML. Unknown keys are errors.
func Parse(data []byte) (*catalog.Catalog, error) {
	var c catalog.Catalog
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	if err := c.Index(); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	return &c, nil
}
