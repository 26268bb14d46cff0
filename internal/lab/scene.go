package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/victim"
	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
)

// scene is all that a run needs on this host: what the site stands on, the site,
// its visitors, and the collector.
type scene struct {
	stage *stage.Stage
	plan  scenario.Plan
	fail  context.CancelCauseFunc // ends the run

	cpus   child.CPUs
	tried  bool         // remedies are tried on it: there is no collector
	group  *stage.Group // bounds the site and the jobs together; nil if nothing does
	bound  *stage.Group // bounds the site's disk
	site   *stage.Group
	server *stage.Group // of the database
	jobs   *stage.Group
	net    *stage.Network
	faulty *stage.FaultyDisk
	device string // of the site's disk
	root   string // directory on the site's disk
	inside string // address of the site's host
	world  string // address of whatever is not on the site's host
	ports  []int
	env    []string // of the jobs
	db     *victim.Database
	load   *load.Load
	quick  func() // ends a slow disk

	collector *child.Process
	cleanup   []func() // run in reverse
}

// The ports of a scene.
const (
	sitePort = iota
	upstreamPort
	databasePort
	otlpPort
	findingsPort
	rsyncPort
	webdavPort
	portCount
)

// megabyte is what rates of disks are told in.
const megabyte = 1e6

// file is the path of something that is not on the site's disk.
func (s *scene) file(name string) string { return filepath.Join(s.stage.Dir(), name) }

// on is the path of something on the site's disk.
func (s *scene) on(name string) string { return filepath.Join(s.root, name) }

func (s *scene) addr(host string, port int) string {
	return host + ":" + strconv.Itoa(s.ports[port])
}

func (s *scene) onExit(f func()) { s.cleanup = append(s.cleanup, f) }

// adopt makes sure that a child ends with the stage.
func (s *scene) adopt(c *child.Process) error {
	err := s.stage.Adopt(c.PID())
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil // or it has ended already
	}
	c.Stop()
	return err
}

// close ends everything and undoes the stage.
func (s *scene) close() error {
	for _, undo := range slices.Backward(s.cleanup) {
		undo()
	}
	s.cleanup = nil
	return s.stage.Close()
}

