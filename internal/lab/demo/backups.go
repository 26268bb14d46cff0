package demo

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// compressor is a program that keeps a CPU busy, as nightly backups do.
type compressor struct {
	name   string
	flags  string
	suffix string
	passes int // how often the data set is archived, so that the backup lasts
}

var compressors = []compressor{
	{"xz", "-6 -T1 -c", ".xz", 1},
	{"zstd", "-19 -T1 -q -c", ".zst", 2},
	{"gzip", "-9 -c", ".gz", 8},
}

// findCompressor takes the first that is installed.
func findCompressor() (compressor, error) {
	if _, err := exec.LookPath("tar"); err != nil {
		return compressor{}, errors.New("the demo makes real backups: install tar")
	}
	for _, c := range compressors {
		if _, err := exec.LookPath(c.name); err == nil {
			return c, nil
		}
	}
	return compressor{}, errors.New("the demo compresses a real backup: install xz, zstd or gzip")
}

// heavyBackup writes the script of the backup that hurts and returns the
// command that runs it, and the line that a person would read.
func heavyBackup(dir string, c compressor) (argv []string, line string, err error) {
	line = fmt.Sprintf("tar -C %s -cf - %s | %s %s > %s",
		dir, strings.TrimSpace(strings.Repeat("srv ", c.passes)), c.name, c.flags, filepath.Join(dir, "nightly.tar"+c.suffix))
	script := filepath.Join(dir, "nightly-backup")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"+line+"\n"), 0o700); err != nil { //nolint:gosec // it is a program
		return nil, "", fmt.Errorf("write the backup script: %w", err)
	}
	if unix.Access(script, unix.X_OK) != nil { // mounted noexec
		return []string{"/bin/sh", script}, line, nil
	}
	return []string{script}, line, nil
}

// gentleBackup is a backup that takes a nap after each megabyte, so that it can
// hurt nobody.
func gentleBackup(dir string) []string {
	return []string{
		"tar", "--checkpoint=100", "--checkpoint-action=sleep=1",
		"-C", dir, "-cf", filepath.Join(dir, "gentle.tar"), "srv",
	}
}
