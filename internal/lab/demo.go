package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// DemoOptions say how the demo is run.
type DemoOptions struct {
	// Collector is the path of otelcol-culprit. If it is empty, the program is
	// looked for beside this one and then in the PATH.
	Collector string
	// Config is a configuration for the collector instead of configs/demo.yaml.
	Config string
	// SiteCommand runs [Site] in a process of its own and takes the flags
	// --addr, --dir and --otlp-endpoint. If it is empty, it is this program
	// with the command lab-site.
	SiteCommand []string
	// Journal is where the facts are written; empty for a file that is removed
	// afterwards.
	Journal string
	// HTML is where the report is written, best an absolute path, since a person
	// is told to open it; empty for none.
	HTML string
	// Report makes the report from a journal; nil for none. The truth is what
	// the demo did and when.
	Report func(ctx context.Context, journal, html string, truth []Truth) error
	// Progress receives what a person reads; nil for nothing.
	Progress io.Writer
	// Terminal says that Progress is one, so that a line of it can be
	// refreshed.
	Terminal bool
	// Seed of the load; the same seed gives the same requests at the same times.
	Seed uint64
	// Plan instead of [DefaultPlan]; the zero value for that.
	Plan Plan
}

// Truth is something that the demo did.
type Truth struct {
	Name     string // such as "guilty_backup"
	Text     string
	From, To time.Time
}

const service = "shop"

// demo is one run.
type demo struct {
	opts DemoOptions
	plan Plan
	end  time.Time // when it is broken off
	dir  string
	cpus cpuSplit

	otlp      string // URL of the collector
	site      *child
	collector *child
	inbox     *inbox
	load      *Load
	screen    *screen
	truth     []Truth
	rate      float64 // usual requests per second

	fail    context.CancelCauseFunc
	cleanup []func() // run in reverse

	mu    sync.Mutex
	phase string
	since time.Time
}

// Demo plays two incidents on this machine and compares the verdicts with the
// truth: a backup that slows the site down, and a surge of traffic beside a
// backup that does nothing wrong. It ends everything that it started, also
// when ctx ends early. What it found out until then is returned with the error.
func Demo(ctx context.Context, opts DemoOptions) (DemoResult, error) {
	d := &demo{opts: opts, plan: opts.Plan, inbox: newInbox()}
	if d.plan == (Plan{}) {
		d.plan = DefaultPlan()
	}
	if opts.Progress == nil {
		d.opts.Progress = io.Discard
	}
	d.screen = newScreen(d.opts.Progress, opts.Terminal)

	whole := ctx
	d.end = time.Now().Add(d.plan.Limit)
	ctx, cancel := context.WithDeadlineCause(ctx, d.end, fmt.Errorf("the demo was broken off, because it took longer than %v", d.plan.Limit))
	defer cancel()
	ctx, d.fail = context.WithCancelCause(ctx)
	defer d.fail(nil)
	defer d.clean()

	var result DemoResult
	heavy, err := d.prepare(ctx)
	if err != nil {
		return result, cause(ctx, err)
	}
	for _, play := range []func(context.Context) (Act, error){
		func(ctx context.Context) (Act, error) { return d.guilty(ctx, heavy) },
		d.innocent,
	} {
		act, err := play(ctx)
		if err != nil {
			return result, cause(ctx, err)
		}
		result.Acts = append(result.Acts, act)
	}
	return result, d.finish(whole, result)
}

// cause tells why ctx ended, if that is why err happened.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// onExit notes what must be undone.
func (d *demo) onExit(f func()) { d.cleanup = append(d.cleanup, f) }

// clean undoes everything, the last first. It may be called twice.
func (d *demo) clean() {
	for _, undo := range slices.Backward(d.cleanup) {
		undo()
	}
	d.cleanup = nil
}

// enter begins a phase of the plan.
func (d *demo) enter(phase string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.phase, d.since = phase, time.Now()
}

