package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/report"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// question is what somebody wants to have explained.
type question struct {
	service   string // empty for all
	at, until string // as typed; empty if not asked for
	asJSON    bool
}

func newExplain(s streams) *cobra.Command {
	var (
		q    question
		path *string
	)
	cmd := &cobra.Command{
		Use:   "explain JOURNAL...",
		Short: "Tell why each verdict was reached, or what the engine makes of a moment",
		Long: "explain replays journals of facts and prints a page for each verdict: what happened, every\n" +
			"suspect with the evidence for and against it, why the strongest rival lost, what was found on each\n" +
			"backup, what could not be seen, and what to do.\n" +
			"With --at, it tells of that moment: the verdict of the episode that was open, or, if none was, what\n" +
			"the engine would say if the latency had risen then. With --until as well, always the latter, as if it\n" +
			"had stayed high until that time; without, for a minute.\n" +
			"A time is " + momentForms + ";\ntimes without a zone are local.\n" + rotatedHelp,
		Example: "  culprit explain /var/lib/otelcol-culprit/journal --at 02:10 --service shop",
		Args:    someJournals,
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.until != "" && q.at == "" {
				return usageError{errors.New("--until needs --at: from when the latency is to be explained")}
			}
			with, err := newSetup(*path)
			if err != nil {
				return err
			}
			return explain(cmd.Context(), s, explaining{question: q, setup: with, path: *path, named: args})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.at, "at", "", "explain this moment")
	flags.StringVar(&q.until, "until", "", "as if the latency had been high from --at until this time")
	flags.StringVar(&q.service, "service", "", "explain this service only")
	flags.BoolVar(&q.asJSON, "json", false, "print one JSON object a line, with all evidence")
	path = takeParams(cmd)
	return cmd
}

// explaining is a question with what answers it.
type explaining struct {
	question
	setup
	path  string   // of the parameters; empty for the shipped ones
	named []string // journals
	facts *source  // those that are replayed
}

// explanation is a verdict with what led to it.
type explanation struct {
	verdict rootcause.Verdict
	told    []rootcause.Verdict // its phases so far; empty if nothing was told
	episode rootcause.Episode   // zero if the latency only might have risen
}

func explain(ctx context.Context, s streams, x explaining) error {
	x.facts = journals(x.named...)
	list, err := x.answer(ctx)
	if err != nil {
		return err
	}
	if x.facts.cut != nil {
		_, _ = fmt.Fprintf(s.err, "culprit: %v; what was before is explained\n", x.facts.cut)
	}
	x.facts.warn(s.err, x.params)
	if x.asJSON {
		for _, e := range list {
			if err := e.encode(s.out); err != nil {
				return err
			}
		}
		return nil
	}
	p := newPage(s.out)
	for _, e := range list {
		e.print(p)
		p.raw("\n" + strings.Repeat("=", p.width) + "\n")
	}
	x.foot(p, len(list))
	return p.flush()
}

// encode writes the verdict as replay does, or, if it was never told, as what it
// is.
func (e explanation) encode(w io.Writer) error {
	if len(e.told) > 0 {
		return WriteEvent(w, e.verdict)
	}
	return writeObject(w, "what_if", e.verdict)
}

func (x explaining) answer(ctx context.Context) ([]explanation, error) {
	facts := stopAtCut(x.facts.all(ctx))
	if x.at == "" {
		h := x.newHistory()
		for f, err := range facts {
			if err != nil {
				return nil, err
			}
			h.step(f)
		}
		if _, err := x.services(); err != nil {
			return nil, err
		}
		return h.all(x.service), nil
	}
	span, err := coveredBy(journals(x.named...).all(ctx))
	if err != nil {
		return nil, err
	}
	at, err := span.moment("at", x.at)
	if err != nil {
		return nil, err
	}
	until := at.Add(time.Minute)
	if until.After(span.to) {
		until = span.to
	}
	if x.until != "" {
		if until, err = span.moment("until", x.until); err != nil {
			return nil, err
		}
		if last := at.Add(time.Duration(x.params.After) * time.Second); until.After(last) {
			return nil, fmt.Errorf("--until: the engine looks at %d s after the onset at most: name a time up to %s", x.params.After, stamp(last))
		}
	}
	next, stop := iter.Pull2(facts)
	defer stop()
	return x.moment(next, at, until)
}

