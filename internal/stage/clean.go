package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// young is a run that may not have written its owner down yet.
const young = time.Minute

// Report says in words what [Clean] did.
type Report struct {
	Undone []string // what was there and is no more
	InUse  []string // runs left alone, since their owners live
}

// Clean undoes what runs below base left behind that were killed. An empty base
// is [DefaultBase]. It goes on after a failure, and tells every one.
func Clean(ctx context.Context, base string) (Report, error) {
	if base == "" {
		base = DefaultBase()
	}
	var report Report
	base, err := filepath.EvalSymlinks(base)
	if errors.Is(err, fs.ErrNotExist) {
		return report, nil
	}
	if err != nil {
		return report, fmt.Errorf("find the directory of the lab: %w", err)
	}
	if base, err = filepath.Abs(base); err != nil {
		return report, fmt.Errorf("find the directory of the lab: %w", err)
	}
	if err := checkOurs(base); err != nil {
		return report, err
	}
	runs, err := os.ReadDir(base)
	if err != nil {
		return report, fmt.Errorf("list the runs: %w", err)
	}
	var failed []error
	for _, run := range runs {
		if !run.IsDir() || !nameRule.MatchString(run.Name()) {
			continue // not made by New
		}
		if err := report.clean(ctx, filepath.Join(base, run.Name())); err != nil {
			failed = append(failed, fmt.Errorf("clean up run %s: %w", run.Name(), err))
		}
	}
	return report, errors.Join(failed...)
}

// clean undoes one run.
func (r *Report) clean(ctx context.Context, dir string) error {
	if err := checkOurs(dir); err != nil {
		return err
	}
	things, broken := readLedger(dir)
	user, err := userOf(dir, things)
	if err != nil {
		return err
	}
	if user != "" {
		r.InUse = append(r.InUse, fmt.Sprintf("run %s is in use by %s", filepath.Base(dir), user))
		return nil
	}
	undone, left, err := undoAll(ctx, things)
	for _, what := range undone {
		r.Undone = append(r.Undone, filepath.Base(dir)+": "+what)
	}
	if err := errors.Join(broken, err); err != nil || len(left) > 0 {
		return err
	}
	if err := removeRun(dir); err != nil {
		return err
	}
	r.Undone = append(r.Undone, fmt.Sprintf("%s: removed %s", filepath.Base(dir), dir))
	return nil
}

// userOf says who still uses a run; empty if nobody does. A run without owner
// has made nothing, but may be just beginning.
func userOf(dir string, things []thing) (string, error) {
	for _, t := range things {
		o, ok := t.(owner)
		if !ok {
			continue
		}
		if o.alive() {
			return o.String(), nil
		}
		return "", nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if time.Since(info.ModTime()) < young {
		return "a process that has just begun", nil
	}
	return "", nil
}