// backup is a job of the demo's and how a person would write it.
type backup struct {
	argv []string
	line string
}

// prepare builds the stage and learns what is usual. It returns the backup that
// will hurt.
func (d *demo) prepare(ctx context.Context) (heavy backup, err error) {
	d.enter("preparing")
	collector, err := FindCollector(d.opts.Collector)
	if err != nil {
		return heavy, err
	}
	compressor, err := findCompressor()
	if err != nil {
		return heavy, err
	}
	if d.cpus, err = splitCPUs(); err != nil {
		return heavy, err
	}
	if d.dir, err = os.MkdirTemp("", "culprit-demo-"); err != nil {
		return heavy, fmt.Errorf("make a directory for the demo: %w", err)
	}
	d.onExit(func() { _ = os.RemoveAll(d.dir) })
	if err = moveSelf(d.cpus.rest); err != nil {
		return heavy, err
	}
	d.onExit(func() { _ = moveSelf(d.cpus.all) })
	d.screen.printf("The demo works in %s, on the loopback interface, and removes everything when it ends.", d.dir)
	d.screen.printf("The site and the backups share CPU %d; whatever measures runs elsewhere.", d.cpus.siteCPU)
	if d.cpus.shared {
		d.screen.block("There is only one CPU: everything shares it, and the figures are rough.")
	}
	set := dataSet{files: d.plan.DataSet / 4, fileKiB: 4 << 10, kind: textData, seed: 2}
	if err = set.write(ctx, filepath.Join(d.dir, "srv")); err != nil {
		return heavy, err
	}
	heavy.argv, heavy.line, err = heavyBackup(d.dir, compressor)
	if err != nil {
		return heavy, err
	}
	ports, err := freePorts(ctx, 4)
	if err != nil {
		return heavy, err
	}
	if err = d.startSite(ctx, ports[0], ports[1]); err != nil {
		return heavy, err
	}
	if err = d.startCollector(ctx, collector, ports); err != nil {
		return heavy, err
	}
	d.enter("learning what is usual")
	d.mark(ctx, "learn", "The demo begins: nothing is wrong.")
	return heavy, sleep(ctx, d.plan.Learn)
}

// startSite starts the site and the load on it.
func (d *demo) startSite(ctx context.Context, sitePort, otlpPort int) error {
	command := d.opts.SiteCommand
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		// The kernel names a process after the file that it was started from,
		// and "shop" says more in a list of suspects than the name of this program.
		named := filepath.Join(d.dir, service)
		if err := os.Symlink(self, named); err != nil {
			return fmt.Errorf("name the site's program: %w", err)
		}
		command = []string{named, "lab-site"}
	}
	files := filepath.Join(d.dir, "site")
	if err := os.Mkdir(files, 0o700); err != nil {
		return fmt.Errorf("make the site's directory: %w", err)
	}
	addr := "127.0.0.1:" + strconv.Itoa(sitePort)
	d.otlp = "http://127.0.0.1:" + strconv.Itoa(otlpPort)
	var err error
	d.site, err = d.startWatched(ctx, spec{
		name: "the site",
		argv: append(command[:len(command):len(command)], "--addr="+addr, "--dir="+files, "--otlp-endpoint="+d.otlp),
		cpus: d.cpus.site,
		log:  filepath.Join(d.dir, "site.log"),
	})
	if err != nil {
		return err
	}
	if err = await(ctx, 20*time.Second, listening(addr)); err != nil {
		return fmt.Errorf("the site does not come up: %w", err)
	}
	if d.load, err = NewLoad("http://"+addr, d.opts.Seed); err != nil {
		return err
	}
	d.background(ctx, d.load.Run)
	d.background(ctx, d.show)
	return d.findRate(ctx, "http://"+addr)
}

