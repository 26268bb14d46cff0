package lab

import (
	"context"
	"fmt"

	"github.com/otel-culprit/culprit/internal/lab/victim"
	"github.com/otel-culprit/culprit/internal/lab/wait"
	"github.com/otel-culprit/culprit/internal/scenario"
)

// change makes something happen.
func (s *scene) change(ctx context.Context, c scenario.Change) error {
	switch c.What {
	case scenario.Visitors:
		s.load.SetRate(ctx, s.plan.Site.Rate*c.Value)
		return nil
	case scenario.DiskDelay:
		s.quick = s.vital(ctx, func(ctx context.Context) error {
			return s.faulty.Slow(ctx, wait.Milliseconds(c.Value), wait.Milliseconds(scenario.DiskWorks))
		})
		return nil
	case scenario.DiskPause:
		return s.faulty.Pause() //nolint:contextcheck // bounded
	case scenario.UpstreamDelay:
		return victim.Control(ctx, "http://"+s.addr(s.world, upstreamPort), map[string]float64{"delay_ms": c.Value})
	case scenario.GCPause:
		return victim.Control(ctx, s.base(), map[string]float64{"gc_pause_ms": c.Value})
	default:
		return fmt.Errorf("changes: nothing is known that %q would change", c.What)
	}
}

// restore undoes the changes.
func (s *scene) restore(ctx context.Context, changes []scenario.Change) error {
	for _, c := range changes {
		var err error
		switch c.What {
		case scenario.DiskDelay:
			s.quick()
		case scenario.DiskPause:
			err = s.faulty.Resume() //nolint:contextcheck // as above
		default:
			c.Value = 0
			if c.What == scenario.Visitors {
				c.Value = 1
			}
			err = s.change(ctx, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// heal undoes what was done to the site's disk: whoever waits for a disk that
// does not answer cannot be ended.
func (s *scene) heal() {
	if s.faulty == nil {
		return
	}
	if s.quick != nil {
		s.quick()
	}
	_ = s.faulty.Resume() // else the stage does it by force
}
