package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/otel-culprit/culprit/internal/evaluate"
	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/internal/lab"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// installed is where recordings say that this program is.
const installed = "/opt/culprit"

// keepers keep what a run left in the directories that are given.
func keepers(recordings, journals string) (func(lab.Run, lab.Files) error, error) {
	var list []func(lab.Run, lab.Files) error
	if journals != "" {
		if err := os.MkdirAll(journals, 0o700); err != nil {
			return nil, fmt.Errorf("--journals: %w", err)
		}
		list = append(list, func(r lab.Run, files lab.Files) error {
			return journal.Pack(filepath.Join(journals, fmt.Sprintf("%s-%d.journal.gz", r.Scenario, r.Seed)), journal.Packing{}, whole(files)...)
		})
	}
	if recordings != "" {
		keep, err := keeper(recordings)
		if err != nil {
			return nil, fmt.Errorf("--keep: %w", err)
		}
		list = append(list, keep)
	}
	return func(r lab.Run, files lab.Files) error {
		var errs []error
		for _, keep := range list {
			errs = append(errs, keep(r, files))
		}
		return errors.Join(errs...)
	}, nil
}

// whole lists the files of a run's journal, oldest first.
func whole(files lab.Files) []string {
	if older := journal.Rotated(files.Journal); exists(older) {
		return []string{older, files.Journal}
	}
	return []string{files.Journal}
}

// keeper keeps recordings in a directory, for others to replay.
func keeper(dir string) (func(lab.Run, lab.Files) error, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // recordings are for all to read
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	with, err := newSetup("")
	if err != nil {
		return nil, err
	}
	engine := func() *rootcause.Engine { return rootcause.New(with.params, with.catalog) }
	return func(r lab.Run, files lab.Files) error {
		_, err := evaluate.Keep(dir, evaluate.Recording{
			Scenario: r.Scenario,
			Seed:     r.Seed,
			Truth: evaluate.Truth{
				Cause: r.Truth.Cause, Workload: r.Truth.Suspect, Resource: r.Truth.Resource, Onset: float64(r.Onset),
				Service: r.Service, Accomplices: r.Truth.Accomplices, Innocent: r.Truth.Innocent,
			},
			Packing:  journal.Packing{Root: int64(os.Getpid()), Folder: files.Dir, Replace: []string{filepath.Dir(self), installed}},
			Journals: whole(files),
		}, engine)
		return err
	}, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
