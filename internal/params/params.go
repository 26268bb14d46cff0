package params

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

//go:embed default.yaml
var embedded []byte

// maxSize bounds a file, in bytes.
const maxSize = 1 << 20

// Default is the shipped numbers.
func Default() rootcause.Params {
	p, _ := Shipped()
	return p
}

// Shipped is the shipped numbers and what they rest on.
func Shipped() (rootcause.Params, Provenance) {
	var p rootcause.Params
	provenance, err := decode(embedded, &p)
	if err != nil {
		panic("default.yaml, which a test reads, is broken: " + err.Error())
	}
	return p, provenance
}

// Read reads a file: the shipped numbers, but for those that it holds. A file
// without a provenance has the zero one.
func Read(r io.Reader) (rootcause.Params, Provenance, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return rootcause.Params{}, Provenance{}, err
	}
	if len(data) > maxSize {
		return rootcause.Params{}, Provenance{}, fmt.Errorf("longer than %d bytes: this is no file of parameters", maxSize)
	}
	p := Default()
	provenance, err := decode(data, &p)
	if err != nil {
		return rootcause.Params{}, Provenance{}, err
	}
	return p, provenance, nil
}

// Open is Read of the file at path; the empty path is the shipped numbers. Errors
// name the file.
func Open(path string) (rootcause.Params, Provenance, error) {
	if path == "" {
		p, provenance := Shipped()
		return p, provenance, nil
	}
	file, err := os.Open(path) //nolint:gosec // reading the file that the user named is the purpose
	if err != nil {
		return rootcause.Params{}, Provenance{}, err
	}
	defer func() { _ = file.Close() }() // only read
	p, provenance, err := Read(file)
	if err != nil {
		return rootcause.Params{}, Provenance{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, provenance, nil
}

const head = `The engine's numbers, and what they rest on. A file may hold only what differs
from the shipped numbers. A weight is the logarithm of the odds that evidence of
strength 1 adds; those that begin with "prior" count as they are.`

// Write writes numbers as a file that Read takes; it refuses those that Read
// would refuse. Services and objectives are no numbers of the engine: they are
// left out.
func Write(w io.Writer, p rootcause.Params, provenance Provenance) error {
	text, err := encode(p, provenance)
	if err != nil {
		return err
	}
	if _, _, err = Read(bytes.NewReader(text)); err != nil {
		return fmt.Errorf("parameters that could not be read back: %w", err)
	}
	_, err = w.Write(text)
	return err
}

// MarkName names the marks in a journal that say that the live engine had other
// numbers than the shipped ones.
const MarkName = "rootcause.params"

// Remark is the text of such a mark; empty if the numbers are the shipped ones.
// It begins with their fingerprint.
func Remark(p rootcause.Params, path string) (string, error) {
	own, err := fingerprint(p)
	if err != nil {
		return "", err
	}
	if shipped, err := fingerprint(Default()); err != nil || own == shipped {
		return "", err
	}
	return own + " " + path, nil
}

// Remarked reports whether a remark is about these numbers.
func Remarked(remark string, p rootcause.Params) bool {
	told, _, _ := strings.Cut(remark, " ")
	own, err := fingerprint(p)
	return err == nil && told == own
}

// fingerprint is a short name of numbers: others have another.
func fingerprint(p rootcause.Params) (string, error) {
	text, err := encode(p, Provenance{})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6]), nil
}

func encode(p rootcause.Params, provenance Provenance) ([]byte, error) {
	if p.Temperature == 0 {
		p.Temperature = 1 // what it means
	}
	root := &yaml.Node{Kind: yaml.MappingNode, HeadComment: head}
	rests := &yaml.Node{}
	if err := rests.Encode(provenance); err != nil {
		return nil, err
	}
	put(root, sectionProvenance, rests)
	weights := &yaml.Node{Kind: yaml.MappingNode}
	for _, term := range slices.Sorted(maps.Keys(p.Weights)) {
		put(weights, string(term), scalar(p.Weights[term]))
	}
	put(root, sectionWeights, weights)
	var section *yaml.Node
	for i, all := 0, numbers(&p); i < len(all); i++ {
		n := all[i]
		if i == 0 || n.section() != all[i-1].section() {
			section = &yaml.Node{Kind: yaml.MappingNode}
			put(root, n.section(), section)
		}
		value := scalar(n.value())
		value.LineComment = n.meaning
		put(section, n.name(), value)
	}
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, err
	}
	return text.Bytes(), enc.Close()
}

func put(mapping *yaml.Node, key string, value *yaml.Node) {
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
}

// scalar is a number with all its digits and, where it is readable, without an exponent.
func scalar(v float64) *yaml.Node {
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if v == float64(int64(v)) {
		text = strconv.FormatInt(int64(v), 10)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: text}
}
