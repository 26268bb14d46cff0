package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// The most that the timeline draws of each.
const (
	maxVictims  = 3
	maxRows     = 12
	maxFlags    = 40
	maxDrawn    = 7 // workloads in one lane
	maxOfRank   = 3 // of them, for being a backup or a suspect
	maxPressure = 9
	maxDevices  = 4
)

// timeline is the picture: lanes over one time axis.
type timeline struct {
	Ticks    []timeTick
	Shades   []bar // episodes
	Flags    []flag
	FlagRows int // on wide screens
	FlagSlim int // on narrow ones
	Lanes    []lane
	Note     string
	From, To string // Unix milliseconds, for the script
}

// bar is a stretch of time in percent of the axis.
type bar struct {
	X, W  float64
	Class string
	Title string
	Open  bool // goes on after the end
}

// flag is a moment with a label; Row is -1 where there is no room for it.
type flag struct {
	X         float64
	Label     string
	Title     string
	Class     string
	Row, Slim int
	Right     bool // the label stands left of its line
}

// lane is one picture, or rows of bars.
type lane struct {
	ID     string
	Title  string
	Note   string
	Desc   string
	Height int // pixels
	Ticks  []valueTick
	Lines  []drawn
	Band   string // path
	Lo, Hi string
	Log    bool
	Unit   string // for the script: s, %, cpu, By/s, By, 1/s
	Rows   []row
}

// drawn is one line of a lane.
type drawn struct {
	Class, Label, Peak, Path, Area string
}

// row is a name and its bars.
type row struct {
	Label, Tag, TagClass string
	X                    float64 // of the label, percent
	Right                bool
	Bars                 []bar
}

func (b *builder) timeline(acts []Act) *timeline {
	t := &timeline{
		Ticks: b.span.ticks(),
		From:  strconv.FormatInt(b.span.start.UnixMilli(), 10),
		To:    strconv.FormatInt(b.span.end.UnixMilli(), 10),
	}
	for _, e := range b.episodes[:min(len(b.episodes), 200)] {
		t.Shades = append(t.Shades, b.bar(e.Onset, e.End, "shade", ""))
	}
	t.Flags = b.flags()
	t.FlagRows, t.FlagSlim = place(t.Flags)
	victims := b.sortedVictims()
	if len(victims) > maxVictims {
		t.Note = fmt.Sprintf("%d more services are not drawn.", len(victims)-maxVictims)
		victims = victims[:maxVictims]
	}
	for _, v := range victims {
		t.Lanes = append(t.Lanes, b.latencyLane(v))
	}
	if len(acts) > 0 {
		t.Lanes = append(t.Lanes, b.actLane(acts))
	}
	if len(b.windows) > 0 {
		t.Lanes = append(t.Lanes, b.backupLane())
	}
	for i, r := range uses {
		if l, ok := b.useLane(i, r); ok {
			t.Lanes = append(t.Lanes, l)
		}
	}
	if l, ok := b.deviceLane(); ok {
		t.Lanes = append(t.Lanes, l)
	}
	if l, ok := b.rateLane(victims); ok {
		t.Lanes = append(t.Lanes, l)
	}
	if l, ok := b.pressureLane(); ok {
		t.Lanes = append(t.Lanes, l)
	}
	for i := range t.Lanes {
		t.Lanes[i].ID = fmt.Sprintf("lane-%d", i+1)
	}
	return t
}

func (b *builder) bar(start, end time.Time, class, title string) bar {
	open := end.IsZero()
	if open {
		end = b.span.end
	}
	x := b.span.percent(start)
	return bar{X: x, W: round2(math.Max(b.span.percent(end)-x, 0)), Class: class, Title: title, Open: open}
}