// startCollector starts the collector and listens to it.
func (d *demo) startCollector(ctx context.Context, program string, ports []int) error {
	config := d.opts.Config
	if config == "" {
		var err error
		if config, err = writeConfig(d.dir); err != nil {
			return err
		}
	}
	if d.opts.Journal == "" {
		d.opts.Journal = filepath.Join(d.dir, "journal.jsonl")
	}
	site, otlp, findings, metrics := ports[0], ports[1], ports[2], ports[3]
	stop, err := d.inbox.serve(ctx, "127.0.0.1:"+strconv.Itoa(findings))
	if err != nil {
		return err
	}
	d.onExit(stop)
	d.collector, err = d.startWatched(ctx, spec{
		name: "the collector",
		argv: []string{program, "--config=" + config},
		env: []string{
			"CULPRIT_SITE_PORT=" + strconv.Itoa(site),
			"CULPRIT_OTLP_PORT=" + strconv.Itoa(otlp),
			"CULPRIT_FINDINGS_PORT=" + strconv.Itoa(findings),
			"CULPRIT_METRICS_PORT=" + strconv.Itoa(metrics),
			"CULPRIT_JOURNAL=" + d.opts.Journal,
		},
		cpus: d.cpus.rest,
		log:  filepath.Join(d.dir, "collector.log"),
	})
	if err != nil {
		return err
	}
	if err := await(ctx, 20*time.Second, listening("127.0.0.1:"+strconv.Itoa(otlp))); err != nil {
		return fmt.Errorf("the collector does not come up: %w", err)
	}
	return nil
}

// startWatched starts a child without which the demo cannot go on.
func (d *demo) startWatched(ctx context.Context, s spec) (*child, error) {
	c, err := start(ctx, s)
	if err != nil {
		return nil, err
	}
	watching, unwatch := context.WithCancel(ctx)
	go c.watch(watching, d.fail)
	d.onExit(func() {
		unwatch()
		c.stop()
	})
	return c, nil
}

// background runs f until the stage is cleaned.
func (d *demo) background(ctx context.Context, f func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	d.onExit(func() {
		cancel()
		<-done
	})
}

// findRate finds the load that keeps the site's CPU as busy as planned, and
// begins with it.
func (d *demo) findRate(ctx context.Context, base string) error {
	d.enter("finding the right load")
	d.load.SetRate(ctx, 40)
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	from := time.Now()
	before, err := cpuOf(ctx, base)
	if err != nil {
		return err
	}
	if err = sleep(ctx, d.plan.Warm); err != nil {
		return err
	}
	after, err := cpuOf(ctx, base)
	if err != nil {
		return err
	}
	requests := float64(d.load.Stats(from, time.Now()).Offered)
	if after <= before || requests == 0 {
		return errors.New("the site used no CPU time in the warm-up, so that no load can be planned")
	}
	cost := (after - before) / requests
	d.rate = d.plan.Utilised / cost
	d.load.SetRate(ctx, d.rate)
	d.screen.printf("A request costs %.1f ms of CPU; %.0f requests per second keep the CPU %s busy.", 1000*cost, d.rate, percent(d.plan.Utilised))
	return nil
}

// finish stops the stage and makes the report; ctx is not the stage's.
func (d *demo) finish(ctx context.Context, result DemoResult) error {
	d.enter("writing the report")
	d.screen.block(renderSummary(result))
	d.fail(nil) // from here on children may end
	d.site.stop()
	d.collector.stop() // it flushes its journal
	if err := d.inbox.unreadable(); err != nil {
		return fmt.Errorf("the collector sent findings that cannot be read: %w", err)
	}
	if d.opts.Report == nil || d.opts.HTML == "" {
		return nil
	}
	if err := d.opts.Report(ctx, d.opts.Journal, d.opts.HTML, d.truth); err != nil {
		return fmt.Errorf("make the report: %w", err)
	}
	d.screen.printf("The report is in %s: open it in a browser.", d.opts.HTML)
	return nil
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
