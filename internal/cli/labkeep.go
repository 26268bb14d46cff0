package cli

import (
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

// keeper keeps recordings in a directory, for others to replay.
func keeper(dir string) (func(lab.Run, lab.Files) error, error) {
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
		journals := []string{files.Journal}
		if older := journal.Rotated(files.Journal); exists(older) {
			journals = []string{older, files.Journal}
		}
		_, err := evaluate.Keep(dir, evaluate.Recording{
			Scenario: r.Scenario,
			Seed:     r.Seed,
			Truth: evaluate.Truth{
				Cause: r.Truth.Cause, Workload: r.Truth.Suspect, Resource: r.Truth.Resource, Onset: float64(r.Onset),
				Service: r.Service, Accomplices: r.Truth.Accomplices, Innocent: r.Truth.Innocent,
			},
			Packing:  journal.Packing{Root: int64(os.Getpid()), Folder: files.Dir, Replace: []string{filepath.Dir(self), installed}},
			Journals: journals,
		}, engine)
		return err
	}, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
