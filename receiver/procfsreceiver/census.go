package procfsreceiver

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/procscan"
	"github.com/otel-culprit/culprit/internal/sockets"
	"github.com/otel-culprit/culprit/internal/workload"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// census is who lives on the host and what they used, as of the last scan.
type census struct {
	cfg       *Config
	source    source
	name      metadata.AttributeSource
	sockets   *sockets.Table // nil if there is none
	bytes     bool           // the table is asked for bytes
	book      *workload.Book
	selection *workload.Selection
	watch     *watch
	relations relations

	snap  process.Snapshot
	began time.Time // of the ledger

	// What is to be told.
	workloads []series
	processes []told
	related   []relation
	summed    int // workloads or processes that are in other

	// Reused by each scan.
	candidates []workload.Candidate
	owners     []told // of the candidates that are processes
	all        []workload.Series
	kept       map[*workload.Workload]bool
	lent       map[int64]int64
}

// series is a workload that is told one by one, or the sum of the others, which
// has no workload.
type series struct {
	workload.Series
	of *workload.Workload
}

// told is a process that is told one by one.
type told struct {
	*process.Process
	key       workload.Key // of its workload
	counted   bool         // it has series of its own, and is not only described
	totals    workload.Totals
	since     time.Time // when the totals began
	diskSince time.Time // and those of the disk
}

func openCensus(cfg *Config, root hostRoot, log *zap.Logger) (*census, error) {
	known, err := files.Default()
	if err != nil {
		return nil, err
	}
	if err = errors.Join(root.knows("keep", cfg.Keep), root.knows("include", cfg.Include), root.knows("exclude", cfg.Exclude)); err != nil {
		return nil, err
	}
	c := &census{
		cfg: cfg,
		book: workload.New(workload.Options{
			TimerOf: root.timerOf,
			Filter:  workload.Filter{Include: root.patterns(cfg.Include), Exclude: root.patterns(cfg.Exclude)},
		}),
		selection: workload.NewSelection(workload.Limits{Series: cfg.Limit, Top: cfg.Top}),
		watch:     newWatch(known, newSelection(cfg.Keep, root)),
		kept:      map[*workload.Workload]bool{},
		lent:      map[int64]int64{},
	}
	if c.source, c.name, err = openSource(cfg, root, log); err != nil {
		return nil, err
	}
	c.bytes = cfg.Network && c.name == metadata.AttributeSourceProcfs
	if c.sockets, err = sockets.Open(sockets.Options{Proc: root.proc()}); err != nil {
		c.sockets = nil
		log.Warn("Sockets cannot be listed on this host",
			zap.Strings("metrics", c.ofSockets()),
			zap.String("cure", "allow netlink sockets (NETLINK_SOCK_DIAG) in the sandbox, and load the modules tcp_diag and unix_diag"), zap.Error(err))
	}
	c.relations.peers = c.peers
	return c, nil
}

// ofSockets are the metrics that the table of sockets makes.
func (c *census) ofSockets() []string {
	if c.bytes {
		return []string{"process.network.io", "rootcause.workload.network.io", "rootcause.backend"}
	}
	return []string{"rootcause.backend"}
}

func (c *census) close() error {
	var errs []error
	if c.sockets != nil {
		errs = append(errs, c.sockets.Close())
	}
	return errors.Join(append(errs, c.source.Close())...)
}

// scan reads all processes.
func (c *census) scan() error {
	snap, err := c.source.Scan()
	if err != nil {
		return err
	}
	c.snap = snap
	return nil
}

// network reads what went over the sockets, if the source does not know.
func (c *census) network() error {
	if !c.bytes || c.sockets == nil {
		return nil
	}
	if _, err := c.sockets.Update(c.snap.Processes); err != nil {
		return fmt.Errorf("list the sockets: %w", err)
	}
	return nil
}

// account enters the scan into the book and picks what is to be told. It took
// place at a time by the clock by which processes start, and is told to have been
// at another by the host's: what is new began when the scan before was told to be.
func (c *census) account(at, told time.Time) {
	if c.began.IsZero() {
		c.began = at
	}
	c.watch.look(c.snap.Processes)
	c.related = c.relations.of(at, c.watch, c.snap.Processes)
	c.lend()
	c.book.Post(c.snap, at)
	c.pick(told)
}

// lend puts database backends into the workloads of the dumps that they work for.
func (c *census) lend() {
	clear(c.lent)
	for _, f := range c.related {
		if !f.shared {
			c.lent[f.server.PID] = f.client.PID
		}
	}
	c.book.Lend(c.lent)
}

// passed is the bytes of all processes; ok is false if none are known.
func (c *census) passed() (all traffic, ok bool) {
	if !c.cfg.Network || (c.bytes && c.sockets == nil) {
		return traffic{}, false
	}
	sum := c.book.Passed()
	return traffic{sum.Received, sum.Transmitted}, true
}

// pick chooses what has series of its own.
func (c *census) pick(at time.Time) {
	c.workloads, c.processes, c.candidates, c.summed = c.workloads[:0], c.processes[:0], c.candidates[:0], 0
	if c.cfg.Aggregation == AggregationProcess {
		c.pickProcesses(at)
	} else {
		c.pickWorkloads(at)
	}
}