// flags are the marks, onsets, verdicts and recoveries in time order.
func (b *builder) flags() []flag {
	type dated struct {
		at time.Time
		flag
	}
	var list []dated
	add := func(at time.Time, label, title, class string) {
		if at.IsZero() || at.After(b.span.end) || at.Before(b.span.start) {
			return
		}
		list = append(list, dated{at, flag{X: b.span.percent(at), Label: Clean(label, 32), Title: b.span.clock(at) + " " + Clean(title, 200), Class: class}})
	}
	for _, m := range b.marks {
		add(m.At, m.Name, m.Name+": "+m.Text, "mark")
	}
	judged := map[string]bool{}
	for _, st := range b.verdicts {
		v := st.final()
		judged[v.ID] = true
		service := victimName(v.Victim)
		add(v.Onset, service+" slows", service+" slows down", "onset")
		if len(v.Suspects) > 0 && v.State != rootcause.StateUnknown {
			who := Explanation(v.Top(), service, b.withHost)
			if v.Top().Cause == rootcause.Contention {
				who = Clean(v.Top().Workload.Name, 20)
			}
			add(st.decided(), who+" "+v.State.String(), Claim(v, b.withHost), "named")
		}
		add(v.End, "recovered", service+" recovered", "recovered")
	}
	for _, e := range b.episodes {
		if !judged[e.ID] {
			add(e.Onset, victimName(e.Victim)+" slows", victimName(e.Victim)+" slows down", "onset")
		}
	}
	slices.SortStableFunc(list, func(a, c dated) int { return a.at.Compare(c.at) })
	out := make([]flag, 0, min(len(list), maxFlags))
	for _, d := range list[:min(len(list), maxFlags)] {
		out = append(out, d.flag)
	}
	return out
}

// place gives each label a row in which it covers no other, once for wide and
// once for narrow screens, and returns how many rows are needed.
func place(flags []flag) (rows, slim int) {
	const (
		letter, padding     = 6.6, 14.0 // pixels
		wide, narrow        = 1000.0, 310.0
		mostWide, mostSlim  = 5, 9
		longest, onTheRight = 200.0, 100.0
	)
	size := func(f flag, screen float64) float64 {
		return math.Min(longest, float64(utf8.RuneCountInString(f.Label))*letter+padding) / screen * 100
	}
	fit := func(screen float64, most int, row func(*flag) *int) int {
		var taken [][][2]float64
		for i := range flags {
			f := &flags[i]
			from, to := f.X, f.X+size(*f, screen)
			if f.Right {
				from, to = f.X-size(*f, screen), f.X
			}
			r := slices.IndexFunc(taken, func(used [][2]float64) bool {
				return !slices.ContainsFunc(used, func(u [2]float64) bool { return from < u[1] && u[0] < to })
			})
			if r < 0 {
				r = len(taken)
				taken = append(taken, nil)
			}
			taken[r] = append(taken[r], [2]float64{from, to})
			*row(f) = r
			if r >= most {
				*row(f) = -1
			}
		}
		return min(len(taken), most)
	}
	for i := range flags {
		flags[i].Right = flags[i].X+size(flags[i], narrow) > onTheRight
	}
	rows = fit(wide, mostWide, func(f *flag) *int { return &f.Row })
	slim = fit(narrow, mostSlim, func(f *flag) *int { return &f.Slim })
	return rows, slim
}

func (b *builder) latencyLane(v *victimLines) lane {
	lo, hi, _ := v.latency.extremes()
	for _, l := range []*line{&v.baseline, &v.upper} {
		if low, high, ok := l.extremes(); ok {
			lo, hi = math.Min(lo, low), math.Max(hi, high)
		}
	}
	sc := logScale(lo, hi)
	title := "Latency of " + victimName(v.victim)
	if b.withHost && v.victim.Host != "" {
		title += " on " + Clean(v.victim.Host, nameLength)
	}
	l := lane{
		Title: title, Note: "logarithmic scale", Height: 170, Unit: "s", Log: true,
		Lo: plain(sc.lo), Hi: plain(sc.hi), Ticks: sc.logTicks(Seconds),
	}
	if v.probed && !v.reported {
		l.Note += ", as a probe sees it"
	}
	_, worst, _ := v.latency.extremes()
	l.Desc = fmt.Sprintf("Latency over time, at worst %s.", Seconds(worst))
	if _, upper, ok := v.upper.extremes(); ok {
		l.Band = between(&v.baseline, &v.upper, b.span, sc)
		l.Desc += fmt.Sprintf(" The usual band ends at %s.", Seconds(upper))
	}
	l.Lines = append(l.Lines, drawn{Class: "ink", Label: "latency", Peak: "worst " + Seconds(worst), Path: stroke(&v.latency, b.span, sc)})
	if _, base, ok := v.baseline.extremes(); ok {
		l.Lines = append(l.Lines, drawn{Class: "usual", Label: "usual", Peak: Seconds(base), Path: stroke(&v.baseline, b.span, sc)})
	}
	return l
}

