package report

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// The most that a page shows of each; what is left out is told in a sentence.
const (
	maxVerdicts = 20
	maxSuspects = 8
	maxItems    = 12
	maxInCard   = 3 // backups
	maxPhases   = 12
)

// page is what the template draws. Its texts are cleaned, and escaped by the
// template.
type page struct {
	Style      template.CSS
	Script     template.JS
	ScriptHash string

	Title    string // of the window
	Caption  string // small, above the headline
	Headline string
	Period   string
	Counts   string
	Notices  []string
	Verdicts []verdict
	More     string // verdicts left out
	Calm     string // what to say where there is no verdict
	Backups  []backupRun
	Timeline *timeline
	Acts     []act
}

// verdict is one card and one section of details.
type verdict struct {
	Anchor   string
	Claim    string
	State    string // named, probable, unknown
	Class    string // colour of the culprit
	Where    string // service and host
	Sure     string
	Width    float64 // of the meter, percent
	Facts    []labelled
	Why      []string
	Rival    string
	Before   string    // what it was surer of before
	Findings []finding // charged first
	Others   string    // findings left out of the card
	Suspects []suspect
	Rest     string // suspects left out
	Evidence []evidence
	Missing  []string
	Remedies []remedy
	Phases   []phase
}

// labelled is a number with its name.
type labelled struct{ Label, Value, Note string }

type finding struct {
	Finding, Class, Who, When, Probability, Sentence string
}

type suspect struct {
	Label, Percent, Why, Class string
	Width                      float64
	Top                        bool
	Evidence                   []evidence
}

// evidence is one named number. Side is "for", "against" or "neutral".
type evidence struct {
	Name, Value, Sentence, Side, Weight string
	Width                               float64
}

type remedy struct{ Title, Command, Works, Answer, Why string }

type phase struct{ At, After, What, Cause, Sure string }

type backupRun struct{ Who, When, Lasted string }

type act struct {
	Name, Text, When string
	Harm             bool
}

// newPage words the story.
func newPage(in Input, s *story) *page {
	sp := s.span()
	b := builder{story: s, span: sp, withHost: len(s.hosts()) > 1}
	b.colours = newColours(s)
	p := &page{Caption: Clean(in.Title, 120), Notices: b.notices()}
	for i, v := range s.verdicts {
		if i == maxVerdicts {
			p.More = count(len(s.verdicts)-maxVerdicts, "more verdict is", "more verdicts are") + " not shown."
			break
		}
		p.Verdicts = append(p.Verdicts, b.verdict(i, v))
	}
	p.Headline, p.Calm = b.headline()
	p.Title = "Culprit: " + p.Headline
	if len(p.Verdicts) == 1 {
		p.Title = "Culprit: " + p.Verdicts[0].Claim
	}
	if s.first.IsZero() {
		return p
	}
	p.Period = b.period()
	p.Counts = b.counts()
	if len(s.verdicts) == 0 {
		p.Backups = b.backupRuns()
	}
	for _, a := range in.Acts[:min(len(in.Acts), maxItems)] {
		p.Acts = append(p.Acts, b.act(a))
	}
	p.Timeline = b.timeline(in.Acts)
	return p
}

// builder words parts of the story with what they have in common.
type builder struct {
	*story
	span     span
	withHost bool
	colours  colours
}

func (b *builder) notices() []string {
	var list []string
	switch {
	case b.broken == nil:
	case errors.Is(b.broken, io.ErrUnexpectedEOF):
		list = append(list, "The journal ends in the middle of a fact, as after a crash. What came before it is complete.")
	default:
		list = append(list, "The journal could not be read to its end: "+Sentence(b.broken.Error()))
	}
	if b.refused > 0 {
		were := "were"
		if b.refused == 1 {
			were = "was"
		}
		list = append(list, fmt.Sprintf("The engine refused %s, which %s left out; the first reason: %s",
			count(b.refused, "fact", "facts"), were, Sentence(b.refusal.Error())))
	}
	return list
}

// headline says it all in one line; calm says more where there is no verdict.
func (b *builder) headline() (headline, calm string) {
	if b.facts == 0 {
		return "The journal is empty.", "It holds no facts, so there is nothing to judge. Was the collector running, and does its journal go to this file?"
	}
	if len(b.verdicts) > 0 {
		return b.tally(), ""
	}
	if n := len(b.episodes); n > 0 {
		return fmt.Sprintf("The site was slow %s, without a verdict.", times(n)),
			"The journal ends before enough was seen to judge, or the slowness was too short."
	}
	if len(b.sortedVictims()) == 0 {
		return "No latency was measured.", "Facts came in, but none about a service's requests, so nothing can be called slow. Point http_probe at the site, or let its telemetry go through the rootcause processor."
	}
	return "Nothing was slow.", "Latency stayed in its usual band all the time, so there is nothing to blame."
}

