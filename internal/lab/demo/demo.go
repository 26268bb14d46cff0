package demo

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

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/output"
	"github.com/otel-culprit/culprit/internal/lab/victim"
	"github.com/otel-culprit/culprit/internal/lab/wait"
)

// Options say how the demo is run.
type Options struct {
	// Collector is the path of otelcol-culprit. If it is empty, the program is
	// looked for beside this one and then in the PATH.
	Collector string
	// Config is a configuration for the collector instead of configs/demo.yaml.
	Config string
	// SiteCommand runs [victim.Site] in a process of its own and takes the flags
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

// demo is one run.
type demo struct {
	opts Options
	plan Plan
	end  time.Time // when it is broken off
	dir  string
	cpus child.CPUs

	otlp      string // URL of the collector
	site      *child.Process
	collector *child.Process
	inbox     *collector.Inbox
	load      *load.Load
	screen    *output.Screen
	truth     []Truth
	rate      float64 // usual requests per second

	fail    context.CancelCauseFunc
	cleanup []func() // run in reverse

	mu    sync.Mutex
	phase string
	since time.Time
}

// Run plays two incidents on this machine and compares the verdicts with the
// truth: a backup that slows the site down, and a surge of traffic beside a
// backup that does nothing wrong. It ends everything that it started, also
// when ctx ends early. What it found out until then is returned with the error.
func Run(ctx context.Context, opts Options) (Result, error) {
	d := &demo{opts: opts, plan: opts.Plan, inbox: collector.NewInbox(victim.Service)}
	if d.plan == (Plan{}) {
		d.plan = DefaultPlan()
	}
	if opts.Progress == nil {
		d.opts.Progress = io.Discard
	}
	d.screen = output.New(d.opts.Progress, opts.Terminal)

	whole := ctx
	d.end = time.Now().Add(d.plan.Limit)
	ctx, cancel := context.WithDeadlineCause(ctx, d.end, fmt.Errorf("the demo was broken off, because it took longer than %v", d.plan.Limit))
	defer cancel()
	ctx, d.fail = context.WithCancelCause(ctx)
	defer d.fail(nil)
	defer d.clean()

	var result Result
	heavy, err := d.prepare(ctx)
	if err != nil {
		return result, wait.Cause(ctx, err)
	}
	for _, play := range []func(context.Context) (Act, error){
		func(ctx context.Context) (Act, error) { return d.guilty(ctx, heavy) },
		d.innocent,
	} {
		act, err := play(ctx)
		if err != nil {
			return result, wait.Cause(ctx, err)
		}
		result.Acts = append(result.Acts, act)
	}
	return result, d.finish(whole, result)
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
	program, err := collector.Find(d.opts.Collector)
	if err != nil {
		return heavy, err
	}
	compressor, err := findCompressor()
	if err != nil {
		return heavy, err
	}
	if d.cpus, err = child.SplitCPUs(); err != nil {
		return heavy, err
	}
	if d.dir, err = os.MkdirTemp("", "culprit-demo-"); err != nil {
		return heavy, fmt.Errorf("make a directory for the demo: %w", err)
	}
	d.onExit(func() { _ = os.RemoveAll(d.dir) })
	if err = child.MoveSelf(d.cpus.Rest); err != nil {
		return heavy, err
	}
	d.onExit(func() { _ = child.MoveSelf(d.cpus.All) })
	d.screen.Printf("The demo works in %s, on the loopback interface, and removes everything when it ends.", d.dir)
	d.screen.Printf("The site and the backups share CPU %d; whatever measures runs elsewhere.", d.cpus.SiteCPU)
	if d.cpus.Shared {
		d.screen.Block("There is only one CPU: everything shares it, and the figures are rough.")
	}
	set := victim.DataSet{Files: d.plan.DataSet / 4, FileKiB: 4 << 10, Kind: victim.TextData, Seed: 2}
	if err = set.Write(ctx, filepath.Join(d.dir, "srv")); err != nil {
		return heavy, err
	}
	heavy.argv, heavy.line, err = heavyBackup(d.dir, compressor)
	if err != nil {
		return heavy, err
	}
	ports, err := child.FreePorts(ctx, 4)
	if err != nil {
		return heavy, err
	}
	if err = d.startSite(ctx, ports[0], ports[1]); err != nil {
		return heavy, err
	}
	if err = d.startCollector(ctx, program, ports); err != nil {
		return heavy, err
	}
	d.enter("learning what is usual")
	d.mark(ctx, "learn", "The demo begins: nothing is wrong.")
	return heavy, wait.Sleep(ctx, d.plan.Learn)
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
		named := filepath.Join(d.dir, victim.Service)
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
	d.site, err = d.startWatched(ctx, child.Spec{
		Name: "the site",
		Argv: append(command[:len(command):len(command)], "--addr="+addr, "--dir="+files, "--otlp-endpoint="+d.otlp),
		CPUs: d.cpus.Site,
		Log:  filepath.Join(d.dir, "site.log"),
	})
	if err != nil {
		return err
	}
	if err = wait.Until(ctx, 20*time.Second, wait.Listening(addr)); err != nil {
		return fmt.Errorf("the site does not come up: %w", err)
	}
	if d.load, err = load.New("http://"+addr, d.opts.Seed); err != nil {
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
	stop, err := d.inbox.Serve(ctx, "127.0.0.1:"+strconv.Itoa(findings))
	if err != nil {
		return err
	}
	d.onExit(stop)
	d.collector, err = d.startWatched(ctx, child.Spec{
		Name: "the collector",
		Argv: []string{program, "--config=" + config},
		Env: []string{
			"CULPRIT_SITE_PORT=" + strconv.Itoa(site),
			"CULPRIT_OTLP_PORT=" + strconv.Itoa(otlp),
			"CULPRIT_FINDINGS_PORT=" + strconv.Itoa(findings),
			"CULPRIT_METRICS_PORT=" + strconv.Itoa(metrics),
			"CULPRIT_JOURNAL=" + d.opts.Journal,
		},
		CPUs: d.cpus.Rest,
		Log:  filepath.Join(d.dir, "collector.log"),
	})
	if err != nil {
		return err
	}
	if err := wait.Until(ctx, 20*time.Second, wait.Listening("127.0.0.1:"+strconv.Itoa(otlp))); err != nil {
		return fmt.Errorf("the collector does not come up: %w", err)
	}
	return nil
}

// startWatched starts a child without which the demo cannot go on.
func (d *demo) startWatched(ctx context.Context, s child.Spec) (*child.Process, error) {
	c, err := child.Start(ctx, s)
	if err != nil {
		return nil, err
	}
	watching, unwatch := context.WithCancel(ctx)
	go c.Watch(watching, d.fail)
	d.onExit(func() {
		unwatch()
		c.Stop()
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
	if err := wait.Sleep(ctx, time.Second); err != nil {
		return err
	}
	from := time.Now()
	before, err := victim.CPUOf(ctx, base)
	if err != nil {
		return err
	}
	if err = wait.Sleep(ctx, d.plan.Warm); err != nil {
		return err
	}
	after, err := victim.CPUOf(ctx, base)
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
	d.screen.Printf("A request costs %.1f ms of CPU; %.0f requests per second keep the CPU %s busy.", 1000*cost, d.rate, output.Percent(d.plan.Utilised))
	return nil
}

// finish stops the stage and makes the report; ctx is not the stage's.
func (d *demo) finish(ctx context.Context, result Result) error {
	d.enter("writing the report")
	d.screen.Block(renderSummary(result))
	d.fail(nil) // from here on children may end
	d.site.Stop()
	d.collector.Stop() // it flushes its journal
	if err := d.inbox.Unreadable(); err != nil {
		return fmt.Errorf("the collector sent findings that cannot be read: %w", err)
	}
	if d.opts.Report == nil || d.opts.HTML == "" {
		return nil
	}
	if err := d.opts.Report(ctx, d.opts.Journal, d.opts.HTML, d.truth); err != nil {
		return fmt.Errorf("make the report: %w", err)
	}
	d.screen.Printf("The report is in %s: open it in a browser.", d.opts.HTML)
	return nil
}
