package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// place is the absolute path of a file that can be written there, as far as can
// be seen beforehand: it is better to know before the work is done. flag is the
// one that named it, and what is what is written, such as "the page".
func place(flag, what, output string) (string, error) {
	if output == "" {
		return "", usageError{fmt.Errorf("--%s must name a file for %s", flag, what)}
	}
	where, err := filepath.Abs(output)
	if err != nil {
		return "", fmt.Errorf("%s cannot be written to %s: %w", what, output, err)
	}
	dir := filepath.Dir(where)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("%s cannot be written to %s: there is no directory %s", what, where, dir)
	}
	if info, err := os.Stat(where); err == nil && info.IsDir() {
		return "", fmt.Errorf("%s cannot be written to %s: it is a directory, name a file in it", what, where)
	}
	probe, failed := os.CreateTemp(dir, ".culprit-*")
	if failed != nil {
		return "", fmt.Errorf("%s cannot be written to %s: %w", what, where, because(failed))
	}
	_ = errors.Join(probe.Close(), os.Remove(probe.Name()))
	return where, nil
}

// because is why a file cannot be made, without the name of one that is only made
// on the way.
func because(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

// writeFile writes a file that is whole or not there: it is written beside its
// place and moved there when it is done.
func writeFile(path string, write func(io.Writer) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".culprit-*")
	if err != nil {
		return fmt.Errorf("%s: %w", path, because(err))
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if err = errors.Join(write(tmp), tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
