package rootcause

import (
	"errors"
	"fmt"
	"time"
)

// ErrNoVictim says that nothing is known of a service.
var ErrNoVictim = errors.New("no latency of this service was seen")

// Explain assesses a service as if its latency had been bad from onset until a
// moment, whether or not an alarm says so: the question of somebody who knows
// that the site was slow. It changes nothing. What it can look back on is bounded
// by Params.Before and by what the engine remembers, eleven minutes at 1 s.
func (e *Engine) Explain(id Victim, onset, until time.Time) (Verdict, error) {
	for _, v := range e.victims {
		if v.id.Service != id.Service || id.Host != "" && v.id.Host != id.Host {
			continue
		}
		s := e.shown(v)
		if s == nil {
			continue
		}
		now := s.View()
		ep := &episode{
			id: episodeID(v.id, onset.Unix()), signal: s, onset: onset.Unix(), bout: onset.Unix(),
			asked: true, detected: until, lastBad: until.Unix(), usual: known(now.Baseline),
		}
		a := e.assess(v, ep)
		return Verdict{
			ID: ep.id, Phase: Opened, Reason: reasonOf(a.state), At: until, Victim: v.id, Onset: onset,
			State: a.state, Suspects: a.suspects, Backups: a.backups, Missing: a.missing, Remedies: a.remedies,
			Latency: known(now.Latency), Baseline: ep.usual, RequestRate: v.signals[0].View().Rate, UsualRate: a.usualRate,
		}, nil
	}
	return Verdict{}, fmt.Errorf("%w: %q", ErrNoVictim, id.Service)
}
