package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// FaultyDisk is a disk that can hang or be slow. Its Backing is empty:
// below it is a program, not a device.
//
//	ext4 -> loop device -> nbdfuse (a file) -> nbdkit (pauses) -> file
type FaultyDisk struct {
	Disk
	server diskServer

	mu    sync.Mutex
	ended bool
}

// FaultyDisk makes a disk as [Stage.Disk] does, behind programs that can hold up
// its requests.
func (s *Stage) FaultyDisk(ctx context.Context, spec DiskSpec) (*FaultyDisk, error) {
	if err := s.need(NeedFaultyDisk); err != nil {
		return nil, err
	}
	image, err := s.makeImage(ctx, spec)
	if err != nil {
		return nil, err
	}
	d, err := s.serveImage(ctx, spec, image)
	if err != nil {
		return nil, fmt.Errorf("make faulty disk %s: %w", spec.Name, err)
	}
	return d, nil
}

// server is the command of the program behind a faulty disk. Within a group it keeps
// nothing in memory, so that all that is read comes from the device below.
func (spec DiskSpec) server(argv []string) []string {
	if spec.Within == nil {
		return argv
	}
	return spec.Within.Wrap(append(argv, "cache=none", "fadvise=random"))
}

func (s *Stage) serveImage(ctx context.Context, spec DiskSpec, image string) (*FaultyDisk, error) {
	at := filepath.Join(s.dir, spec.Name)
	server := diskServer{Socket: at + ".nbd", Control: at + ".control"}
	if len(server.Control) > longestSocket {
		return nil, fmt.Errorf("the path %s is too long for a socket: set %s to a shorter one", server.Control, dirVariable)
	}
	if err := s.record(server); err != nil {
		return nil, err
	}
	if err := startServer(ctx, at+".nbdkit.log", exists(server.Socket), spec.server(server.argv(image))); err != nil {
		return nil, err
	}
	files := at + ".fuse"
	if err := os.Mkdir(files, 0o700); err != nil {
		return nil, err
	}
	if err := s.record(mount{files}); err != nil {
		return nil, err
	}
	file := filepath.Join(files, "image")
	if err := startServer(ctx, at+".nbdfuse.log", exists(file), []string{"nbdfuse", file, "--unix", server.Socket}); err != nil {
		return nil, err
	}
	disk, err := s.mountImage(ctx, spec.Name, file)
	if err != nil {
		return nil, err
	}
	d := &FaultyDisk{Disk: *disk, server: server}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faulty = append(s.faulty, d)
	return d, nil
}

// Pause lets the requests under way end and holds up all others, until Resume.
func (d *FaultyDisk) Pause() error { return d.command('p') }

// Resume ends a pause.
func (d *FaultyDisk) Resume() error { return d.command('r') }

// Slow pauses and runs in turn until ctx ends, and leaves the disk running.
// 120 and 40 ms make a disk that takes some 50 ms a request at little load.
func (d *FaultyDisk) Slow(ctx context.Context, pause, run time.Duration) error {
	for ctx.Err() == nil {
		if err := d.Pause(); err != nil { //nolint:contextcheck // what was begun is ended, also when ctx ends
			return err
		}
		rest(ctx, pause)
		if err := d.Resume(); err != nil { //nolint:contextcheck // as above
			return err
		}
		rest(ctx, run)
	}
	return nil
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

var errClosed = errors.New("the run of this disk is closed")

func (d *FaultyDisk) command(c byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return errClosed
	}
	ctx, cancel := context.WithTimeout(context.Background(), controlTime)
	defer cancel()
	return d.server.tell(ctx, c)
}

// end makes sure that the disk is not paused after it was resumed for good.
func (d *FaultyDisk) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
}
