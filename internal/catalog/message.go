package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// Message is what a backup tool says of its own progress.
type Message struct {
	Pattern Pattern `yaml:"pattern"`
	// Tells is what it means: start, phase or end.
	Tells string `yaml:"tells"`
	// Phase is what the backup does from now on, such as "upload".
	Phase string `yaml:"phase"`
	// Outcome is ok, partial or failed; empty if the message does not tell.
	Outcome string `yaml:"outcome"`
}

// What a Message may tell.
const (
	TellsStart = "start"
	TellsPhase = "phase"
	TellsEnd   = "end"
)

func (m *Message) check() error {
	switch {
	case m.Pattern.IsZero():
		return errors.New("pattern must be set")
	case !slices.Contains([]string{TellsStart, TellsPhase, TellsEnd}, m.Tells):
		return fmt.Errorf("tells must be start, phase or end, not %q", m.Tells)
	case !slices.Contains([]string{"", "ok", "partial", "failed"}, m.Outcome):
		return fmt.Errorf("outcome must be ok, partial or failed, not %q", m.Outcome)
	case m.Tells == TellsPhase && m.Phase == "" && m.Outcome == "":
		return errors.New("phase or outcome must be set: the message tells nothing")
	}
	return nil
}

// Said is a message of a backup tool.
type Said struct {
	Tool *Tool
	*Message
	// ByItself says that the record tells that the tool wrote it, and not only
	// that it reads as if.
	ByItself bool
}

// Said finds what a backup tool says in a log record; ok is false if it is not
// one of its messages. What the kernel says is none.
func (c *Catalog) Said(f fact.Log) (said Said, ok bool) {
	if f.Source == FromKernel {
		return Said{}, false
	}
	last := -1 // tool of which a message matched
	for _, id := range c.messages.look(f.Body) {
		t := &c.Tools[id/maxMessages]
		m := &t.Messages[id%maxMessages]
		if id/maxMessages == last || !m.Pattern.Match(f.Body) {
			continue
		}
		last = id / maxMessages
		one := Said{Tool: t, Message: m, ByItself: t.wrote(f)}
		if one.ByItself {
			return one, true
		}
		if !ok {
			said, ok = one, true
		}
	}
	return said, ok
}

// wrote reports whether a record names a tool as its writer.
func (t *Tool) wrote(f fact.Log) bool {
	for _, command := range append([]string{t.Name}, t.Commands...) {
		for _, who := range []string{f.Source, f.Unit, f.Service, f.Body[:min(len(f.Body), 40)]} {
			if at := strings.Index(who, command); at >= 0 && !isWordAt(who, at-1) && !isWordAt(who, at+len(command)) {
				return true
			}
		}
	}
	return false
}

func isWordAt(s string, i int) bool {
	return i >= 0 && i < len(s) && (s[i] == '_' || '0' <= s[i] && s[i] <= '9' || 'a' <= s[i]|0x20 && s[i]|0x20 <= 'z')
}
