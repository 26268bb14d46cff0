package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// Sign is a rule that makes a log message evidence.
type Sign struct {
	// Name tells rules apart, such as "block_io_error".
	Name string `yaml:"name"`
	// Pattern is what the message contains. Its named groups are for Sentence;
	// "unit" and "cgroup" also tell whom it is about.
	Pattern Pattern `yaml:"pattern"`
	// From lists who may have written it: "kernel", other identifiers such as
	// "systemd", or "any".
	From []string `yaml:"from"`
	// About is whom it concerns: everybody on the host, only the service that
	// wrote it, or only the service whose unit it names.
	About string `yaml:"about"`
	// Cause and Resource say what it speaks for; without Resource, for any.
	Cause    string `yaml:"cause"`
	Resource string `yaml:"resource"`
	// Term is the key of its weight.
	Term string `yaml:"term"`
	// Enough is how many messages speak with full strength; zero means one.
	Enough float64 `yaml:"enough"`
	// Sentence may hold {count}, {times}, {host} and the named groups of the
	// pattern, each with what stands for it if it is empty: {process|a process}.
	Sentence string `yaml:"sentence"`
}

// Whom a Sign may be about.
const (
	AboutHost    = "host"
	AboutService = "service"
	AboutUnit    = "unit"
)

// FromKernel and FromAny are special values of Sign.From.
const (
	FromKernel = "kernel"
	FromAny    = "any"
)

var causes = []string{"contention", "traffic_surge", "own_work", "faulty_disk", "upstream", "lock"}

func (s *Sign) check() error {
	switch {
	case s.Name == "" || s.Pattern.IsZero() || s.Sentence == "" || s.Term == "":
		return errors.New("name, pattern, term and sentence must be set")
	case len(s.From) == 0:
		return errors.New("from must be set, such as [kernel] or [any]")
	case !slices.Contains([]string{AboutHost, AboutService, AboutUnit}, s.About):
		return fmt.Errorf("about must be host, service or unit, not %q", s.About)
	case !slices.Contains(causes, s.Cause):
		return fmt.Errorf("cause must be one of %s, not %q", strings.Join(causes, ", "), s.Cause)
	case s.Resource != "" && !slices.Contains(resources, s.Resource):
		return fmt.Errorf("resource must be one of %s, not %q", strings.Join(resources, ", "), s.Resource)
	case !(s.Enough >= 0):
		return fmt.Errorf("enough must not be negative: %v", s.Enough)
	}
	s.Enough = max(s.Enough, 1)
	return nil
}

// IsKernel reports whether the kernel wrote a record, or, if the record does not
// tell who did, whether it may have.
func IsKernel(f fact.Log) bool {
	return f.Source == FromKernel || f.Source == "" && f.Service == "" && f.Unit == ""
}

func (s *Sign) isFrom(f fact.Log) bool {
	for _, from := range s.From {
		if from == FromAny || from == FromKernel && IsKernel(f) || from == f.Source && from != FromKernel {
			return true
		}
	}
	return false
}

// Found is a sign in a message.
type Found struct {
	*Sign
	// Named has what the named groups of the pattern matched.
	Named map[string]string
}

// Find gives the first sign in a log record; ok is false if there is none.
func (c *Catalog) Find(f fact.Log) (found Found, ok bool) {
	for _, i := range c.signs.look(f.Body) {
		s := &c.Signs[i]
		if !s.isFrom(f) {
			continue
		}
		if m := s.Pattern.re.FindStringSubmatch(f.Body); m != nil {
			named := map[string]string{}
			for j, name := range s.Pattern.re.SubexpNames() {
				if name != "" && m[j] != "" {
					named[name] = m[j]
				}
			}
			return Found{s, named}, true
		}
	}
	return Found{}, false
}

// Say fills a sentence in.
func (f Found) Say(words map[string]string) string {
	var b strings.Builder
	rest := f.Sentence
	for {
		before, after, open := strings.Cut(rest, "{")
		b.WriteString(before)
		key, next, closed := strings.Cut(after, "}")
		if !open || !closed {
			return b.String()
		}
		name, otherwise, _ := strings.Cut(key, "|")
		word := words[name]
		if word == "" {
			word = f.Named[name]
		}
		if word == "" {
			word = otherwise
		}
		b.WriteString(word)
		rest = next
	}
}

// Evidence names what a log record is evidence of; empty if of nothing. It is
// cheap for records that are not.
func (c *Catalog) Evidence(f fact.Log) string {
	if found, ok := c.Find(f); ok {
		return found.Name
	}
	if said, ok := c.Said(f); ok {
		return said.Tool.Name
	}
	return ""
}