// tally counts the verdicts by how sure they are.
func (b *builder) tally() string {
	var by [3]int
	for _, v := range b.verdicts {
		by[min(int(v.final().State), len(by)-1)]++
	}
	if n := len(b.verdicts); n == 1 {
		switch {
		case by[rootcause.StateNamed] == 1:
			return "One slowdown, and its cause is named."
		case by[rootcause.StateProbable] == 1:
			return "One slowdown, with a probable cause."
		default:
			return "One slowdown, and no cause stands out."
		}
	}
	switch n := len(b.verdicts); n {
	case by[rootcause.StateNamed]:
		return fmt.Sprintf("%d slowdowns, and the cause of each is named.", n)
	case by[rootcause.StateUnknown]:
		return fmt.Sprintf("%d slowdowns, and no cause stands out.", n)
	}
	var parts []string
	for _, state := range []rootcause.State{rootcause.StateNamed, rootcause.StateProbable, rootcause.StateUnknown} {
		words := [...]string{"unexplained", "probable", "named"}
		if n := by[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words[state]))
		}
	}
	return fmt.Sprintf("%d slowdowns: %s.", len(b.verdicts), strings.Join(parts, ", "))
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	default:
		return fmt.Sprintf("%d times", n)
	}
}

func (b *builder) period() string {
	from, to := b.span.start, b.span.end
	layout := "Jan 2, 15:04:05"
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		layout = time.TimeOnly
	}
	return fmt.Sprintf("%s to %s UTC (%s)", from.Format("Mon Jan 2 2006, 15:04:05"), to.Format(layout), Duration(to.Sub(from)))
}

func (b *builder) counts() string {
	parts := []string{
		count(len(b.hosts()), "host", "hosts"),
		count(len(b.sortedVictims()), "service", "services"),
		count(len(b.windows), "backup", "backups"),
		count(b.facts, "fact", "facts"),
	}
	return strings.Join(parts, " · ")
}

func (b *builder) backupRuns() []backupRun {
	var runs []backupRun
	for _, w := range b.windows[:min(len(b.windows), maxItems)] {
		runs = append(runs, backupRun{Who: b.backupName(w), When: b.interval(w.Window.Start, w.Window.End), Lasted: b.lasted(w.Window.Start, w.Window.End)})
	}
	return runs
}

// backupName words a window: the tool, and the workload if that says more.
func (b *builder) backupName(w rootcause.Window) string {
	return toolName(w.Window.Tool, name(w.Window.Workload, b.withHost))
}

func toolName(tool, workload string) string {
	tool = Clean(tool, nameLength)
	switch {
	case tool == "" || workload == tool || strings.HasPrefix(workload, tool+" ") || strings.HasPrefix(workload, tool+"."):
		return workload
	default:
		return tool + " in " + workload
	}
}

func (b *builder) interval(start, end time.Time) string {
	if end.IsZero() {
		return "from " + b.span.clock(start) + ", still running at the end"
	}
	return b.span.clock(start) + " to " + b.span.clock(end)
}

func (b *builder) lasted(start, end time.Time) string {
	if end.IsZero() {
		end = b.span.end
	}
	return Duration(end.Sub(start))
}

func (b *builder) act(a Act) act {
	when := b.span.clock(a.Start)
	if !a.End.IsZero() {
		when = b.interval(a.Start, a.End)
	}
	return act{Name: Clean(a.Name, nameLength), Text: Sentence(a.Text), When: when, Harm: a.Harm}
}

func (b *builder) verdict(i int, st verdictStory) verdict {
	v := st.final()
	out := verdict{
		Anchor: fmt.Sprintf("verdict-%d", i+1),
		Claim:  Claim(v, b.withHost),
		State:  v.State.String(),
		Class:  "plain",
		Where:  victimName(v.Victim),
		Facts:  b.numbers(st),
	}
	if v.Victim.Host != "" {
		out.Where += " on " + Clean(v.Victim.Host, nameLength)
	}
	names := WorkloadNames(v)
	if len(v.Suspects) > 0 {
		top := v.Top()
		if v.State != rootcause.StateUnknown {
			out.Class = b.colours.ofSuspect(top)
		}
		out.Sure, out.Width = Percent(v.Probability()), width(v.Probability())
		if v.State == rootcause.StateUnknown {
			out.Rival, out.Sure = b.suspicion(v), ""
		} else {
			out.Why = reasons(top, names)
			out.Rival = b.rival(v, names)
		}
		out.Evidence = evidenceOf(top, names)
	}
	out.Before = b.surerBefore(st)
	backups := slices.Clone(v.Backups)
	slices.SortStableFunc(backups, func(a, c rootcause.Backup) int { return int(c.Finding) - int(a.Finding) })
	for _, backup := range backups[:min(len(backups), maxItems)] {
		out.Findings = append(out.Findings, b.finding(backup, names))
	}
	if n := len(backups) - maxInCard; n > 0 {
		out.Others = count(n, "more backup", "more backups") + ", see below."
	}
	b.rank(&out, v, names)
	for _, m := range v.Missing[:min(len(v.Missing), maxItems)] {
		out.Missing = append(out.Missing, Sentence(m, names...))
	}
	for _, r := range v.Remedies[:min(len(v.Remedies), maxItems)] {
		out.Remedies = append(out.Remedies, newRemedy(r, names))
	}
	for _, p := range st.phases[:min(len(st.phases), maxPhases)] {
		out.Phases = append(out.Phases, b.phase(p))
	}
	return out
}

