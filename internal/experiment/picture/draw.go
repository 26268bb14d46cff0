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

// band is a repeat.
type band struct {
	X, Width float64
	Label    string
	Odd      bool
}

// mark is a block: a dot at its p95, with a line from p50 to p99.
type mark struct {
	X, P50, P95, P99 float64
	Kind, ID, Title  string
}

const (
	plotHeight = 260.0
	plotTop    = 26.0
	gutter     = 66.0 // for the labels of the value axis
	column     = 26.0 // of a block
	narrowest  = 1000.0
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

func drawPlayed(r experiment.Report) played {
	var values []float64
	for _, b := range r.Blocks {
		values = append(values, b.P50, b.P95, b.P99)
	}
	y := newAxis(values, plotTop+plotHeight, plotTop)
	step := max(column, (narrowest-gutter)/float64(max(len(r.Blocks), 1)))
	p := played{
		Left: gutter, Bottom: plotTop + plotHeight, Height: plotTop + plotHeight + 92,
		Width: round(gutter + step*float64(len(r.Blocks)) + 40), Ticks: y.ticks(" ms"),
	}
	for i, b := range r.Blocks {
		x := round(gutter + step*(float64(i)+0.5))
		p.Blocks = append(p.Blocks, mark{
			X: x, P50: y.at(b.P50), P95: y.at(b.P95), P99: y.at(b.P99), Kind: kind(b.Arm, r), ID: b.Arm,
			Title: fmt.Sprintf("%s: p50 %s, p95 %s, p99 %s ms of %d requests", b.Arm, experiment.Figure(b.P50), experiment.Figure(b.P95), experiment.Figure(b.P99), b.Requests),
		})
		if n := len(p.Bands); n == 0 || r.Blocks[i-1].Repeat != b.Repeat {
			p.Bands = append(p.Bands, band{X: round(gutter + step*float64(i)), Label: fmt.Sprintf("repeat %d", b.Repeat+1), Odd: b.Repeat%2 == 1})
		}
		last := &p.Bands[len(p.Bands)-1]
		last.Width = round(gutter + step*float64(i+1) - last.X)
	}
	return p
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
	ID, Kind       string
	Value          float64
	Low, High      float64
	Dots           []float64
	Told, Slowdown string
}

const (
	forestWidth = 940.0
	forestLeft  = 130.0
	forestRight = 700.0
	rowHeight   = 34.0
)

func drawForest(r experiment.Report) forest {
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
	x := newAxis(values, forestLeft, forestRight)
	f := forest{Width: forestWidth, Left: forestLeft, One: x.at(1), Restored: x.at(experiment.Restores), Ticks: x.ticks("×")}
	for _, a := range r.Arms {
		if a.ID == experiment.Baseline || a.Blocks == 0 {
			continue
		}
		over := a.OverBaseline.P95
		row := ratio{
			Y: plotTop + rowHeight*(float64(len(f.Rows))+0.5), ID: a.ID, Kind: kind(a.ID, r),
			Value: x.at(over.Value), Low: x.at(over.Low), High: x.at(over.High), Told: times(over), Slowdown: "as it is",
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
	f.Bottom = plotTop + rowHeight*float64(len(f.Rows))
	f.Height = f.Bottom + 34
	return f
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// Places that the template needs besides.

func (p played) Right() float64  { return p.Width - 10 }
func (p played) LabelX() float64 { return p.Left - 8 }
func (p played) NameY() float64  { return p.Bottom + 16 }
func (b band) TextX() float64    { return b.X + 6 }
func (t tick) TextY() float64    { return t.At + 4 }

func (f forest) RestoredWidth() float64 { return max(f.Restored-f.Left, 0) }
func (f forest) Span() float64          { return f.Bottom - plotTop }
func (f forest) LabelY() float64        { return f.Bottom + 20 }
func (f forest) NameX() float64         { return f.Left - 12 }
func (r ratio) TextY() float64          { return r.Y + 4 }
func (r ratio) Above() float64          { return r.Y - 9 }
func (r ratio) Below() float64          { return r.Y + 9 }
