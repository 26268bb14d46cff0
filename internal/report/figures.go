package report

import (
	"math"
	"time"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// Figures are how a service did in an episode, in the words that everything uses
// which tells of it.
type Figures struct {
	latency, usualLatency float64 // seconds; zero if not known
	worst                 bool    // latency is the worst of an episode that is over
	rate, usualRate       float64 // requests per second
	at                    time.Time
}

// FiguresOf takes those that were told last while the service was slow, for when
// it is no longer, they are those of any time. Once the episode is over, the
// latency is the worst of it. The episode is the zero value if it is not known.
func FiguresOf(told []rootcause.Verdict, episode rootcause.Episode) Figures {
	var f Figures
	for _, v := range told {
		if f.at.IsZero() || v.Phase != rootcause.Closed {
			f = Figures{latency: v.Latency, usualLatency: v.Baseline, rate: v.RequestRate, usualRate: v.UsualRate, at: v.At}
		}
	}
	if episode.Phase == rootcause.Closed && known(episode.Latency) && episode.Latency > 0 {
		f.worst, f.latency = true, episode.Latency
	}
	return f
}

// Latency is such as "225 ms", with "at worst, 7.6 times the usual 29.5 ms" or
// "at 02:10:00, ...". The clock words a moment; nil leaves it out.
func (f Figures) Latency(clock func(time.Time) string) (value, note string) {
	usual := "what is usual is not learned yet"
	switch {
	case f.usualLatency > 0 && known(f.latency) && f.latency > 0:
		usual = factor(f.latency/f.usualLatency) + " the usual " + Seconds(f.usualLatency)
	case f.usualLatency > 0:
		usual = "usually " + Seconds(f.usualLatency)
	}
	if f.worst {
		return Seconds(f.latency), "at worst, " + usual
	}
	return Seconds(f.latency), f.moment(clock) + usual
}

// Requests is such as "60 per second", with "at 02:10:00, usually 60".
func (f Figures) Requests(clock func(time.Time) string) (value, note string) {
	value = "unknown"
	if known(f.rate) {
		value = digits(f.rate) + " per second"
	}
	usual := "what is usual is not learned yet"
	if f.usualRate > 0 && !math.IsInf(f.usualRate, 0) {
		usual = "usually " + digits(f.usualRate)
	}
	return value, f.moment(clock) + usual
}

func (f Figures) moment(clock func(time.Time) string) string {
	if clock == nil || f.at.IsZero() {
		return ""
	}
	return "at " + clock(f.at) + ", "
}

// EpisodeLatency is how slow a service is, or at its end was at worst, such as
// "225 ms, 7.6 times the usual 29.5 ms".
func EpisodeLatency(e rootcause.Episode) string {
	f := FiguresOf(nil, e)
	f.latency, f.usualLatency = e.Latency, e.Baseline
	value, note := f.Latency(nil)
	if f.worst {
		return value + " " + note
	}
	return value + ", " + note
}
