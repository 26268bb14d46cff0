package stage

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// prefix begins the names of all that is not below a run's directory.
const prefix = "culprit-lab-"

// dirVariable is the environment variable that says where runs are kept.
const dirVariable = "CULPRIT_LAB_DIR"

// closeTime bounds Close.
const closeTime = 2 * time.Minute

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,30}$`)

// Options say where a run is kept and what it is called.
type Options struct {
	// Base is the directory of all runs; it should be on a block device. Empty
	// for [DefaultBase].
	Base string
	// ID names the run: small letters, digits and dashes. Empty for a random one.
	ID string
}

// Stage is what one run made on this host.
type Stage struct {
	id        string
	dir       string
	abilities Abilities

	mu     sync.Mutex
	ledger *ledger // nil after Close
	things []thing // what the ledger says
	names  map[string]bool
	faulty []*FaultyDisk
}

// DefaultBase is $CULPRIT_LAB_DIR, or below /var/tmp a directory for each user.
func DefaultBase() string {
	if dir := os.Getenv(dirVariable); dir != "" {
		return dir
	}
	if uid := os.Geteuid(); uid != 0 {
		return "/var/tmp/culprit-lab-" + strconv.Itoa(uid)
	}
	return "/var/tmp/culprit-lab"
}

// New makes the directory of a run and its ledger.
func New(o Options) (*Stage, error) {
	if o.Base == "" {
		o.Base = DefaultBase()
	}
	if o.ID == "" {
		o.ID = randomID()
	}
	if err := checkName("the run", o.ID); err != nil {
		return nil, err
	}
	base, err := makeBase(o.Base)
	if err != nil {
		return nil, err
	}
	s := &Stage{id: o.ID, dir: filepath.Join(base, o.ID), abilities: Probe(), names: map[string]bool{}}
	// Servers of the run may have another user, and must get at their files.
	if err = os.Mkdir(s.dir, 0o755); err != nil { //nolint:gosec // see above
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("there is a run %s in %s already: choose another name, or clean up if it has ended", o.ID, base)
		}
		return nil, fmt.Errorf("make the directory of the run: %w", err)
	}
	if s.ledger, err = newLedger(s.dir); err != nil {
		return nil, errors.Join(err, os.Remove(s.dir))
	}
	self, err := describeProcess(os.Getpid())
	if err == nil {
		err = s.record(owner{self})
	}
	if err == nil && s.abilities.root {
		err = s.share()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// share makes the run's directory a shared mount, so that what is unmounted below
// it goes in copies as well that other mount namespaces have of it, such as those
// of ip netns exec. Such a copy would keep a disk in use.
func (s *Stage) share() error {
	if err := s.record(mount{s.dir}); err != nil {
		return err
	}
	if err := errors.Join(unix.Mount(s.dir, s.dir, "", unix.MS_BIND, ""), unix.Mount("", s.dir, "", unix.MS_SHARED, "")); err != nil {
		return fmt.Errorf("mount the directory of the run: %w", err)
	}
	return nil
}

// Dir is the run's own directory. It is removed with all that is in it.
func (s *Stage) Dir() string { return s.dir }

// Adopt writes a running process down, so that it and the session that it leads
// are killed in the end. Processes that [Group.Wrap] starts need it not.
func (s *Stage) Adopt(pid int) error {
	p, err := describeProcess(pid)
	if err != nil {
		return err
	}
	p.mark()
	return s.record(p)
}

// Close undoes everything, last first, and tells every failure. What failed is
// tried again when it is called again.
func (s *Stage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger == nil {
		return nil
	}
	for _, d := range s.faulty {
		d.end()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_, left, err := undoAll(ctx, s.things)
	if s.things = left; len(left) > 0 {
		return err
	}
	if err = errors.Join(err, removeRun(s.dir)); err != nil {
		return err
	}
	err = s.ledger.file.Close()
	s.ledger = nil
	return err
}

// record writes a thing down that is made next.
func (s *Stage) record(t thing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger == nil {
		return fmt.Errorf("the run %s is closed: nothing more can be made", s.id)
	}
	if err := s.ledger.write(t); err != nil {
		return err
	}
	s.things = append(s.things, t)
	return nil
}

// reserve checks a name of something in the run, and that it is new.
func (s *Stage) reserve(what, name string) error {
	if err := checkName(what, name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := what + " " + name
	if s.names[key] {
		return fmt.Errorf("%s %s exists already in run %s: choose another name", what, name, s.id)
	}
	s.names[key] = true
	return nil
}

// need returns an error for the first of the needs that this host lacks.
func (s *Stage) need(needs ...Need) error {
	for _, need := range needs {
		if missing := s.abilities.Missing(need); missing != "" {
			return errors.New(missing)
		}
	}
	return nil
}

func checkName(what, name string) error {
	if !nameRule.MatchString(name) {
		return fmt.Errorf("the name of %s, %q, must match %s", what, name, nameRule)
	}
	return nil
}

func randomID() string {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// makeBase makes the directory of all runs and returns it without symbolic links,
// as the kernel names it.
func makeBase(base string) (string, error) {
	base, err := filepath.Abs(base)
	if err != nil {
		return "", fmt.Errorf("find the directory of the lab: %w", err)
	}
	if err = os.MkdirAll(base, 0o755); err != nil { //nolint:gosec // servers with another user must get through
		return "", fmt.Errorf("make the directory of the lab: %w: set %s to one that you may write", err, dirVariable)
	}
	if base, err = filepath.EvalSymlinks(base); err != nil {
		return "", fmt.Errorf("find the directory of the lab: %w", err)
	}
	return base, checkOurs(base)
}

// checkOurs refuses directories in which others could have written a ledger.
func checkOurs(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !info.IsDir():
		return fmt.Errorf("%s is no directory: set %s to one", dir, dirVariable)
	case int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, not to you: set %s to a directory of your own", dir, stat.Uid, dirVariable)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may write to %s: chmod go-w it, or set %s to another directory", dir, dirVariable)
	}
	return nil
}

// removeRun removes a run's directory, unless something is still mounted there.
func removeRun(dir string) error {
	points, err := mountPoints()
	if err != nil {
		return err
	}
	if at := slices.IndexFunc(points, func(p string) bool { return strings.HasPrefix(p+"/", dir+"/") }); at >= 0 {
		return fmt.Errorf("remove %s: %s is still mounted: unmount it and clean up again", dir, points[at])
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the directory of the run: %w", err)
	}
	return nil
}
