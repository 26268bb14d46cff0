package picture

import (
	"fmt"
	"math"

	"github.com/otel-culprit/culprit/internal/experiment"
)

// played shows the blocks in the order in which they ran.
type played struct {
	Width, Height, Bottom float64
	Left                  float64
	Ticks                 []tick
	Bands                 []band
	Blocks                []mark
}

// tick is a line of the grid with its label.
type tick struct {
	At    float64
	Label string
}

// band is a repeat: where it begins, and how far it reaches.
type band struct {
	X, Width float64
	Label    string
	Odd      bool
	repeat   int
}

// mark is a block: a dot at its p95, with a line from p50 to p99. At is its place
// on the other axis.
type mark struct {
	At, P50, P95, P99  float64
	Kind, Label, Title string
}

const (
	plotHeight = 260.0
	plotTop    = 26.0
	gutter     = 66.0 // for the labels of the value axis
	column     = 26.0 // of a block
	slanted    = 110.0
	widest     = 1000.0
	phone      = 330.0 // width on a narrow screen
)

// axis places values on a logarithmic scale.
type axis struct{ lo, hi, from, to float64 }

func (a axis) at(v float64) float64 {
	v = min(max(v, a.lo), a.hi)
	return round(a.from + (a.to-a.from)*math.Log(v/a.lo)/math.Log(a.hi/a.lo))
}

// ticks are powers of ten, with twos and fives where there is room.
func (a axis) ticks(unit string) []tick {
	steps := []float64{1, 2, 5}
	if math.Log10(a.hi/a.lo) > 2.5 {
		steps = []float64{1}
	}
	var list []tick
	for e := math.Floor(math.Log10(a.lo)); e <= math.Log10(a.hi); e++ {
		for _, s := range steps {
			if v := s * math.Pow(10, e); v >= a.lo && v <= a.hi {
				list = append(list, tick{a.at(v), fmt.Sprintf("%g%s", v, unit)})
			}
		}
	}
	return list
}

