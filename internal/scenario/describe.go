package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Describe tells a person what a run will do, a line for each thing, in the order
// of time.
func (p Plan) Describe() string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-8s %s\n", label, fmt.Sprintf(format, args...))
	}
	line(p.Name, "seed %d: %s (%s)", p.Seed, p.Summary, p.Kind)
	for _, what := range p.Host.describe() {
		line("host", "%s", what)
	}
	line("site", "%s", p.Site.describe())
	if data := p.Data.describe(); data != "" {
		line("data", "%s", data)
	}
	for _, s := range p.timeline() {
		line(fmt.Sprintf("%+.2fs", float64(s.at)), "%s", s.what)
	}
	line("truth", "%s", p.Truth.describe())
	return b.String()
}

type moment struct {
	at   Seconds // from the onset
	what string
}

// timeline is what happens when.
func (p Plan) timeline() []moment {
	list := []moment{
		{-p.Times.Learn, "the collector watches, and nothing is wrong"},
		{p.Times.During, "whatever was wrong ends"},
		{p.Times.During + p.Times.After, "the collector stops"},
	}
	for _, j := range p.Jobs {
		list = append(list, moment{j.Start, j.Name + ": " + j.describe()})
	}
	for _, c := range p.Changes {
		list = append(list, moment{c.Start, c.describe()})
	}
	slices.SortStableFunc(list, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	return list
}

func (h Host) describe() []string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if d := h.Disk; d != nil {
		text := fmt.Sprintf("a disk of %d MiB", d.SizeMiB)
		if d.ReadMBps > 0 {
			text += fmt.Sprintf(", read at %g MB/s at most", d.ReadMBps)
		}
		if d.WriteMBps > 0 {
			text += fmt.Sprintf(", written at %g MB/s at most", d.WriteMBps)
		}
		if d.Faulty {
			text += ", which can be made to fail"
		}
		add("%s", text)
	}
	if n := h.Network; n != nil {
		add("a network behind a link of %g Mbit/s with a queue of %d KiB", n.Mbps, n.QueueKiB)
	}
	if h.MemoryMiB > 0 {
		add("%d MiB of memory for the site and the jobs", h.MemoryMiB)
	}
	if h.OneCPU {
		add("one CPU for the site and the jobs")
	}
	return parts
}

func (s Site) describe() string {
	text := fmt.Sprintf("%s, %g requests per second", s.Server, s.Rate)
	if s.CPUms > 0 {
		text += fmt.Sprintf(", %g ms of CPU each", s.CPUms)
	}
	if s.Files > 0 {
		from := "the disk"
		if s.Cached {
			from = "the page cache"
		}
		text += fmt.Sprintf(", one of %d files of %d KiB from %s", s.Files, s.FileKiB, from)
	}
	if s.Orders != "" {
		text += ", an order made durable (" + s.Orders + ")"
	}
	if s.Query != "" {
		text += ", a row of PostgreSQL (" + s.Query + ")"
	}
	if s.Upstream {
		text += ", an answer of another service"
	}
	if s.BodyKiB > 0 {
		text += fmt.Sprintf(", %d KiB sent", s.BodyKiB)
	}
	return text
}

func (d Data) describe() string {
	var parts []string
	if d.Files > 0 {
		parts = append(parts, fmt.Sprintf("%d files of %d KiB (%s)", d.Files, d.FileKiB, d.Kind))
	}
	if d.Rows > 0 {
		parts = append(parts, fmt.Sprintf("%d rows in PostgreSQL", d.Rows))
	}
	return strings.Join(parts, ", ")
}

func (j Job) describe() string {
	text := j.Run
	if j.Elsewhere {
		text += " (on another CPU)"
	}
	if j.MayFail {
		text += " (may fail)"
	}
	return text
}

func (c Change) describe() string {
	switch c.What {
	case Visitors:
		return fmt.Sprintf("%g times as many visitors come", c.Value)
	case DiskDelay:
		return fmt.Sprintf("the disk stands still for %g ms of each %g ms", c.Value, c.Value+DiskWorks)
	case DiskPause:
		return "the disk stops answering"
	case UpstreamDelay:
		return fmt.Sprintf("the other service takes %g ms", c.Value)
	case GCPause:
		return fmt.Sprintf("the site stands still for %g ms of each second, and computes", c.Value)
	default:
		return fmt.Sprintf("%q, which nothing is known of", c.What)
	}
}

func (t Truth) describe() string {
	text := strings.ReplaceAll(t.Cause, "_", " ")
	if t.Suspect != "" {
		text += " by " + strings.Join(append([]string{t.Suspect}, t.Accomplices...), " or ")
	}
	if t.Resource != "" {
		text += " (" + strings.ReplaceAll(t.Resource, "_", " ") + ")"
	}
	if len(t.Innocent) > 0 {
		text += "; innocent: " + strings.Join(t.Innocent, ", ")
	}
	return text
}
