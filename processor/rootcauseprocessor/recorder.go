package rootcauseprocessor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
)

// recorder writes the journal. It has a goroutine of its own, because a disk
// that is busy with a backup must not keep the engine waiting.
type recorder struct {
	file     *journal.File
	queue    *queue
	counters *counters
	stopping chan struct{}
	done     chan struct{}
	closeErr error
	dropped  int64 // by file, and counted
}

func startRecorder(cfg *JournalConfig, limit int, counters *counters) (*recorder, error) {
	file, err := journal.OpenFile(cfg.Path, cfg.MaxSizeMiB<<20)
	if err != nil {
		return nil, fmt.Errorf("journal.path: %w; its folder must be there, and this user must be able to write to it", err)
	}
	r := &recorder{
		file: file, queue: newQueue(limit), counters: counters,
		stopping: make(chan struct{}), done: make(chan struct{}),
	}
	go r.run(context.Background())
	return r, nil
}

// add records facts.
func (r *recorder) add(ctx context.Context, facts []fact.Fact) {
	r.counters.unwritten(ctx, int64(r.queue.add(facts)))
}

func (r *recorder) run(ctx context.Context) {
	defer close(r.done)
	for stopping := false; !stopping; {
		select {
		case <-r.queue.ready:
		case <-r.stopping:
			stopping = true
		}
		for _, facts := range r.queue.take() {
			for _, f := range facts {
				r.write(f)
			}
		}
		_ = r.file.Flush()
		r.count(ctx)
	}
	r.closeErr = r.file.Close()
	r.count(ctx)
}

// carried is what the engine has learned, for the start of the journal's next file.
type carried struct{ fact.Recalled }

// write puts a fact into the file, which counts those that fail.
func (r *recorder) write(f fact.Fact) {
	if c, ok := f.(carried); ok {
		_ = r.file.Carry(c.Recalled)
		return
	}
	_ = r.file.Write(f)
}

// count tells what the file dropped since the last time.
func (r *recorder) count(ctx context.Context) {
	dropped := r.file.Dropped()
	r.counters.unwritten(ctx, dropped-r.dropped)
	r.dropped = dropped
}

// stop writes what waits and closes the file. A disk that hangs is left alone
// when the time is up. Without a journal there is nothing to do.
func (r *recorder) stop(ctx context.Context) error {
	if r == nil {
		return nil
	}
	close(r.stopping)
	ctx, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	select {
	case <-r.done:
		return r.closeErr
	case <-ctx.Done():
		return errors.New("journal: the disk did not take the last facts within " + shutdownGrace.Round(time.Second).String())
	}
}