// make makes what the site and the jobs stand on.
func (s *scene) make(ctx context.Context) error {
	for _, part := range []func(context.Context) error{s.makePlaces, s.makeDisk, s.makeNetwork, s.makeGroups, s.makeData, s.makePeers, s.makeDatabase} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// makePlaces decides who runs where.
func (s *scene) makePlaces(ctx context.Context) (err error) {
	if s.cpus, err = child.SplitCPUs(); err != nil {
		return err
	}
	if s.plan.Host.OneCPU {
		if err = child.MoveSelf(s.cpus.Rest); err != nil {
			return err
		}
		s.onExit(func() { _ = child.MoveSelf(s.cpus.All) })
	} else {
		s.cpus.Site, s.cpus.Rest = s.cpus.All, s.cpus.All
	}
	s.inside, s.world = "127.0.0.1", "127.0.0.1"
	s.ports, err = child.FreePorts(ctx, portCount)
	return err
}

func (s *scene) makeDisk(ctx context.Context) error {
	s.root = s.file("site-disk")
	want := s.plan.Host.Disk
	switch {
	case want == nil:
		if err := os.Mkdir(s.root, 0o755); err != nil { //nolint:gosec // the database has a user of its own
			return fmt.Errorf("make the site's directory: %w", err)
		}
	case want.Faulty:
		disk, err := s.stage.FaultyDisk(ctx, stage.DiskSpec{Name: "site", SizeMiB: want.SizeMiB})
		if err != nil {
			return err
		}
		s.faulty, s.root, s.device = disk, disk.Path, disk.Device
	case s.tried && s.slow():
		if err := s.serveDisk(ctx); err != nil {
			return err
		}
	default:
		disk, err := s.stage.Disk(ctx, stage.DiskSpec{Name: "site", SizeMiB: want.SizeMiB})
		if err != nil {
			return err
		}
		s.root, s.device = disk.Path, disk.Backing
	}
	for _, dir := range []string{"www", "data", "out"} {
		if err := os.Mkdir(s.on(dir), 0o777); err != nil { //nolint:gosec // the database has a user of its own
			return fmt.Errorf("make a directory on the site's disk: %w", err)
		}
	}
	return nil
}

func (s *scene) makeNetwork(ctx context.Context) error {
	want := s.plan.Host.Network
	if want == nil {
		return nil
	}
	network, err := s.stage.Network(ctx, stage.NetworkSpec{Mbps: want.Mbps, QueueKiB: want.QueueKiB})
	if err != nil {
		return err
	}
	s.net = network
	s.inside, s.world = network.Inside.String(), network.Outside.String()
	return nil
}

// makeGroups bounds the site and the jobs, where the plan has bounds. The site and
// its database are in groups such as systemd gives to units.
func (s *scene) makeGroups(context.Context) error {
	limits := stage.Limits{MemoryBytes: int64(s.plan.Host.MemoryMiB) << 20}
	if s.slow() && s.bound == nil {
		limits.IO = []stage.IOLimit{s.rate(preparing, preparing)}
	}
	if limits.MemoryBytes == 0 && len(limits.IO) == 0 && stage.Probe().Missing(stage.NeedGroup) != "" { //nolint:contextcheck // as in build
		return nil
	}
	var errs [4]error
	s.group, errs[0] = s.stage.Group("run", limits)
	if errs[0] != nil {
		return errs[0]
	}
	s.bound = cmp.Or(s.bound, s.group)
	s.site, errs[1] = s.group.Child(victim.Service + ".service")
	s.server, errs[2] = s.group.Child("postgresql.service")
	s.jobs, errs[3] = s.group.Child("jobs")
	return errors.Join(errs[:]...)
}

// preparing is the rate of the disk in MB/s until everything is there: none at all.
const preparing = 1e6

// slow is whether the plan bounds the rates of the disk.
func (s *scene) slow() bool {
	d := s.plan.Host.Disk
	return d != nil && !d.Faulty && d.ReadMBps+d.WriteMBps > 0
}

// slowDown gives the disk the plan's rates.
func (s *scene) slowDown() error {
	if !s.slow() {
		return nil
	}
	return s.bound.SetIO(s.rate(s.plan.Host.Disk.ReadMBps, s.plan.Host.Disk.WriteMBps))
}

// rate is a bound on the site's disk.
func (s *scene) rate(readMBps, writeMBps float64) stage.IOLimit {
	return stage.IOLimit{Device: s.device, ReadBPS: int64(readMBps * megabyte), WriteBPS: int64(writeMBps * megabyte)}
}

// in runs things in a group, which may be nil, and in the site's network.
func (s *scene) in(group *stage.Group) func([]string) []string {
	return func(argv []string) []string {
		if s.net != nil {
			argv = s.net.Wrap(argv)
		}
		if group != nil {
			argv = group.Wrap(argv)
		}
		return argv
	}
}

// placeOf finds where a job runs.
func (s *scene) placeOf(job scenario.Job) (cpus unix.CPUSet, wrap func([]string) []string) {
	cpus = s.cpus.Site
	if job.Elsewhere {
		cpus = s.cpus.Rest
	}
	return cpus, s.in(s.jobs)
}

// dataDir is where what the backups save is.
func (s *scene) dataDir() string {
	if s.plan.Data.Elsewhere {
		return s.file("data")
	}
	return s.on("data")
}

// makeData writes the site's files and what the backups save.
func (s *scene) makeData(ctx context.Context) error {
	site, data := s.plan.Site, s.plan.Data
	dir := s.dataDir()
	for where, set := range map[string]victim.DataSet{
		s.on("www"): {Files: site.Files, FileKiB: site.FileKiB, Kind: victim.RandomData, Seed: s.plan.Seed},
		dir:         {Files: data.Files, FileKiB: data.FileKiB, Kind: victim.DataKind(data.Kind), Seed: s.plan.Seed + 1},
	} {
		if set.Files == 0 {
			continue
		}
		if err := set.Write(ctx, where); err != nil {
			return err
		}
	}
	s.env = []string{
		"DATA=" + dir, "OUT=" + s.on("out"), "WWW=" + s.on("www"),
		"PEER_RSYNC=" + s.addr(s.world, rsyncPort), "PEER_WEBDAV=" + s.addr(s.world, webdavPort),
		"RESTIC_PASSWORD=lab",
		"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK=yes",
	}
	return nil
}
