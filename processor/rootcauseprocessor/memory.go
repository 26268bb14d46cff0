package rootcauseprocessor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/internal/fact"
)

// memoryKey is under what the storage keeps what the engine learned.
const memoryKey = "memory"

// rememberEvery is how much of what was learned a crash may cost.
const rememberEvery = time.Minute

// keeper writes what the engine learned into a storage. It has a goroutine of its
// own, because a disk that is busy with a backup must not keep the engine waiting.
type keeper struct {
	id       component.ID // of the storage
	client   storage.Client
	counters *counters
	log      *zap.Logger

	found   []byte      // what an earlier run had left
	written []byte      // what is in the storage, or not worth being written
	waiting chan []byte // the newest
	cancel  context.CancelFunc
	done    chan struct{} // nil until the keeper runs

	failing    bool
	complained time.Time
	pause      time.Duration // until the next complaint
}

// openKeeper opens a storage and reads what is in it. Errors name the key of the
// configuration.
func openKeeper(ctx context.Context, rt *runtime, host component.Host) (*keeper, error) {
	id := *rt.cfg.StorageID
	extension, ok := host.GetExtensions()[id]
	if !ok {
		return nil, fmt.Errorf("storage: there is no extension %q: add it to extensions and to service::extensions, or leave out storage", id)
	}
	opener, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage: extension %q is no storage: use one such as file_storage", id)
	}
	client, err := opener.GetClient(ctx, component.KindProcessor, rt.id, "")
	if err != nil {
		return nil, fmt.Errorf("storage: open %q: %w; another collector may hold it: give each a directory of its own that it can write to", id, err)
	}
	found, err := client.Get(ctx, memoryKey)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage: read %q of %q: %w", memoryKey, id, err), client.Close(ctx))
	}
	return &keeper{
		id: id, client: client, counters: &rt.counters, log: rt.log,
		found: found, waiting: make(chan []byte, 1),
	}, nil
}

// start takes what the engine knows without having learned anything in this run:
// that is not written, so that what could not be read is kept as long as it may
// be of use.
func (k *keeper) start(known []byte) {
	ctx, cancel := context.WithCancel(context.Background())
	k.written, k.cancel, k.done = known, cancel, make(chan struct{})
	go k.run(ctx)
}

// offer never blocks: what still waits is older, and is forgotten.
func (k *keeper) offer(state []byte) {
	select {
	case <-k.waiting:
	default:
	}
	k.waiting <- state
}

func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	for state := range k.waiting {
		if bytes.Equal(state, k.written) {
			continue
		}
		err := k.client.Set(ctx, memoryKey, state)
		if err == nil {
			k.written = state
		}
		k.report(ctx, err)
	}
}

// maxPause is how long nothing is said of a storage that fails.
const maxPause = time.Hour

// report counts a failure, and tells of it ever more seldom.
func (k *keeper) report(ctx context.Context, err error) {
	if err == nil {
		if k.failing {
			k.log.Info("What was learned is written again", zap.Stringer("storage", k.id))
		}
		k.failing = false
		return
	}
	k.counters.tel.RootcauseMemoryFailures.Add(ctx, 1)
	now := time.Now()
	switch {
	case !k.failing:
		k.failing, k.pause = true, rememberEvery
	case now.Sub(k.complained) < k.pause:
		return
	default:
		k.pause = min(2*k.pause, maxPause)
	}
	k.complained = now
	k.log.Error("What was learned could not be written; a restart would forget it",
		zap.Stringer("storage", k.id), zap.String("key", memoryKey), zap.Error(err))
}

// stop writes what waits and closes the storage. A disk that hangs is left alone
// when the time is up. Without a storage there is nothing to do. Nothing may be offered any more.
func (k *keeper) stop(ctx context.Context) error {
	switch {
	case k == nil:
		return nil
	case k.done == nil:
		return k.client.Close(ctx)
	}
	close(k.waiting)
	limited, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	defer k.cancel()
	select {
	case <-k.done:
	case <-limited.Done():
		return errors.New("storage: the disk did not take what was learned within " + shutdownGrace.String())
	}
	if err := k.client.Close(ctx); err != nil {
		return fmt.Errorf("storage: close %q: %w", k.id, err)
	}
	if k.failing {
		return fmt.Errorf("storage: %q did not take what was learned last", k.id)
	}
	return nil
}

// recall tells the engine what an earlier run had learned, or that there is
// nothing: a journal must know where a run begins.
func (rt *runtime) recall(ctx context.Context, now time.Time) {
	rt.remembered = now
	if rt.keeper != nil && len(rt.keeper.found) > 0 {
		found := fact.Recalled{At: now, State: rt.keeper.found}
		_, err := rt.engine.Step(found)
		if err == nil {
			rt.log.Info("What an earlier run had learned is known again", zap.Stringer("storage", rt.keeper.id), zap.Int("bytes", len(found.State)))
			rt.counters.fact(found, nil)
			rt.record(ctx, found, carried{found})
			rt.keep() //nolint:contextcheck // it outlives the context of the engine
			return
		}
		rt.log.Warn("What an earlier run had learned cannot be used, so all is learned anew and will be written over it. "+
			"To keep it, stop the collector and start the program that wrote it; else there is nothing to do",
			zap.Stringer("storage", rt.keeper.id), zap.String("key", memoryKey), zap.Error(err))
	}
	if nothing, err := rt.engine.Remember(); err == nil && rt.recorder != nil {
		begin := fact.Recalled{At: now, State: nothing}
		if _, err := rt.engine.Step(begin); err == nil {
			rt.record(ctx, begin)
		}
	}
	rt.keep() //nolint:contextcheck // it outlives the context of the engine
}

// keep begins to write down what the engine learns from here on.
func (rt *runtime) keep() {
	if rt.keeper == nil {
		return
	}
	known, err := rt.engine.Remember()
	if err != nil {
		rt.log.Error("What was learned cannot be told", zap.Error(err))
	}
	rt.keeper.start(known)
}

// remember hands on what the engine has learned, from time to time and at the end.
func (rt *runtime) remember(ctx context.Context, now time.Time) {
	if rt.keeper == nil && rt.recorder == nil {
		return
	}
	rt.remembered = now
	state, err := rt.engine.Remember()
	if err != nil {
		rt.log.Error("What was learned cannot be told", zap.Error(err))
		return
	}
	if rt.keeper != nil {
		rt.keeper.offer(state)
	}
	rt.record(ctx, carried{fact.Recalled{At: now, State: state}})
}
