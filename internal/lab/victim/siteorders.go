package victim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/wait"
)

const (
	commitEvery = 250 * time.Millisecond
	orderSize   = 512 // bytes
	// hopeForSpace is how long an order waits on a full file system.
	hopeForSpace = 2 * time.Second
)

// orders is the site's book of orders.
type orders struct {
	file  *os.File
	mu    sync.Mutex
	noted []byte // not yet durable
}

func openOrders(dir string) (*orders, error) {
	file, err := os.OpenFile(filepath.Join(dir, "orders"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // the site is told its directory
	if err != nil {
		return nil, fmt.Errorf("open the site's orders: %w", err)
	}
	return &orders{file: file}, nil
}

// order is a line of the book.
func order(item uint64) []byte {
	line := fmt.Appendf(make([]byte, 0, orderSize), "item %d ", item)
	line = append(line, bytes.Repeat([]byte{'.'}, orderSize-1-len(line))...)
	return append(line, '\n')
}

// note leaves an order to commit.
func (o *orders) note(_ context.Context, item uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.noted = append(o.noted, order(item)...)
	return nil
}

// place makes an order durable. On a full file system it tries again for a
// while, as applications do.
func (o *orders) place(ctx context.Context, item uint64) error {
	line := order(item)
	giveUp := time.Now().Add(hopeForSpace)
	for pause := 20 * time.Millisecond; ; pause *= 2 {
		n, err := o.write(line)
		if err == nil {
			return nil
		}
		line = line[n:]
		if !errors.Is(err, unix.ENOSPC) || time.Now().Add(pause).After(giveUp) {
			return fmt.Errorf("place an order: %w", err)
		}
		if err := wait.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// commit makes the noted orders durable, many at a time. Those that find no
// space stay noted.
func (o *orders) commit(ctx context.Context) {
	for wait.Sleep(ctx, commitEvery) == nil {
		o.mu.Lock()
		batch := o.noted
		o.noted = nil
		o.mu.Unlock()
		if len(batch) == 0 {
			continue
		}
		if n, err := o.write(batch); err != nil {
			o.mu.Lock()
			o.noted = append(batch[n:], o.noted...)
			o.mu.Unlock()
		}
	}
}

// write appends durably; n bytes were appended at least.
func (o *orders) write(lines []byte) (n int, err error) {
	n, err = o.file.Write(lines)
	if err != nil {
		return n, err
	}
	return n, o.file.Sync()
}

func (o *orders) close() { _ = o.file.Close() } // what was promised was synced
