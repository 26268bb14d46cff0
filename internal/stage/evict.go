package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Evict drops files, and all files of trees, from the page cache, so that they
// are read from the device again. What is dirty is written first. Pages that a
// process has mapped stay. It returns early, with the reason, when ctx ends.
func Evict(ctx context.Context, paths ...string) error {
	for _, root := range paths {
		if err := syncFileSystem(ctx, root); err != nil {
			return err
		}
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err == nil && entry.Type().IsRegular() {
				err = evictFile(path)
			}
			if errors.Is(err, fs.ErrNotExist) && path != root {
				return nil // removed meanwhile
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("drop %s from the page cache: %w", root, err)
		}
	}
	return nil
}

// syncFileSystem does not wait longer than ctx lets it; the kernel cannot be
// told to stop writing, and goes on.
func syncFileSystem(ctx context.Context, path string) error {
	at, err := os.Open(path) //nolint:gosec // the caller's own tree
	if err != nil {
		return fmt.Errorf("drop %s from the page cache: %w", path, err)
	}
	written := make(chan error, 1)
	go func() {
		written <- unix.Syncfs(int(at.Fd()))
		_ = at.Close()
	}()
	select {
	case err = <-written:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("write what is dirty at %s: %w", path, err)
	}
	return nil
}

func evictFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0) //nolint:gosec // the caller's own tree
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
}
