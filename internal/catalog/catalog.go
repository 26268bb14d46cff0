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
	signs     screen           // by index into Signs
	messages  screen           // by index into Tools times maxMessages, plus that of the message
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
	// Messages are what it says of its own progress; the first that matches counts.
	Messages []Message `yaml:"messages"`
}

// Remedy is a flag or a command of a tool that lowers its use of a resource.
type Remedy struct {
	Resource string `yaml:"resource"` // cpu, disk, network or memory
	Title    string `yaml:"title"`
	Command  string `yaml:"command"` // may hold {pid}
	Live     bool   `yaml:"live"`    // acts on a running backup
}

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

// String is the expression.
func (p Pattern) String() string {
	if p.re == nil {
		return ""
	}
	return p.re.String()
}

// IsZero reports whether there is no pattern.
func (p Pattern) IsZero() bool { return p.re == nil }

// Index checks the catalogue and makes it ready for Recognise.
func (c *Catalog) Index() error {
	c.byCommand, c.signs, c.messages = make(map[string][]int), screen{}, screen{}
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
		if len(t.Messages) > maxMessages {
			return fmt.Errorf("tool %s: it has more than %d messages", t.Name, maxMessages)
		}
		for j := range t.Messages {
			if err := t.Messages[j].check(); err != nil {
				return fmt.Errorf("tool %s: messages[%d]: %w", t.Name, j, err)
			}
			if err := c.messages.add(t.Messages[j].Pattern, i*maxMessages+j); err != nil {
				return fmt.Errorf("tool %s: messages[%d]: %w", t.Name, j, err)
			}
		}
		for _, r := range t.Remedies {
			if !slices.Contains(resources, r.Resource) {
				return fmt.Errorf("tool %s: remedy %q: resource must be cpu, disk, network or memory, not %q", t.Name, r.Title, r.Resource)
			}
		}
	}
	for i := range c.Signs {
		if err := c.Signs[i].check(); err != nil {
			return fmt.Errorf("signs[%d] (%s): %w", i, c.Signs[i].Name, err)
		}
		if err := c.signs.add(c.Signs[i].Pattern, i); err != nil {
			return fmt.Errorf("signs[%d] (%s): %w", i, c.Signs[i].Name, err)
		}
	}
	return nil
}

// resources are what workloads contend for.
var resources = []string{"cpu", "disk", "network", "memory"}

// maxMessages bounds the messages of a tool.
const maxMessages = 64

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