func (b *builder) actLane(acts []Act) lane {
	l := lane{Title: "What was really done", Note: "known from the script, not seen by the engine", Desc: "The truth, as bars."}
	for _, a := range acts[:min(len(acts), maxRows)] {
		end := a.End
		if end.IsZero() {
			end = a.Start
		}
		class, tag := "act", ""
		if a.Harm {
			class, tag = "act harm", "meant to harm"
		}
		l.Rows = append(l.Rows, labelRow(row{
			Label: Clean(a.Name, nameLength), Tag: tag, TagClass: "tag-harm",
			Bars: []bar{b.bar(a.Start, end, class, Clean(a.Text, 200))},
		}))
	}
	return l
}

// labelRow puts a row's label where it stays on the page.
func labelRow(r row) row {
	first, last := r.Bars[0], r.Bars[len(r.Bars)-1]
	r.X = first.X
	if first.X > 50 {
		r.Right, r.X = true, round2(100-last.X-last.W)
	}
	return r
}

// backupLane has one row for each tool and workload name: the nightly runs of
// one job stand side by side.
func (b *builder) backupLane() lane {
	type key struct{ tool, name, host string }
	var order []key
	rows := map[key]*row{}
	found := map[key]map[string]int{}
	judged := b.findingsByWindow()
	for _, w := range b.windows {
		k := key{w.Window.Tool, w.Window.Workload.Name, w.Window.Workload.Host}
		if rows[k] == nil {
			if len(order) == maxRows {
				continue
			}
			order = append(order, k)
			rows[k] = &row{Label: b.backupName(w)}
			found[k] = map[string]int{}
		}
		what := judged[w.Window.ID]
		found[k][what.String()]++
		title := fmt.Sprintf("%s, %s, %s", b.backupName(w), b.interval(w.Window.Start, w.Window.End), what)
		if len(rows[k].Bars) < 200 {
			rows[k].Bars = append(rows[k].Bars, b.bar(w.Window.Start, w.Window.End, b.colours.of(w.Window.Workload), title))
		}
	}
	l := lane{Title: "Backups", Desc: fmt.Sprintf("When backups ran: %s.", count(len(b.windows), "run", "runs"))}
	for _, k := range order {
		r := rows[k]
		if n := len(r.Bars); n > 1 {
			r.Label = fmt.Sprintf("%s, %d runs", toolName(k.tool, Clean(k.name, nameLength)), n)
		}
		switch {
		case found[k]["charged"] > 0:
			r.Tag, r.TagClass = "charged", "tag-charged"
		case found[k]["cleared"] > 0:
			r.Tag, r.TagClass = "cleared", "tag-cleared"
		case len(b.verdicts) > 0 && found[k]["undecided"] > 0:
			r.Tag, r.TagClass = "undecided", "tag-plain"
		}
		l.Rows = append(l.Rows, labelRow(*r))
	}
	return l
}

// outcome is the finding on a window over all verdicts: charged once counts.
type outcome struct {
	finding rootcause.Finding
	told    bool
}

func (o outcome) String() string {
	if !o.told {
		return "in no verdict"
	}
	return o.finding.String()
}

func (s *story) findingsByWindow() map[string]outcome {
	m := map[string]outcome{}
	for _, st := range s.verdicts {
		for _, f := range st.final().Backups {
			if old := m[f.Window.ID]; !old.told || f.Finding > old.finding {
				m[f.Window.ID] = outcome{f.Finding, true}
			}
		}
	}
	return m
}

// useTitles name the lanes of uses, with the units of the script.
var useTitles = [...]struct{ title, unit string }{
	{"CPU by workload", "cpu"}, {"Disk by workload", "By/s"}, {"Network by workload", "By/s"}, {"Memory by workload", "By"},
}

