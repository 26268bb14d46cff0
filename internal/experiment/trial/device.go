package trial

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/otel-culprit/culprit/internal/stage"
)

// device is where data lies.
type device struct {
	number    string // MAJ:MIN of the whole disk
	name      string // such as vda
	scheduler string // its own, or that of a disk below it that uses bfq
}

// deviceOf finds the block device below a directory.
func deviceOf(dir string) (device, error) {
	disk, err := stage.WholeDisk(dir)
	if err != nil {
		return device{}, err
	}
	number, err := os.ReadFile(filepath.Join(disk, "dev")) //nolint:gosec // a file of the kernel's
	if err != nil {
		return device{}, fmt.Errorf("read the numbers of a device: %w", err)
	}
	return device{number: strings.TrimSpace(string(number)), name: filepath.Base(disk), scheduler: schedulerOf(disk, 0)}, nil
}

// schedulerOf is the scheduler of a disk. Devices made of others, such as loop
// devices and logical volumes, hand requests on: there one below may be bfq.
func schedulerOf(dir string, depth int) string {
	const deepest = 8
	text, err := os.ReadFile(filepath.Join(dir, "queue/scheduler")) //nolint:gosec // a file of the kernel's
	own := "none"
	if err == nil {
		own = chosen(string(text))
	}
	if own == "bfq" || depth == deepest {
		return own
	}
	for _, below := range belowOf(dir) {
		if schedulerOf(below, depth+1) == "bfq" {
			return "bfq"
		}
	}
	return own
}

// belowOf lists the disks that a device is made of.
func belowOf(dir string) []string {
	var list []string
	slaves, err := os.ReadDir(filepath.Join(dir, "slaves"))
	if err != nil {
		slaves = nil // it has none
	}
	for _, s := range slaves {
		if disk, missing := filepath.EvalSymlinks(filepath.Join(dir, "slaves", s.Name())); missing == nil {
			list = append(list, disk)
		}
	}
	file, err := os.ReadFile(filepath.Join(dir, "loop/backing_file")) //nolint:gosec // a file of the kernel's
	if err != nil {
		return list
	}
	if disk, err := stage.WholeDisk(strings.TrimSpace(string(file))); err == nil {
		list = append(list, disk)
	}
	return list
}

// chosen is the scheduler in brackets, as in "none [mq-deadline] bfq".
func chosen(text string) string {
	_, rest, found := strings.Cut(text, "[")
	name, _, closed := strings.Cut(rest, "]")
	if !found || !closed {
		return strings.TrimSpace(text)
	}
	return name
}
