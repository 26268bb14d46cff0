package lab

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

	"golang.org/x/sys/unix"
)

const (
	siteFiles    = 64
	siteFileSize = 64 << 10
	commitEvery  = 250 * time.Millisecond
	slice        = time.Millisecond // of CPU, between chances for other requests
)

// siteWork is what a request costs.
type siteWork struct {
	files  []string
	rounds int // of the hash in one slice
	slices int // in one request

	orders *os.File
	mu     sync.Mutex
	noted  []byte // not yet durable
}

func newSiteWork(dir string, cpu time.Duration) (*siteWork, error) {
	w := &siteWork{slices: max(1, int(cpu/slice))}
	content := newGenerator(1).bytes(siteFileSize)
	for i := range siteFiles {
		name := filepath.Join(dir, fmt.Sprintf("item-%02d", i))
		if err := writeDurably(name, content); err != nil {
			return nil, err
		}
		w.files = append(w.files, name)
	}
	orders, err := os.OpenFile(filepath.Join(dir, "orders"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // the site is told its directory
	if err != nil {
		return nil, fmt.Errorf("open the site's orders: %w", err)
	}
	w.orders = orders
	if w.rounds, err = calibrate(slice); err != nil {
		return nil, errors.Join(err, orders.Close())
	}
	return w, nil
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
func hash(rounds int) byte {
	var block [4096]byte
	for range rounds {
		sum := sha256.Sum256(block[:])
		copy(block[:], sum[:])
	}
	return block[0]
}

func (w *siteWork) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		http.Error(out, "no such item", http.StatusNotFound)
		return
	}
	content, err := readUncached(w.files[id%uint64(len(w.files))])
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	for range w.slices {
		content[0] ^= hash(w.rounds)
		// Requests take turns, so that the time a request waits for a CPU lies
		// within its measured duration and not before it.
		runtime.Gosched()
	}
	w.mu.Lock()
	w.noted = fmt.Appendf(w.noted, "item %d\n", id)
	w.mu.Unlock()
	_, _ = out.Write(content[:2048]) // whoever asked has gone
}

// commitOrders makes the orders durable, many at a time.
func (w *siteWork) commitOrders(ctx context.Context) {
	ticker := time.NewTicker(commitEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		w.mu.Lock()
		batch := w.noted
		w.noted = nil
		w.mu.Unlock()
		if len(batch) == 0 {
			continue
		}
		if _, err := w.orders.Write(batch); err != nil {
			return // closed, or the disk is full: the site goes on
		}
		if err := w.orders.Sync(); err != nil {
			return
		}
	}
}

func (w *siteWork) close() { _ = w.orders.Close() } // every batch was synced

// readUncached reads a file from storage and not from the page cache, where the
// file system lets it be dropped.
func readUncached(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // one of the files that newSiteWork made
	if err != nil {
		return nil, fmt.Errorf("open an item: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	content := make([]byte, siteFileSize)
	if _, err := f.ReadAt(content, 0); err != nil {
		return nil, fmt.Errorf("read an item: %w", err)
	}
	return content, nil
}

func writeDurably(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // in a directory of the demo
	if err != nil {
		return fmt.Errorf("make a file of the demo: %w", err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write a file of the demo: %w", err)
	}
	return nil
}
