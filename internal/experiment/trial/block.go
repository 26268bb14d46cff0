package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/lab/wait"
	"github.com/otel-culprit/culprit/internal/stage"
)

// shortest is how long a block is measured at least, even if the backup ends
// before.
const shortest = time.Second

// block plays one block, as a player does.
func (t *trial) block(ctx context.Context, arm string, repeat int) (failure, err error) {
	t.load.Forget(time.Now().Add(-max(recent, t.Settle)))
	began := time.Now()
	if err = stage.Evict(ctx, t.Data...); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if err = t.prepared(ctx, t.Prepare); err != nil {
		return nil, fmt.Errorf("--prepare: %w", err)
	}
	failure, err = t.calmly(ctx, arm, repeat)
	if failed := t.prepared(context.WithoutCancel(ctx), t.Cleanup); failed != nil {
		err = errors.Join(err, fmt.Errorf("--cleanup: %w", failed))
	}
	if err != nil {
		return nil, errors.Join(failure, err)
	}
	if failure != nil {
		return failure, nil
	}
	t.longest = max(t.longest, time.Since(began))
	last := t.blocks[len(t.blocks)-1]
	repeats := t.Repeats
	if repeat >= repeats {
		repeats += t.Confirm
	}
	t.Say("%2d/%d  %-22s p50 %6.1f  p95 %6.1f  p99 %6.1f ms", repeat+1, repeats, experiment.Label(arm), last.P50, last.P95, last.P99)
	return nil, nil
}

// calmly measures one block when the site is calm, and notes it if it is complete
// or ended because the site was too slow.
func (t *trial) calmly(ctx context.Context, arm string, repeat int) (failure, err error) {
	calm, err := t.awaitCalm(ctx, arm)
	if err != nil {
		return nil, err
	}
	if !calm {
		t.restless++
	}
	b, failure, err := t.measure(ctx, arm)
	b.Repeat = repeat
	var slow *tooSlowError
	if b.Lasted > 0 && (errors.As(err, &slow) || err == nil && failure == nil) {
		b = b.Sum()
		b.Took = nil // summed up: it would be much in the end
		t.blocks = append(t.blocks, b)
	}
	return failure, err
}

// unfit leaves out the remedy with which the backup fails. If it fails without
// any, there is nothing to try.
func (t *trial) unfit(arm string, failure error) error {
	i := slices.IndexFunc(t.remedies, func(r experiment.Remedy) bool { return r.ID == arm })
	if i < 0 {
		return failure
	}
	t.Say("  left out: %s: %v", arm, failure)
	t.leaveOut(t.remedies[i], failure.Error())
	return nil
}

// measure runs the backup and measures the site beside it. failure is how the
// backup failed; err is what ends the experiment.
func (t *trial) measure(ctx context.Context, arm string) (b experiment.Block, failure, err error) {
	before := t.gauge.read()
	from := before.at
	var j *job
	if arm != experiment.Baseline {
		if j, failure = startJob(t.wrapped(arm)); failure != nil {
			return b, failure, nil
		}
		defer func() { err = errors.Join(err, j.stop()) }()
		if failed := t.stage.Adopt(j.pid()); failed != nil && !j.ended() {
			return b, nil, failed
		}
	}
	err = t.during(ctx, arm, j)
	b = experiment.Block{Arm: arm, At: from.Sub(t.began)}
	until := time.Now()
	if j != nil {
		b.Backup = j.work()
		if b.Backup.Ended {
			failure = j.failure()
			ended := from.Add(time.Duration(b.Backup.Seconds * float64(time.Second)))
			until = later(ended, earlier(until, from.Add(shortest)))
		}
	}
	b.Lasted = until.Sub(from)
	b.Took, b.Failed = t.load.Took(from, until)
	if err != nil {
		t.leave() // to end the backup may take a while
	}
	b.Signals = before.until(t.gauge.read())
	if len(b.Took) == 0 {
		b.Lasted = 0 // nobody came: there is nothing to tell
		if err == nil {
			err = fmt.Errorf("no request was planned in a block of %v: raise --rate or --block", t.Block)
		}
	}
	return b, failure, err
}

// during waits until the block is over: after its time, or when the backup ended.
func (t *trial) during(ctx context.Context, arm string, j *job) error {
	end := time.Now().Add(t.Block)
	least := time.Now().Add(shortest)
	for now := time.Now(); now.Before(end); now = time.Now() {
		if j != nil && now.After(least) && j.ended() {
			return nil
		}
		if err := wait.Sleep(ctx, min(looking, time.Until(end))); err != nil {
			return err
		}
		if err := t.look(time.Now(), fmt.Sprintf("in the block %q", experiment.Label(arm))); err != nil {
			return err
		}
	}
	return nil
}

// prepared runs a command of the user's, if there is one.
func (t *trial) prepared(ctx context.Context, line string) error {
	if line == "" {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	err := runCommand(limited, line)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && limited.Err() != nil:
		return fmt.Errorf("%s takes longer than %v", line, commandTime)
	}
	return err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
