package cli

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/report"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

const (
	minColumns = 60
	maxColumns = 100
	barColumns = 20
	nameLength = 60 // of what a journal names, in characters
	maxCommand = 600
)

// columns is how wide a line may be where it is written.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(w) {
		return maxColumns
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return maxColumns
	}
	return min(max(int(size.Col), minColumns), maxColumns)
}

// page is plain text in lines that are not wider than a terminal.
type page struct {
	out   io.Writer
	width int
	text  strings.Builder
}

func newPage(w io.Writer) *page { return &page{out: w, width: columns(w)} }

// line wraps a text.
func (p *page) line(text string) { p.hang("", 0, text) }

// hang wraps a text from a column on, after what stands before it. A no-break
// space keeps a number with its unit.
func (p *page) hang(before string, column int, text string) {
	line := before + strings.Repeat(" ", max(0, column-utf8.RuneCountInString(before)))
	length := utf8.RuneCountInString(line)
	first := true
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == '\n' }) {
		n := utf8.RuneCountInString(word)
		if !first && length+1+n > p.width {
			p.raw(line)
			line, length, first = strings.Repeat(" ", column), column, true
		}
		if !first {
			line += " "
			length++
		}
		line += word
		length += n
		first = false
	}
	p.raw(line)
}

// raw writes a line as it is: a command must be copied whole.
func (p *page) raw(line string) {
	p.text.WriteString(strings.TrimRight(strings.ReplaceAll(line, "\u00a0", " "), " ") + "\n")
}

// head begins a part of the page.
func (p *page) head(title, rest string) {
	p.raw("")
	p.hang(title+" ", utf8.RuneCountInString(title)+1, rest)
}

func (p *page) flush() error {
	_, err := io.WriteString(p.out, p.text.String())
	return err
}

// print writes the page of an explanation.
func (e explanation) print(p *page) {
	v := e.verdict
	names := report.WorkloadNames(v)
	e.happened(p)
	p.head("VERDICT", e.conclusion())
	p.head("SUSPECTS", "")
	for i, s := range v.Suspects {
		suspect(p, i+1, v, s)
	}
	whyNot(p, v)
	if len(v.Backups) > 0 {
		p.head("BACKUPS", "")
		for _, b := range v.Backups {
			w := b.Window
			ran := report.Clean(rootcause.NameOf(w.Workload), nameLength)
			if w.Tool != w.Workload.Name {
				ran += ", " + report.Clean(w.Tool, nameLength)
			}
			ran += ", since " + stamp(w.Start)
			if !w.End.IsZero() {
				ran += " until " + stamp(w.End)
			}
			p.hang("  "+b.Finding.String(), 13, fmt.Sprintf("%s (%s): %s", ran, report.Percent(b.Probability), sentence(b.Sentence, names)))
		}
	}
	if len(v.Missing) > 0 {
		p.head("NOT SEEN", "")
		for _, m := range v.Missing {
			p.hang("  -", 4, sentence(m, names))
		}
	}
	if len(v.Remedies) > 0 {
		p.head("WHAT TO DO", "")
		for _, r := range v.Remedies {
			text := sentence(r.Title, names)
			if r.Why != "" {
				text += " " + sentence(r.Why, names)
			}
			p.hang("  "+report.Answer(r.Works), 15, text)
			if r.Command != "" {
				p.raw(strings.Repeat(" ", 17) + report.Clean(r.Command, maxCommand))
			}
		}
	}
}

// happened tells of which service, since when, and how bad it was.
func (e explanation) happened(p *page) {
	v := e.verdict
	service := serviceOf(v)
	switch {
	case e.episode.ID == "":
		p.line(fmt.Sprintf("%s: as if it had been slow from %s to %s %s", service, stamp(v.Onset), stamp(v.At), zone(v.At)))
	case v.End.IsZero():
		p.line(fmt.Sprintf("%s: slow since %s %s, as seen at %s", service, stamp(v.Onset), zone(v.Onset), stamp(v.At)))
	default:
		p.line(fmt.Sprintf("%s: slow from %s to %s %s, %s", service, stamp(v.Onset), stamp(v.End), zone(v.Onset), report.Duration(v.End.Sub(v.Onset))))
	}
	told := e.told
	if len(told) == 0 {
		told = []rootcause.Verdict{v}
	}
	figures := report.FiguresOf(told, e.episode)
	latency, note := figures.Latency(stamp)
	p.hang("  latency", 13, latency+" "+note)
	requests, note := figures.Requests(stamp)
	p.hang("  requests", 13, requests+" "+note)
	for i, t := range e.told {
		before := ""
		if i == 0 {
			before = "  told"
		}
		p.hang(before, 13, fmt.Sprintf("%s  %s: %s, %s, %s", stamp(t.At), report.Transition(t.Reason), explained(t, t.Top()), t.State, report.Percent(t.Probability())))
	}
	if len(e.told) == 0 && e.episode.ID != "" {
		p.hang("  told", 13, "nothing yet: this is what stands at that moment")
	}
}

// conclusion is the verdict in one sentence, with how sure it is.
func (e explanation) conclusion() string {
	v := e.verdict
	claim := report.Claim(v, false)
	if e.episode.ID == "" {
		claim = "If so: " + claim
	}
	if v.State == rootcause.StateUnknown {
		top := v.Top()
		if top.Cause == rootcause.UnknownCause {
			if rival, ok := v.Rival(); ok {
				top = rival
			}
		}
		return fmt.Sprintf("%s (unknown). What comes closest: %s, %s.", claim, explained(v, top), report.Percent(top.Probability))
	}
	return fmt.Sprintf("%s (%s, %s).", claim, v.State, report.Percent(v.Probability()))
}

