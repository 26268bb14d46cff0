package victim

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/load"
)

const slice = time.Millisecond // of CPU, between chances for other requests

// step is a part of what a request does.
type step func(ctx context.Context, item uint64) error

// siteWork is what a request costs.
type siteWork struct {
	steps    []step
	body     []byte
	troubles *troubles

	cfg    SiteConfig
	rounds int // of the hash in one slice
	slices int // in one request
	pool   *pgxpool.Pool
	items  uint64 // rows of the table item
	client *http.Client

	running sync.WaitGroup
	undo    []func()
}

// newSiteWork prepares the work; what it runs beside ends with ctx.
func newSiteWork(ctx context.Context, cfg SiteConfig, telemetry *siteTelemetry) (_ *siteWork, err error) {
	w := &siteWork{cfg: cfg, troubles: newTroubles(), body: newGenerator(1).text(cfg.BodyKiB << 10)}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if cfg.Files > 0 {
		files := DataSet{Files: cfg.Files, FileKiB: cfg.FileKiB, Kind: TextData, Seed: 1}
		if err = files.Write(ctx, cfg.Dir); err != nil {
			return nil, err
		}
		w.steps = append(w.steps, w.read)
	}
	if cfg.Work > 0 {
		w.slices = int((cfg.Work + slice - 1) / slice)
		if w.rounds, err = calibrate(cfg.Work / time.Duration(w.slices)); err != nil {
			return nil, err
		}
		w.steps = append(w.steps, w.compute)
	}
	if cfg.Query != "" {
		if err = w.connect(ctx); err != nil {
			return nil, err
		}
	}
	if cfg.Upstream != "" {
		w.steps = append(w.steps, w.call)
		w.client = &http.Client{Transport: telemetry.transport(dialling(cfg.UpstreamAddr)), Timeout: load.Patience}
		w.undo = append(w.undo, w.client.CloseIdleConnections)
	}
	if cfg.Orders != "" {
		if err = w.takeOrders(ctx); err != nil {
			return nil, err
		}
	}
	w.running.Go(func() { w.troubles.pause(ctx) })
	return w, nil
}

// close releases everything once ctx has ended.
func (w *siteWork) close() {
	w.running.Wait()
	for _, undo := range w.undo {
		undo()
	}
}

func (w *siteWork) takeOrders(ctx context.Context) error {
	book, err := openOrders(w.cfg.Dir)
	if err != nil {
		return err
	}
	w.undo = append(w.undo, book.close)
	if w.cfg.Orders == ordersEach {
		w.steps = append(w.steps, book.place)
		return nil
	}
	w.steps = append(w.steps, book.note)
	w.running.Go(func() { book.commit(ctx) })
	return nil
}

func (w *siteWork) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	item, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		http.Error(out, "no such item", http.StatusNotFound)
		return
	}
	w.troubles.stand(r.Context())
	for _, next := range w.steps {
		if err := next(r.Context(), item); err != nil {
			http.Error(out, err.Error(), statusOf(err))
			return
		}
		w.troubles.stand(r.Context())
	}
	_, _ = out.Write(w.body) // whoever asked has gone
}

// statusOf is how the site says that a step failed.
func statusOf(err error) int {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return http.StatusServiceUnavailable
	case errors.Is(err, errUpstream):
		return http.StatusBadGateway
	default:
		return http.StatusInternalServerError
	}
}

// read reads a file, from storage unless it may come from the page cache.
func (w *siteWork) read(_ context.Context, item uint64) error {
	f, err := os.Open(filepath.Join(w.cfg.Dir, FileName(int(item%uint64(w.cfg.Files))))) //nolint:gosec // one of the files that newSiteWork made
	if err != nil {
		return fmt.Errorf("open an item: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	if !w.cfg.Cached {
		forget(f)
	}
	if _, err := f.ReadAt(make([]byte, w.cfg.FileKiB<<10), 0); err != nil {
		return fmt.Errorf("read an item: %w", err)
	}
	return nil
}

// compute uses the CPU.
func (w *siteWork) compute(ctx context.Context, _ uint64) error {
	for range w.slices {
		hash(w.rounds)
		// Requests take turns, so that the time a request waits for a CPU lies
		// within its measured duration and not before it.
		runtime.Gosched()
		w.troubles.stand(ctx)
	}
	return nil
}

// calibrate finds how many rounds of the hash cost that much CPU time here. It
// counts CPU time, so that a busy host does not mislead it.
func calibrate(want time.Duration) (int, error) {
	const sample = 100 * time.Millisecond
	before, err := ownCPU()
	if err != nil {
		return 0, err
	}
	for rounds := 0; ; rounds += 100 {
		used, err := ownCPU()
		if err != nil {
			return 0, err
		}
		if used -= before; used >= sample {
			return max(1, int(int64(rounds)*int64(want)/int64(used))), nil
		}
		hash(100)
	}
}

// hash computes for a while.
func hash(rounds int) {
	var block [4096]byte
	for range rounds {
		sum := sha256.Sum256(block[:])
		copy(block[:], sum[:])
	}
	runtime.KeepAlive(&block)
}