// surerBefore tells of a cause that an earlier phase was surer of, if it is not
// the one that stood at the end.
func (b *builder) surerBefore(st verdictStory) string {
	final := st.final()
	best := final
	for _, p := range st.phases {
		if len(p.Suspects) > 0 && p.State > best.State {
			best = p
		}
	}
	if best.State == final.State {
		return ""
	}
	top := best.Top()
	return fmt.Sprintf("At %s it was surer: %s, %s (%s).", b.span.clock(best.At),
		Explanation(top, victimName(final.Victim), b.withHost), Percent(best.Probability()), best.State)
}

// suspicion tells what came closest where no cause stands out.
func (b *builder) suspicion(v rootcause.Verdict) string {
	for _, s := range v.Suspects {
		if s.Cause == rootcause.UnknownCause {
			continue
		}
		return fmt.Sprintf("What comes closest: %s, %s.", Explanation(s, victimName(v.Victim), b.withHost), Percent(s.Probability))
	}
	return ""
}

// WorkloadNames are the names in a verdict, which Sentence leaves as they are.
func WorkloadNames(v rootcause.Verdict) []string {
	names := []string{v.Victim.Service}
	for _, s := range v.Suspects {
		names = append(names, s.Workload.Name)
	}
	for _, backup := range v.Backups {
		names = append(names, backup.Window.Workload.Name, backup.Window.Tool)
	}
	return names
}

func width(p float64) float64 {
	if !known(p) {
		return 0
	}
	return round2(100 * math.Min(1, math.Max(0, p)))
}

// numbers are the few figures that belong in a card.
func (b *builder) numbers(st verdictStory) []labelled {
	v := st.final()
	list := []labelled{{Label: "Slow since", Value: b.span.clock(v.Onset)}}
	if v.End.IsZero() {
		list = append(list, labelled{Label: "Lasted", Value: b.lasted(v.Onset, v.End), Note: "and still slow at the end"})
	} else {
		list = append(list, labelled{Label: "Lasted", Value: Duration(v.End.Sub(v.Onset)), Note: "until " + b.span.clock(v.End)})
	}
	figures := FiguresOf(st.phases, b.episodeOf(v))
	if figures.latency > 0 {
		value, note := figures.Latency(b.span.clock)
		list = append(list, labelled{"Latency", value, note})
	}
	if figures.usualRate > 0 {
		value, note := figures.Requests(b.span.clock)
		list = append(list, labelled{"Requests", value, note})
	}
	if v.State != rootcause.StateUnknown {
		list = append(list, labelled{Label: "Verdict after", Value: Duration(st.decided().Sub(v.Onset)), Note: "at " + b.span.clock(st.decided())})
	}
	return list
}

// episodeOf is the episode of a verdict; empty if the journal has none.
func (b *builder) episodeOf(v rootcause.Verdict) rootcause.Episode {
	for _, e := range b.episodes {
		if e.ID == v.ID || (e.Victim == v.Victim && e.Onset.Equal(v.Onset)) {
			return e
		}
	}
	return rootcause.Episode{}
}

// reasons are the two strongest pieces of evidence for a suspect.
func reasons(s rootcause.Suspect, names []string) []string {
	var list []string
	for _, ev := range byWeight(s.Evidence) {
		if ev.Weight > 0 && len(list) < 2 {
			list = append(list, Sentence(ev.Sentence, names...))
		}
	}
	return list
}

func byWeight(list []rootcause.Evidence) []rootcause.Evidence {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, c rootcause.Evidence) int {
		switch {
		case a.Weight > c.Weight:
			return -1
		case a.Weight < c.Weight:
			return 1
		default:
			return 0
		}
	})
	return sorted
}

// rival tells the strongest other explanation and why it lost.
func (b *builder) rival(v rootcause.Verdict, names []string) string {
	r, ok := v.Rival()
	if !ok {
		return ""
	}
	text := fmt.Sprintf("Strongest rival: %s, %s.", Explanation(r, victimName(v.Victim), b.withHost), Percent(r.Probability))
	if why := whyLost(r, names); why != "" {
		text += " " + why
	}
	return text
}