// useLane draws who used a resource: the suspects and backups, then the
// largest. CPU and disk are always drawn, the others where they are suspected.
func (b *builder) useLane(i int, r rootcause.Shared) (lane, bool) {
	if r != rootcause.SharedCPU && r != rootcause.SharedDisk && !b.suspected(r) {
		return lane{}, false
	}
	var list []rankedLines
	highest := 0.0
	for _, w := range b.workloads {
		_, peak, ok := w.use[i].extremes()
		if !ok || peak <= 0 {
			continue
		}
		highest = math.Max(highest, peak)
		list = append(list, rankedLines{w, peak, b.colours.rank(w.workload)})
	}
	if len(list) == 0 {
		return lane{}, false
	}
	list = choose(list, highest/50)
	floor := map[rootcause.Shared]float64{rootcause.SharedCPU: 0.1, rootcause.SharedMemory: 1e6}[r]
	if floor == 0 {
		floor = 100e3
	}
	label := func(v float64) string { return Quantity(v, unitOf(r)) }
	sc, step := linearScale(highest, floor)
	l := lane{
		Title: useTitles[i].title, Height: 104, Unit: useTitles[i].unit, Lo: "0", Hi: plain(sc.hi),
		Ticks: sc.linearTicks(step, label), Desc: fmt.Sprintf("Use over time of the largest users, at most %s.", label(highest)),
	}
	// The last drawn lies on top: the suspects.
	for _, w := range slices.Backward(list) {
		d := drawn{Class: b.colours.of(w.workload), Label: name(w.workload, b.withHost), Peak: "peak " + label(w.peak), Path: stroke(&w.use[i], b.span, sc)}
		if w.rank == rankCulprit {
			d.Area = fill(&w.use[i], b.span, sc)
		}
		l.Lines = append(l.Lines, d)
	}
	slices.Reverse(l.Lines)
	return l, true
}

// rankedLines is a workload with its place in a lane.
type rankedLines struct {
	*workloadLines
	peak float64
	rank int
}

// choose picks the workloads of a lane, the suspects first: some of each rank
// for what they are, the others for how much they used. Twenty backups of
// nothing must not hide the one process that reads.
func choose(list []rankedLines, least float64) []rankedLines {
	byRank := func(a, c rankedLines) int {
		return cmp.Or(cmp.Compare(a.rank, c.rank), cmp.Compare(c.peak, a.peak), compareWorkloads(a.workload, c.workload))
	}
	slices.SortFunc(list, byRank)
	var chosen, others []rankedLines
	taken := map[int]int{}
	for _, w := range list {
		if w.rank <= rankBackup && taken[w.rank] < maxOfRank && len(chosen) < maxDrawn {
			taken[w.rank]++
			chosen = append(chosen, w)
		} else if w.peak >= least {
			others = append(others, w)
		}
	}
	slices.SortFunc(others, func(a, c rankedLines) int {
		return cmp.Or(cmp.Compare(c.peak, a.peak), byRank(a, c))
	})
	chosen = append(chosen, others[:min(len(others), maxDrawn-len(chosen))]...)
	slices.SortFunc(chosen, byRank)
	return chosen
}

func unitOf(r rootcause.Shared) string {
	switch r {
	case rootcause.SharedCPU:
		return "{cpu}"
	case rootcause.SharedMemory:
		return "By"
	default:
		return "By/s"
	}
}

// suspected reports whether any verdict has a suspect for the resource that is
// worth a look.
func (b *builder) suspected(r rootcause.Shared) bool {
	const worth = 0.05
	for _, st := range b.verdicts {
		for _, s := range st.final().Suspects {
			if s.Resource == r && s.Probability >= worth {
				return true
			}
		}
	}
	return false
}

