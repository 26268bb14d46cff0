package rootcause

import (
	"fmt"
	"math"
	"slices"

	"github.com/otel-culprit/culprit/internal/backup"
)

// A site that is slow every night at three is slow at three without the backup,
// too, if it is not the backup's doing: the same hour without it is the control
// of the experiment.

// hours is how a victim fares at each hour of the day, UTC, while no backup runs.
type hours struct {
	of     [24]hour
	upTo   int64 // second up to which they are written
	marred bool  // a backup ran in the present episode, whose harm may outlast it
}

// hour is an hour of the day.
type hour struct {
	Excess float64 // logarithm of latency over baseline, on average
	Sec    float64 // seconds behind that
}

const (
	// The seconds of an hour weigh as much as a week at most, so that the mean
	// follows what changes.
	hourMost = 7 * 3600
	// hourCounts is from how many seconds an hour tells anything.
	hourCounts = 600
)

func (h *hour) add(excess float64) {
	h.Sec = min(h.Sec+1, hourMost)
	h.Excess += (excess - h.Excess) / h.Sec
}

func hourOf(second int64) int { return int(second / 3600 % 24) }

// learnHours writes down the last seconds of the victims on whose hosts no backup
// ran.
func (e *Engine) learnHours(now int64) {
	windows := e.windows.Since("", moment(now-window))
	everywhere := processesKnown(e.hosts, now)
	for _, v := range e.victims {
		s := e.shown(v)
		if s == nil {
			continue
		}
		known := everywhere
		if v.id.Host != "" {
			known = 0
			if h := e.byHost[v.id.Host]; h != nil {
				known = h.last - 1
			}
		}
		limit := min(known, s.View().Second)
		near := e.near(v.id.Host)
		for second := max(v.hours.upTo+1, limit-window+1); second <= limit; second++ {
			v.hours.upTo = second
			ran := ranAt(windows, near, second, e.p.OnsetWithin)
			v.hours.marred = ran || v.hours.marred && v.episode != nil
			if excess := s.excess.at(second); excess != 0 && !v.hours.marred {
				v.hours.of[hourOf(second)].add(excess)
			}
		}
	}
}

// processesKnown is up to which second it is known what ran on all hosts that are
// still heard; zero if none is.
func processesKnown(hosts []*host, now int64) int64 {
	known := now
	for _, h := range hosts {
		if h.last > now-window {
			known = min(known, h.last-1)
		}
	}
	if known == now {
		return 0
	}
	return known
}

// near are a host and those that share something with it; none stands for all.
func (e *Engine) near(host string) []string {
	if host == "" {
		return nil
	}
	names := []string{host}
	for _, s := range e.shared {
		if slices.Contains(s.Hosts, host) {
			names = append(names, s.Hosts...)
		}
	}
	return names
}

// ranAt is whether a backup ran on one of some hosts in a second or shortly before.
func ranAt(windows []backup.Window, hosts []string, second, shortly int64) bool {
	for _, w := range windows {
		if (hosts == nil || slices.Contains(hosts, w.Workload.Host)) && w.Start.Unix() <= second && (w.End.IsZero() || second <= w.End.Unix()+shortly) {
			return true
		}
	}
	return false
}

// sameHour tells of a backup that at this hour the victim is as slow without any.
func (sc *scene) sameHour(c *scored) (Evidence, bool) {
	usual := sc.v.hours.of[hourOf(sc.onset)]
	now := sc.mean(sc.ep.signal.excess.at)
	if c.Tool == "" || usual.Sec < hourCounts || !(now > 0) {
		return Evidence{}, false
	}
	strength := clamp01(2*usual.Excess/now - 1) // of half as bad and less nothing follows
	if strength == 0 {
		return Evidence{}, false
	}
	return Evidence{
		Name: "same_hour", Value: math.Exp(usual.Excess), Unit: "1", Term: TermSameHour, Strength: strength,
		Sentence: fmt.Sprintf("between %02d and %02d o'clock UTC the latency is %.1f times the usual without a backup, too; now it is %.1f times",
			hourOf(sc.onset), hourOf(sc.onset+3600), math.Exp(usual.Excess), math.Exp(now)),
	}, true
}