// moment explains each service at a moment.
func (x explaining) moment(next func() (fact.Fact, error, bool), at, until time.Time) ([]explanation, error) {
	h := x.newHistory()
	after, err := h.stepUntil(next, at)
	if err != nil {
		return nil, err
	}
	victims, err := x.services()
	if err != nil {
		return nil, err
	}
	var (
		list    []explanation
		pending []rootcause.Victim
	)
	for _, v := range victims {
		e, open := h.open(v)
		switch {
		case x.until != "" || !open:
			pending = append(pending, v)
		case len(e.told) > 0:
			list = append(list, e)
		default:
			if e.verdict, err = x.engine.Explain(v, e.episode.Onset, at); err != nil {
				return nil, err
			}
			list = append(list, e)
		}
	}
	if len(pending) == 0 {
		return list, nil
	}
	if until.Sub(at) < time.Second {
		return nil, fmt.Errorf("--until: %s is not after --at, %s: name a later time, or an earlier --at", stamp(until), stamp(at))
	}
	if after != nil {
		h.step(after)
	}
	if _, err := h.stepUntil(next, until); err != nil {
		return nil, err
	}
	for _, v := range pending {
		verdict, err := x.engine.Explain(v, at, until)
		if err != nil {
			return nil, err
		}
		list = append(list, explanation{verdict: verdict})
	}
	return list, nil
}

// services lists those that were asked for, of those that were seen.
func (x explaining) services() ([]rootcause.Victim, error) {
	var (
		victims []rootcause.Victim
		names   []string
	)
	for _, v := range x.engine.Snapshot().Victims {
		names = append(names, report.Clean(v.Victim.Service, 60))
		if x.service == "" || v.Victim.Service == x.service {
			victims = append(victims, v.Victim)
		}
	}
	switch {
	case len(names) == 0 && x.at != "":
		return nil, fmt.Errorf("--at: no latency of any service was seen up to %s: name a later time", x.at)
	case len(names) == 0:
		return nil, errors.New("no latency of any service was seen: send request metrics or spans, or let http_probe ask a URL")
	case len(victims) == 0:
		return nil, fmt.Errorf("--service: no latency of %q was seen; the journal has %s", x.service, strings.Join(names, ", "))
	default:
		return victims, nil
	}
}

// stopAtCut ends the facts where a journal ends in the middle of a line.
func stopAtCut(facts iter.Seq2[fact.Fact, error]) iter.Seq2[fact.Fact, error] {
	return func(yield func(fact.Fact, error) bool) {
		for f, err := range facts {
			if errors.Is(err, io.ErrUnexpectedEOF) || !yield(f, err) {
				return
			}
		}
	}
}

// history is the episodes and verdicts of a replay.
type history struct {
	engine *rootcause.Engine
	byID   map[string]*explanation
	ids    []string // in the order in which they began
}

func (x explaining) newHistory() *history {
	return &history{engine: x.engine, byID: map[string]*explanation{}}
}

func (h *history) step(f fact.Fact) {
	events, _ := h.engine.Step(f) // a refusal concerns one fact only
	for _, event := range events {
		switch ev := event.(type) {
		case rootcause.Episode:
			h.of(ev.ID).episode = ev
		case rootcause.Verdict:
			e := h.of(ev.ID)
			e.verdict = ev
			e.told = append(e.told, ev)
		}
	}
}

func (h *history) of(id string) *explanation {
	e := h.byID[id]
	if e == nil {
		e = &explanation{}
		h.byID[id] = e
		h.ids = append(h.ids, id)
	}
	return e
}

// stepUntil lets time pass up to a moment, and gives the tick that is after it;
// nil at the end.
func (h *history) stepUntil(next func() (fact.Fact, error, bool), at time.Time) (fact.Fact, error) {
	for {
		f, err, more := next()
		if err != nil || !more {
			return nil, err
		}
		if tick, ok := f.(fact.Tick); ok && tick.At.After(at) {
			return f, nil
		}
		h.step(f)
	}
}

// open is the explanation of a service's open episode.
func (h *history) open(v rootcause.Victim) (e explanation, ok bool) {
	for _, id := range slices.Backward(h.ids) {
		if e := h.byID[id]; e.episode.Victim == v && e.episode.Phase != rootcause.Closed {
			return *e, true
		}
	}
	return explanation{}, false
}

// all gives the explanations of the verdicts that were told.
func (h *history) all(service string) []explanation {
	var list []explanation
	for _, id := range h.ids {
		if e := h.byID[id]; len(e.told) > 0 && (service == "" || e.verdict.Victim.Service == service) {
			list = append(list, *e)
		}
	}
	return list
}

// foot says what all of it rests on.
func (x explaining) foot(p *page, explained int) {
	if explained == 0 {
		p.line("No verdict was told. Ask about a moment with --at.")
	}
	p.line(fmt.Sprintf("Parameters: %s: %s.", cmp.Or(x.path, "the shipped ones"), x.provenance))
	p.line(fmt.Sprintf("Read %v.", x.facts))
}
