// Package catalog describes backup tools and the signs of trouble in logs, as
// values. The data is in the files of package catalog/files.
package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// Catalog is what is known of backup tools and log messages.
type Catalog struct {
	Tools []Tool `yaml:"tools"`
	Signs []Sign `yaml:"signs"`

	byCommand map[string][]int // indexes into Tools
}

// Tool is one program that makes backups.
type Tool struct {
	// Name is how events call it, such as "restic".
	Name string `yaml:"name"`
	// Commands are the kernel's names of its processes: at most 15 bytes.
	Commands []string `yaml:"commands"`
	// Args is what its command line contains while it makes a backup; empty if
	// the command alone tells.
	Args Pattern `yaml:"args"`
	// NotArgs is what its command line contains while it does something else.
	NotArgs Pattern `yaml:"not_args"`
	// Backend names the commands of the database server that does its reading.
	Backend []string `yaml:"backend"`
	// Remedies are what the tool itself offers, by resource.
	Remedies []Remedy `yaml:"remedies"`
}

// Remedy is a flag or a command of a tool that lowers its use of a resource.
type Remedy struct {
	Resource string `yaml:"resource"` // cpu, disk, network or memory
	Title    string `yaml:"title"`
	Command  string `yaml:"command"` // may hold {pid}
	Live     bool   `yaml:"live"`    // acts on a running backup
}

// Sign is a log message that is evidence.
type Sign struct {
	Name    string  `yaml:"name"` // such as "disk_error"
	Pattern Pattern `yaml:"pattern"`
}

// DiskError is the name of signs that tell of a failing disk.
const DiskError = "disk_error"

// Pattern is a regular expression that comes from a file; the zero value
// matches nothing.
type Pattern struct {
	re *regexp.Regexp
}

// UnmarshalText compiles the pattern.
func (p *Pattern) UnmarshalText(text []byte) error {
	re, err := regexp.Compile(string(text))
	if err != nil {
		return fmt.Errorf("not a regular expression (RE2): %w", err)
	}
	p.re = re
	return nil
}

// Match reports whether s contains the pattern.
func (p Pattern) Match(s string) bool { return p.re != nil && p.re.MatchString(s) }

// IsZero reports whether there is no pattern.
func (p Pattern) IsZero() bool { return p.re == nil }

// Index checks the catalogue and makes it ready for Recognise.
func (c *Catalog) Index() error {
	c.byCommand = make(map[string][]int)
	for i, t := range c.Tools {
		if t.Name == "" || len(t.Commands) == 0 {
			return fmt.Errorf("tools[%d]: name and commands must be set", i)
		}
		for _, cmd := range t.Commands {
			if len(cmd) > maxCommand {
				return fmt.Errorf("tool %s: command %q is longer than the %d bytes that the kernel keeps", t.Name, cmd, maxCommand)
			}
			c.byCommand[cmd] = append(c.byCommand[cmd], i)
		}
		for _, r := range t.Remedies {
			if !slices.Contains([]string{"cpu", "disk", "network", "memory"}, r.Resource) {
				return fmt.Errorf("tool %s: remedy %q: resource must be cpu, disk, network or memory, not %q", t.Name, r.Title, r.Resource)
			}
		}
	}
	for i, s := range c.Signs {
		if s.Name == "" || s.Pattern.IsZero() {
			return fmt.Errorf("signs[%d]: name and pattern must be set", i)
		}
	}
	return nil
}

// maxCommand is the kernel's TASK_COMM_LEN without the closing zero.
const maxCommand = 15

// Recognition is how a process was recognised as a backup.
type Recognition struct {
	Tool *Tool
	// ByArgs is false when only the name speaks for it, because the command
	// line was not delivered.
	ByArgs bool
}

// Recognise tells which tool's backup a process is; ok is false if none.
func (c *Catalog) Recognise(d fact.Described) (r Recognition, ok bool) {
	args := strings.Join(d.Args, " ")
	for _, i := range c.byCommand[d.Command] {
		t := &c.Tools[i]
		switch {
		case args == "":
			return Recognition{Tool: t, ByArgs: t.Args.IsZero() && t.NotArgs.IsZero()}, true
		case t.NotArgs.Match(args):
		case t.Args.IsZero() || t.Args.Match(args):
			return Recognition{Tool: t, ByArgs: true}, true
		}
	}
	return Recognition{}, false
}

// Tool finds a tool by its name.
func (c *Catalog) Tool(name string) (*Tool, bool) {
	for i := range c.Tools {
		if c.Tools[i].Name == name {
			return &c.Tools[i], true
		}
	}
	return nil, false
}

// SignOf names the first sign in a log message; empty if there is none.
func (c *Catalog) SignOf(body string) string {
	for _, s := range c.Signs {
		if s.Pattern.Match(body) {
			return s.Name
		}
	}
	return ""
}