// newAxis covers positive values with some air.
func newAxis(values []float64, from, to float64) axis {
	lo, hi := math.Inf(1), 0.0
	for _, v := range values {
		if v > 0 {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if hi == 0 {
		lo, hi = 1, 10
	}
	return axis{lo / 1.3, hi * 1.3, from, to}
}

// drawPlayed is for wide screens: blocks stand side by side.
func drawPlayed(r experiment.Report) played {
	y := newAxis(latencies(r), plotTop+plotHeight, plotTop)
	step := max(column, (widest-gutter)/float64(max(len(r.Blocks), 1)))
	return played{
		Left: gutter, Bottom: plotTop + plotHeight, Height: plotTop + plotHeight + slanted,
		Width: round(gutter + step*float64(len(r.Blocks)) + 40), Ticks: y.ticks(" ms"),
		Bands: bands(r, gutter, step), Blocks: marks(r, y, func(i int) float64 { return gutter + step*(float64(i)+0.5) }),
	}
}

// listPlayed is for narrow screens: blocks stand below one another, with a line
// for each repeat.
func listPlayed(r experiment.Report) played {
	const (
		left = 138.0
		line = 22.0
	)
	x := newAxis(latencies(r), left, phone-12)
	at := func(i int) float64 { return plotTop + line*(float64(i+r.Blocks[i].Repeat)+1.5) }
	p := played{Left: left, Width: phone, Bottom: plotTop, Ticks: apart(x.ticks(" ms"), 44), Blocks: marks(r, x, at), Bands: bands(r, plotTop, line)}
	for i := range p.Bands {
		b := &p.Bands[i]
		b.X, b.Width = b.X+line*float64(i), b.Width+line
		p.Bottom = b.X + b.Width
	}
	p.Height = p.Bottom + 26
	return p
}

func latencies(r experiment.Report) []float64 {
	var values []float64
	for _, b := range r.Blocks {
		values = append(values, b.P50, b.P95, b.P99)
	}
	return values
}

// marks places the blocks; at is where each stands on the other axis.
func marks(r experiment.Report, a axis, at func(i int) float64) []mark {
	list := make([]mark, len(r.Blocks))
	for i, b := range r.Blocks {
		label := experiment.Label(b.Arm)
		list[i] = mark{
			At: round(at(i)), P50: a.at(b.P50), P95: a.at(b.P95), P99: a.at(b.P99), Kind: kind(b.Arm, r), Label: label,
			Title: fmt.Sprintf("%s: p50 %s, p95 %s, p99 %s ms of %d requests", label, experiment.Figure(b.P50), experiment.Figure(b.P95), experiment.Figure(b.P99), b.Requests),
		}
	}
	return list
}

// bands are the repeats, for blocks that stand so far apart.
func bands(r experiment.Report, from, step float64) []band {
	var list []band
	for i, b := range r.Blocks {
		if n := len(list); n == 0 || list[n-1].repeat != b.Repeat {
			label := fmt.Sprintf("repeat %d", b.Repeat+1)
			if b.Repeat >= r.Repeats {
				label = fmt.Sprintf("confirms %d", b.Repeat+1-r.Repeats)
			}
			list = append(list, band{X: round(from + step*float64(i)), Label: label, Odd: b.Repeat%2 == 1, repeat: b.Repeat})
		}
		last := &list[len(list)-1]
		last.Width = round(from + step*float64(i+1) - last.X)
	}
	return list
}

// apart keeps those ticks that have so much room.
func apart(ticks []tick, room float64) []tick {
	var kept []tick
	for _, t := range ticks {
		if len(kept) == 0 || math.Abs(t.At-kept[len(kept)-1].At) >= room {
			kept = append(kept, t)
		}
	}
	return kept
}

// forest compares the arms: the ratio of p95 to the baseline's, a row for each.
type forest struct {
	Width, Height, Bottom, Left float64
	One, Restored               float64 // places of 1 and of what counts as restored
	Ticks                       []tick
	Rows                        []ratio
}

// ratio is one arm with its blocks.
type ratio struct {
	Y              float64
	Label, Kind    string
	Value          float64
	Low, High      float64
	Dots           []float64
	Told, Slowdown string
}

// layout of a forest: where its values lie, and how high a row is.
type layout struct {
	width, left, right float64
	row, bar           float64 // height of a row, and where the bar lies in it
	room               float64 // of a tick
}

var (
	wide   = layout{width: 940, left: 160, right: 700, row: 34, bar: 17, room: 1}
	narrow = layout{width: phone, left: 16, right: phone - 12, row: 58, bar: 44, room: 38}
)

func drawForest(r experiment.Report, l layout) forest {
	values := []float64{1, experiment.Restores}
	for _, a := range r.Arms {
		values = append(values, a.OverBaseline.P95.Low, a.OverBaseline.P95.High)
	}
	baselines := map[int]float64{}
	for _, b := range r.Blocks {
		if b.Arm == experiment.Baseline {
			baselines[b.Repeat] = b.P95
		}
	}
	x := newAxis(values, l.left, l.right)
	f := forest{Width: l.width, Left: l.left, One: x.at(1), Restored: x.at(experiment.Restores), Ticks: apart(x.ticks("×"), l.room)}
	for _, a := range r.Arms {
		if a.ID == experiment.Baseline || a.Blocks == 0 {
			continue
		}
		over := a.OverBaseline.P95
		row := ratio{
			Y: plotTop + l.row*float64(len(f.Rows)) + l.bar, Label: a.Label(), Kind: kind(a.ID, r),
			Value: x.at(over.Value), Low: x.at(over.Low), High: x.at(over.High), Told: over.Told(), Slowdown: "1×",
		}
		if a.ID != experiment.Without {
			row.Slowdown = experiment.Figure(a.Slowdown.Value) + "× as long"
		}
		if a.Stalled() {
			row.Slowdown = "hardly moves"
		}
		for _, b := range r.Blocks {
			if from := baselines[b.Repeat]; b.Arm == a.ID && from > 0 {
				row.Dots = append(row.Dots, x.at(b.P95/from))
			}
		}
		f.Rows = append(f.Rows, row)
	}
	f.Bottom = plotTop + l.row*float64(len(f.Rows))
	f.Height = f.Bottom + 34
	return f
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// Places that the template needs besides.

func (p played) Right() float64  { return p.Width - 10 }
func (p played) LabelX() float64 { return p.Left - 8 }
func (p played) NameY() float64  { return p.Bottom + 16 }
func (b band) Middle() float64   { return b.X + 15 }
func (m mark) TextY() float64    { return m.At + 4 }
func (b band) TextX() float64    { return b.X + 6 }
func (t tick) TextY() float64    { return t.At + 4 }

func (f forest) RestoredWidth() float64 { return max(f.Restored-f.Left, 0) }
func (f forest) Span() float64          { return f.Bottom - plotTop }
func (f forest) LabelY() float64        { return f.Bottom + 20 }
func (f forest) NameX() float64         { return f.Left - 12 }
func (r ratio) TextY() float64          { return r.Y + 4 }
func (r ratio) Over() float64           { return r.Y - 16 }
func (r ratio) Above() float64          { return r.Y - 9 }
func (r ratio) Below() float64          { return r.Y + 9 }
