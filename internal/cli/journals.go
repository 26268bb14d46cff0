package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/report"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// source is the journals that a command reads.
type source struct {
	paths []string // oldest first
	facts int      // read so far
	cut   error    // set when a journal ended in the middle of a line
	marks []string // what is said of the live engine's numbers, where they were not the shipped ones
}

// journals takes the files that a user named. If it is a single one that was
// rotated, its older half comes first: nobody thinks of that at night.
func journals(named ...string) *source {
	if len(named) == 1 {
		older := journal.Rotated(named[0])
		if info, err := os.Stat(older); err == nil && info.Mode().IsRegular() {
			return &source{paths: []string{older, named[0]}}
		}
	}
	return &source{paths: named}
}

// all gives the facts until ctx ends, and notes how many there were and whether
// the end is missing.
func (s *source) all(ctx context.Context) iter.Seq2[fact.Fact, error] {
	return func(yield func(fact.Fact, error) bool) {
		for f, err := range journal.Open(s.paths...) {
			switch {
			case ctx.Err() != nil:
				yield(nil, context.Cause(ctx))
				return
			case errors.Is(err, io.ErrUnexpectedEOF):
				s.cut = err
			case err == nil:
				s.facts++
				s.note(f)
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

func (s *source) note(f fact.Fact) {
	if m, ok := f.(fact.Mark); ok && m.Name == params.MarkName && !slices.Contains(s.marks, m.Text) {
		s.marks = append(s.marks, m.Text)
	}
}

// warn says so if the live engine had other numbers than those given.
func (s *source) warn(w io.Writer, p rootcause.Params) {
	for _, mark := range s.marks {
		if !params.Remarked(mark, p) {
			_, _ = fmt.Fprintf(w, "culprit: the live run had other parameters (%s): name their file with --params to get what it said\n", report.Clean(mark, 200))
		}
	}
}

// String names the journals, such as "journal.1 and journal: 1200 facts".
func (s *source) String() string {
	return fmt.Sprintf("%s: %d facts", strings.Join(s.paths, " and "), s.facts)
}

// someJournals refuses a command line without a journal.
func someJournals(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs the path of a journal, as it is in the collector's configuration", cmd.Name())
	}
	return nil
}