// whyLost is the evidence that speaks most against a suspect, or least for it.
func whyLost(s rootcause.Suspect, names []string) string {
	if len(s.Evidence) == 0 {
		return ""
	}
	sorted := byWeight(s.Evidence)
	return Sentence(sorted[len(sorted)-1].Sentence, names...)
}

func (b *builder) finding(f rootcause.Backup, names []string) finding {
	out := finding{
		Finding:     f.Finding.String(),
		Class:       b.colours.of(f.Window.Workload),
		Who:         toolName(f.Window.Tool, name(f.Window.Workload, b.withHost)),
		When:        b.interval(f.Window.Start, b.endOf(f)),
		Probability: Percent(f.Probability),
		Sentence:    Sentence(f.Sentence, names...),
	}
	if f.Finding == rootcause.Undecided {
		out.Class = "plain"
	}
	return out
}

// endOf is when a backup ended, which may be after the verdict.
func (b *builder) endOf(f rootcause.Backup) time.Time {
	for _, w := range b.windows {
		if w.Window.ID == f.Window.ID && !w.Window.End.IsZero() {
			return w.Window.End
		}
	}
	return f.Window.End
}

// rank fills the table of suspects.
func (b *builder) rank(out *verdict, v rootcause.Verdict, names []string) {
	for i, s := range v.Suspects {
		if i == maxSuspects {
			out.Rest = fmt.Sprintf("%s more, none above %s.", count(len(v.Suspects)-maxSuspects, "suspect", "suspects"), Percent(s.Probability))
			break
		}
		row := suspect{
			Label: Explanation(s, victimName(v.Victim), b.withHost), Percent: Percent(s.Probability),
			Width: width(s.Probability), Class: "plain", Top: i == 0, Evidence: evidenceOf(s, names),
		}
		if s.Tool != "" {
			row.Label += " (" + Clean(s.Tool, nameLength) + " backup)"
		}
		if s.Cause == rootcause.Contention {
			row.Class = b.colours.of(s.Workload)
		} else if i == 0 && v.State != rootcause.StateUnknown {
			row.Class = "k0"
		}
		switch {
		case len(s.Evidence) == 0 && s.Cause == rootcause.UnknownCause:
			row.Why = "What remains if nothing else explains it."
		case len(s.Evidence) == 0:
			row.Why = "Nothing speaks for it or against it."
		case i == 0:
			row.Why = strings.Join(reasons(s, names), " ")
		default:
			row.Why = whyLost(s, names)
		}
		out.Suspects = append(out.Suspects, row)
	}
}

// evidenceOf lists what speaks for a suspect first, then what speaks against.
func evidenceOf(s rootcause.Suspect, names []string) []evidence {
	heaviest := 0.0
	for _, ev := range s.Evidence {
		if known(ev.Weight) {
			heaviest = math.Max(heaviest, math.Abs(ev.Weight))
		}
	}
	var list []evidence
	for _, ev := range byWeight(s.Evidence) {
		if len(list) == maxItems {
			break
		}
		row := evidence{
			Name:     strings.ReplaceAll(Clean(ev.Name, nameLength), "_", " "),
			Value:    Quantity(ev.Value, ev.Unit),
			Sentence: Sentence(ev.Sentence, names...),
			Side:     "neutral",
			Weight:   "0",
		}
		switch {
		case ev.Weight > 0:
			row.Side, row.Weight = "for", "+"+digits(ev.Weight)
		case ev.Weight < 0:
			row.Side, row.Weight = "against", "−"+digits(-ev.Weight)
		}
		if heaviest > 0 && known(ev.Weight) {
			row.Width = round2(100 * math.Abs(ev.Weight) / heaviest)
		}
		list = append(list, row)
	}
	return list
}

func newRemedy(r rootcause.Remedy, names []string) remedy {
	out := remedy{Title: Sentence(r.Title, names...), Command: Clean(r.Command, commandLength), Works: r.Works.String(), Why: Sentence(r.Why, names...)}
	out.Title = strings.TrimSuffix(out.Title, ".")
	out.Answer = Answer(r.Works)
	return out
}

func (b *builder) phase(v rootcause.Verdict) phase {
	p := phase{At: b.span.clock(v.At), After: Duration(v.At.Sub(v.Onset)), What: Sentence(Transition(v.Reason))}
	p.Cause = "no cause stands out"
	if len(v.Suspects) > 0 && v.State != rootcause.StateUnknown {
		p.Cause = Explanation(v.Top(), victimName(v.Victim), b.withHost)
		p.Sure = Percent(v.Probability())
	}
	return p
}