// deviceLane draws how long the disks take, where a disk is suspected.
func (b *builder) deviceLane() (lane, bool) {
	if !b.suspected(rootcause.SharedDisk) {
		return lane{}, false
	}
	keys := make([]deviceOf, 0, len(b.devices))
	for k := range b.devices {
		keys = append(keys, k)
	}
	peak := func(k deviceOf) float64 {
		_, hi, _ := b.devices[k].extremes()
		return hi
	}
	slices.SortFunc(keys, func(a, c deviceOf) int {
		return cmp.Or(cmp.Compare(peak(c), peak(a)), cmp.Compare(a.host, c.host), cmp.Compare(a.device, c.device))
	})
	if len(keys) == 0 || peak(keys[0]) <= 0 {
		return lane{}, false
	}
	sc, step := linearScale(peak(keys[0]), 0.001)
	l := lane{
		Title: "Disk, time per operation", Height: 84, Unit: "s", Lo: "0", Hi: plain(sc.hi), Ticks: sc.linearTicks(step, Seconds),
		Desc: fmt.Sprintf("How long an operation takes, at worst %s.", Seconds(peak(keys[0]))),
	}
	for i, k := range keys[:min(len(keys), maxDevices)] {
		label := Clean(k.device, nameLength)
		if b.withHost && k.host != "" {
			label += " on " + Clean(k.host, nameLength)
		}
		l.Lines = append(l.Lines, drawn{Class: fmt.Sprintf("o%d", i), Label: label, Peak: "peak " + Seconds(peak(k)), Path: stroke(b.devices[k], b.span, sc)})
	}
	return l, true
}

func (b *builder) rateLane(victims []*victimLines) (lane, bool) {
	highest := 0.0
	for _, v := range victims {
		if _, hi, ok := v.rate.extremes(); ok {
			highest = math.Max(highest, hi)
		}
	}
	if highest <= 0 {
		return lane{}, false
	}
	sc, step := linearScale(highest, 1)
	label := func(v float64) string { return digits(v) + "/s" }
	l := lane{
		Title: "Requests", Note: "per second", Height: 84, Unit: "1/s", Lo: "0", Hi: plain(sc.hi), Ticks: sc.linearTicks(step, label),
		Desc: fmt.Sprintf("Requests per second, at most %s.", label(highest)),
	}
	for i, v := range victims {
		_, hi, ok := v.rate.extremes()
		if !ok {
			continue
		}
		l.Lines = append(l.Lines, drawn{Class: fmt.Sprintf("o%d", i), Label: victimName(v.victim), Peak: "peak " + label(hi), Path: stroke(&v.rate, b.span, sc)})
	}
	return l, true
}

func (b *builder) pressureLane() (lane, bool) {
	keys := make([]pressureOf, 0, len(b.pressure))
	highest := 0.0
	for k, l := range b.pressure {
		if _, hi, ok := l.extremes(); ok {
			keys = append(keys, k)
			highest = math.Max(highest, hi)
		}
	}
	if len(keys) == 0 {
		return lane{}, false
	}
	slices.SortFunc(keys, func(a, c pressureOf) int {
		return cmp.Or(cmp.Compare(a.host, c.host), cmp.Compare(a.resource, c.resource))
	})
	sc, step := linearScale(highest/1.05, 8)
	label := func(v float64) string { return digits(v) + nbsp + "%" }
	l := lane{
		Title: "Pressure", Note: "part of the time in which some task had to wait", Height: 84, Unit: "%", Lo: "0", Hi: plain(sc.hi),
		Ticks: sc.linearTicks(step, label), Desc: fmt.Sprintf("Pressure stall information, at most %s.", label(highest)),
	}
	for _, k := range keys[:min(len(keys), maxPressure)] {
		_, hi, _ := b.pressure[k].extremes()
		class := map[string]string{"cpu": "o0", "io": "o1", "memory": "o2"}[k.resource]
		if class == "" {
			class = "rest"
		}
		text := Clean(k.resource, nameLength)
		if b.withHost && k.host != "" {
			text += " on " + Clean(k.host, nameLength)
		}
		l.Lines = append(l.Lines, drawn{Class: class, Label: text, Peak: "peak " + label(hi), Path: stroke(b.pressure[k], b.span, sc)})
	}
	return l, true
}

func compareWorkloads(a, c backup.Workload) int {
	return cmp.Or(cmp.Compare(a.Host, c.Host), cmp.Compare(a.Name, c.Name), cmp.Compare(a.PID, c.PID), cmp.Compare(a.Start, c.Start))
}
