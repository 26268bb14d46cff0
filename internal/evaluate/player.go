package evaluate

import (
	"fmt"
	"math"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// NewEngine makes an engine that has seen nothing. It is called from several
// goroutines: engines must not share maps that they change, such as
// Params.Services.
type NewEngine func() *rootcause.Engine

// player plays rows to an engine, with a tick each second, as the product does.
type player struct {
	engine     *rootcause.Engine
	now        float64 // Unix seconds of the last tick; zero before the first
	introduced float64
	events     []rootcause.Event
}

// introduceEvery is how often it is said whose the processes are, seconds.
const introduceEvery = 30

// play gives rows from one to another, both included, moved in time by shift
// seconds.
func (p *player) play(f *feed, from, to int, shift float64) error {
	for row := from; row <= to; row++ {
		at := f.at[row] + shift
		if at <= p.now {
			return fmt.Errorf("%s: row %d is not later than the one before it: sort the rows by t", f.tab.path, row)
		}
		if p.now > 0 {
			p.tick(math.Ceil(at) - 1)
		}
		if p.now == 0 || at-p.introduced >= introduceEvery {
			p.introduced = at
			p.tell(f.introduction(at))
		}
		before := row - 1
		if row == from {
			before = -1
		}
		p.tell(f.facts(row, before, at))
		p.step(fact.Tick{At: unixTime(at)})
		p.now = at
	}
	return nil
}

// tick lets the seconds pass up to a time.
func (p *player) tick(until float64) {
	for second := math.Floor(p.now) + 1; second <= until; second++ {
		p.step(fact.Tick{At: unixTime(second)})
		p.now = second
	}
}

func (p *player) tell(list []fact.Fact) {
	for _, f := range list {
		p.step(f)
	}
}

// step is a refusal-tolerant Step: the live engine goes on, too.
func (p *player) step(f fact.Fact) {
	events, _ := p.engine.Step(f)
	p.events = append(p.events, events...)
}

// ask is the verdict on the victim with the onset told.
func (p *player) ask(f *feed, onset, until float64) (rootcause.Verdict, error) {
	victim := rootcause.Victim{Service: f.m.Victim.Service, Host: f.m.Host}
	return p.engine.Explain(victim, second(onset), second(until))
}

func second(unix float64) time.Time { return time.Unix(int64(math.Round(unix)), 0).UTC() }

// follow plays runs one after the other, as if there had been no pause.
func (p *player) follow(f *feed, runs ...run) error {
	for _, r := range runs {
		shift := 0.0
		if p.now > 0 {
			shift = p.now + f.period - f.at[r.from]
		}
		if err := p.play(f, r.from, r.to, shift); err != nil {
			return err
		}
	}
	return nil
}

// lesson is what an engine remembers, and when it had learned it; none has no end.
type lesson struct {
	memory []byte
	end    float64 // Unix seconds
}

// lesson is what the player's engine learned so far.
func (p *player) lesson() (lesson, error) {
	memory, err := p.engine.Remember()
	return lesson{memory, p.now}, err
}

// afterwards is the pause between a lesson and a case, seconds.
const afterwards = 3600

// recalled is a player whose engine knows a lesson and has seen nothing since.
func (l lesson) recalled(engine NewEngine) (player, error) {
	p := player{engine: engine()}
	if l.end == 0 {
		return p, nil
	}
	p.now = l.end + afterwards
	return p, p.engine.Recall(l.memory)
}