func (c *census) pickWorkloads(at time.Time) {
	c.describeImportant()
	all := c.book.Workloads()
	c.candidates = workload.Candidates(c.candidates, all, func(w *workload.Workload) bool { return c.kept[w] })
	for _, s := range c.choose(at) {
		if s.Index == workload.Others {
			c.workloads = append(c.workloads, series{Series: s})
			continue
		}
		w := all[s.Index]
		if c.cfg.Limit == 0 {
			s.Since = w.Since
		}
		c.workloads = append(c.workloads, series{s, w})
		if p := c.watch.alive(w.Leader.PID, w.Leader.Start); p != nil {
			c.describe(p, w) // it stands for the workload
		}
	}
}

// describeImportant describes the processes that matter and keeps their workloads,
// backups first, because there is room for so many only.
func (c *census) describeImportant() {
	clear(c.kept)
	for _, backups := range [2]bool{true, false} {
		for _, p := range c.watch.important {
			w := c.book.Of(p.PID)
			if w == nil || c.watch.isBackup(p) != backups {
				continue
			}
			// Servers that fork hand their socket on: one of a workload will do.
			if !c.kept[w] || backups || c.watch.isKept(p) {
				c.describe(p, w)
			}
			c.kept[w] = true
		}
	}
}

// describe lets a process be described, once, if there is room.
func (c *census) describe(p *process.Process, w *workload.Workload) {
	if c.cfg.Limit > 0 && len(c.processes) >= c.cfg.Limit {
		return
	}
	if c.watch.tell(p) {
		c.processes = append(c.processes, told{Process: p, key: w.Key})
	}
}

// pickProcesses does the same with processes in place of workloads.
func (c *census) pickProcesses(at time.Time) {
	c.owners = c.owners[:0]
	for _, p := range c.snap.Processes {
		w := c.book.Of(p.PID)
		totals, ok := c.book.Process(p.PID)
		if w == nil || !ok {
			continue // left out by the configuration
		}
		c.owners = append(c.owners, told{Process: p, key: w.Key})
		c.candidates = append(c.candidates, workload.Candidate{
			Totals: totals, Resident: p.Resident, Processes: 1, Threads: p.Threads, Known: p.Known, Keep: c.watch.matters(p),
		})
	}
	for _, s := range c.choose(at) {
		if s.Index == workload.Others {
			c.workloads = append(c.workloads, series{Series: s})
			continue
		}
		t := c.owners[s.Index]
		t.counted, t.totals, t.since, t.diskSince = true, s.Totals, s.Since, s.Since
		if c.cfg.Limit == 0 {
			t.totals, t.since, t.diskSince = sinceStart(t.Process, s.Totals), t.Start, later(t.Start, c.began)
		}
		c.processes = append(c.processes, t)
	}
}

// choose gives the candidates that have series of their own, and the sum of the
// others. Without a limit all have one.
func (c *census) choose(at time.Time) []workload.Series {
	if c.cfg.Limit > 0 {
		chosen := c.selection.Select(c.candidates, at)
		c.summed = len(c.candidates) - len(chosen)
		if n := len(chosen); n > 0 && chosen[n-1].Index == workload.Others {
			c.summed++
		}
		return chosen
	}
	c.all = c.all[:0]
	for i, k := range c.candidates {
		c.all = append(c.all, workload.Series{
			Index: i, Totals: *k.Totals, Since: c.began, Resident: k.Resident, Processes: k.Processes, Threads: k.Threads,
			Known: k.Known, Partial: k.Partial,
		})
	}
	return c.all
}

// sinceStart has the counters of the kernel since the start of a process, but
// those of the disk, in which the kernel counts children again.
func sinceStart(p *process.Process, ledger workload.Totals) workload.Totals {
	return workload.Totals{
		UserTime: p.UserTime, SystemTime: p.SystemTime,
		ReadBytes: ledger.ReadBytes, WriteBytes: ledger.WriteBytes,
		TCP: p.Network.TCP, UDP: p.Network.UDP, Retransmits: p.Network.Retransmits, Flight: p.Network.Flight,
		RunDelay: p.RunDelay, BlockDelay: p.BlockDelay, SwapDelay: p.SwapDelay, ThrashingDelay: p.ThrashingDelay,
		MinorFaults: p.MinorFaults, MajorFaults: p.MajorFaults,
		VoluntarySwitches: p.VoluntarySwitches, InvoluntarySwitches: p.InvoluntarySwitches,
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// peers asks which servers talk to which clients.
func (c *census) peers(clients, servers []*process.Process) []relation {
	if c.sockets == nil {
		return nil
	}
	// What cannot be asked is not known: the dump is then told without it.
	found, _ := c.sockets.Peers(clients, servers)
	relations := make([]relation, 0, len(found))
	for _, f := range found {
		// A PostgreSQL backend is a process for one client; a server with threads has
		// all its clients in one process.
		relations = append(relations, relation{server: f.Server, client: f.Client, shared: f.Server.Threads > 1})
	}
	return relations
}

// missing is what cannot be seen of some processes now, and why.
func (c *census) missing() []missing {
	snap, err := c.source.Scan()
	if err != nil {
		return nil // each scrape will say so
	}
	v := view{snap: snap, source: c.name, blockDelays: c.source.BlockDelays(), may: ownPrivileges()}
	if p, ok := c.source.(*procscan.Scanner); ok {
		v.hidden = p.Hidden()
	}
	if c.bytes && c.sockets != nil {
		if report, err := c.sockets.Update(snap.Processes); err == nil {
			v.sockets = report.Refused
		}
	}
	return v.gaps()
}
