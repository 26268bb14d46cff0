// Package report draws what happened in a journal of facts and what the engine
// made of it, as one page of HTML that needs nothing else: no network, no
// server, no font. It is for the person who is woken at night, and for the
// meeting on the day after.
//
// Names in a journal come from processes, units and log lines, so anybody who
// may start a process can choose them. Every one of them is cleaned of control
// characters, cut to a readable length and escaped. The size of a page is
// bounded whatever the journal holds: lines are thinned with their extremes
// kept, and lists are cut with a sentence that says so.
package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"iter"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// Stepper is the engine as a report uses it: a fact goes in, events come out,
// and after each tick its present view is read.
type Stepper interface {
	// Step takes one fact. An error refuses this fact only.
	Step(f fact.Fact) ([]rootcause.Event, error)
	// Snapshot is the present view.
	Snapshot() rootcause.Snapshot
}

// Act is something that is known to have been done, such as a step of a
// demonstration. It is the truth against which the verdicts can be read.
type Act struct {
	Name  string // short, such as "restic backup"
	Text  string // one sentence; may be empty
	Start time.Time
	End   time.Time // zero if it was a moment
	Harm  bool      // whether it was done to slow the site
}

// Input is what a report is made of.
type Input struct {
	Title  string                      // of the page; may be empty
	Engine Stepper                     // a fresh engine
	Facts  iter.Seq2[fact.Fact, error] // in time order; nil is an empty journal
	Acts   []Act                       // the truth, if it is known
}

//go:embed page.html.tmpl style.css script.js
var assets embed.FS

// Write drives the engine through the facts and writes the page to w.
//
// A journal that ends in the middle of a fact is normal after a crash: the
// page says so. After any other error of Facts the page is written with what
// was read, and the error is returned.
func Write(w io.Writer, in Input) error {
	if in.Engine == nil {
		return errors.New("a report needs an engine")
	}
	s := gather(in)
	tmpl, err := template.New("page.html.tmpl").Funcs(template.FuncMap{"px": px, "inCard": func(i int) bool { return i < maxInCard }}).ParseFS(assets, "page.html.tmpl")
	if err != nil {
		return fmt.Errorf("parsing the page's template: %w", err)
	}
	page := newPage(in, s)
	style, err := assets.ReadFile("style.css")
	if err != nil {
		return fmt.Errorf("reading the page's style: %w", err)
	}
	script, err := assets.ReadFile("script.js")
	if err != nil {
		return fmt.Errorf("reading the page's script: %w", err)
	}
	sum := sha256.Sum256(script)
	page.Style = template.CSS(style)  //nolint:gosec // The text is our own file.
	page.Script = template.JS(script) //nolint:gosec // The text is our own file.
	page.ScriptHash = "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	if err := tmpl.Execute(w, page); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if s.broken != nil && !errors.Is(s.broken, io.ErrUnexpectedEOF) {
		return fmt.Errorf("reading the facts: %w", s.broken)
	}
	return nil
}

// px turns percent of the time axis into the drawing's units.
func px(percent float64) float64 { return round2(percent * plotWidth / 100) }