// suspect prints one with its evidence and the sum of it.
func suspect(p *page, rank int, v rootcause.Verdict, s rootcause.Suspect) {
	label := explained(v, s)
	if s.Tool != "" {
		label += " (" + report.Clean(s.Tool, nameLength) + " backup)"
	}
	chance := report.Percent(s.Probability)
	filled := int(math.Round(barColumns * min(max(s.Probability, 0), 1)))
	bar := "[" + strings.Repeat("#", filled) + strings.Repeat(".", barColumns-filled) + "]"
	tail := fmt.Sprintf("%11s %s", chance, bar)
	label = fmt.Sprintf("%2d. %s", rank, label)
	if room := p.width - utf8.RuneCountInString(tail) - 1; utf8.RuneCountInString(label) > room {
		label = string([]rune(label)[:room-3]) + "..."
	}
	p.raw(label + strings.Repeat(" ", p.width-utf8.RuneCountInString(label)-utf8.RuneCountInString(tail)) + tail)

	names := report.WorkloadNames(v)
	var sum float64
	for _, ev := range s.Evidence {
		sum += ev.Weight
		strength := "explains only"
		if ev.Term != "" {
			strength = fmt.Sprintf("strength %.2f", ev.Strength)
		}
		p.hang(fmt.Sprintf("    %6s %s", signed(ev.Weight), side(ev.Weight)), 20,
			fmt.Sprintf("%s (%s %s, %s)", sentence(ev.Sentence, names), ofEvidence(ev), report.Quantity(ev.Value, ev.Unit), strength))
	}
	p.hang(fmt.Sprintf("    %6s score", signed(s.Score)), 20, fmt.Sprintf("%s before any evidence, %s from it", signed(s.Score-sum), signed(sum)))
}

// whyNot tells in which evidence the first suspect and its strongest rival differ
// most.
func whyNot(p *page, v rootcause.Verdict) {
	top := v.Top()
	rival, ok := v.Rival()
	if !ok {
		return
	}
	p.head("WHY NOT", fmt.Sprintf("%s (%s): its score is %.2f less than that of %s, above all by", explained(v, rival), report.Percent(rival.Probability),
		top.Score-rival.Score, explained(v, top)))
	names := report.WorkloadNames(v)
	for _, d := range differences(top, rival) {
		p.hang(fmt.Sprintf("    %6.2f", d.by), 12, fmt.Sprintf("%s: %s", d.what, sentence(d.sentence, names)))
	}
}

// difference is by how much something speaks more for one suspect than for another.
type difference struct {
	by             float64
	what, sentence string
}

// maxDifferences is how many are told.
const maxDifferences = 3

// differences are those that put the first before the second, the largest first.
func differences(first, second rootcause.Suspect) []difference {
	var list []difference
	add := func(by float64, what, sentence string) {
		if by > 0 {
			list = append(list, difference{by, what, sentence})
		}
	}
	find := func(s rootcause.Suspect, name string) (rootcause.Evidence, bool) {
		i := slices.IndexFunc(s.Evidence, func(ev rootcause.Evidence) bool { return ev.Name == name })
		if i < 0 {
			return rootcause.Evidence{}, false
		}
		return s.Evidence[i], true
	}
	prior1, prior2 := first.Score, second.Score
	for _, ev := range first.Evidence {
		prior1 -= ev.Weight
		if other, both := find(second, ev.Name); both {
			add(ev.Weight-other.Weight, ofEvidence(ev)+" differs", other.Sentence)
		} else {
			add(ev.Weight, ofEvidence(ev)+" speaks for the first", ev.Sentence)
		}
	}
	for _, ev := range second.Evidence {
		prior2 -= ev.Weight
		if _, both := find(first, ev.Name); !both {
			add(-ev.Weight, ofEvidence(ev)+" speaks against it", ev.Sentence)
		}
	}
	add(prior1-prior2, "before any evidence", "the first is taken for the more frequent cause")
	slices.SortStableFunc(list, func(a, b difference) int { return cmp.Compare(b.by, a.by) })
	return list[:min(len(list), maxDifferences)]
}

func ofEvidence(ev rootcause.Evidence) string {
	return strings.ReplaceAll(report.Clean(ev.Name, nameLength), "_", " ")
}

// signed is a weight; that of nothing has no sign.
func signed(x float64) string {
	if math.Abs(x) < 0.005 {
		return "0.00"
	}
	return fmt.Sprintf("%+.2f", x)
}

func side(weight float64) string {
	switch {
	case math.Abs(weight) < 0.005:
		return "neither"
	case weight > 0:
		return "for"
	default:
		return "against"
	}
}

func sentence(text string, names []string) string { return report.Sentence(text, names...) }

func explained(v rootcause.Verdict, s rootcause.Suspect) string {
	return report.Explanation(s, report.Clean(v.Victim.Service, nameLength), false)
}

func serviceOf(v rootcause.Verdict) string {
	name := report.Clean(v.Victim.Service, nameLength)
	if v.Victim.Host != "" {
		name += " on " + report.Clean(v.Victim.Host, nameLength)
	}
	return name
}
