package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/configs"
	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/victim"
	"github.com/otel-culprit/culprit/internal/lab/wait"
	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
)

// open starts the site, its visitors and the collector, once what the jobs need
// is prepared.
func (s *scene) open(ctx context.Context, program, journal string, in *collector.Inbox) error {
	stop, err := in.Serve(ctx, s.addr("127.0.0.1", findingsPort))
	if err != nil {
		return err
	}
	s.onExit(stop)
	if err := errors.Join(s.forgetFiles(ctx), s.slowDown()); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{s.startUpstream, s.startSite, s.fillCache, s.startVisitors} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return s.startCollector(ctx, program, journal)
}

// keep keeps a child that the run cannot go on without.
func (s *scene) keep(ctx context.Context, c *child.Process, err error) error {
	if err != nil {
		return err
	}
	go c.Watch(ctx, s.fail)
	s.onExit(c.Stop)
	return s.adopt(c)
}

// start starts a child that the run cannot go on without, and waits until it
// accepts connections.
func (s *scene) start(ctx context.Context, sp child.Spec, addr string) (*child.Process, error) {
	sp.Log = s.file(strings.ReplaceAll(sp.Name, " ", "-") + ".log")
	sp.Home = s.stage.Dir()
	c, err := child.Start(ctx, sp)
	if err = s.keep(ctx, c, err); err != nil {
		return nil, err
	}
	return c, c.Ready(ctx, 20*time.Second, wait.Listening(addr))
}

// self is this program under another name, so that a list of processes tells what
// it does.
func (s *scene) self(name string) (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	named := s.file(name)
	if err := os.Symlink(program, named); err != nil {
		return "", fmt.Errorf("name the program of the %s: %w", name, err)
	}
	return named, nil
}

// makeDatabase makes the database that the site asks.
func (s *scene) makeDatabase(ctx context.Context) error {
	if s.plan.Site.Query == "" {
		return nil
	}
	temp := s.file("postgres")
	if err := os.Mkdir(temp, 0o755); err != nil { //nolint:gosec // the database has a user of its own
		return fmt.Errorf("make a directory for the database: %w", err)
	}
	db, err := victim.StartDatabase(ctx, victim.DatabaseConfig{
		Dir: s.on("postgres"), Temp: temp, Port: s.ports[databasePort],
		Items: s.plan.Data.Rows, CPUs: s.cpus.Site, Wrap: s.in(s.server),
	})
	if err != nil {
		return err
	}
	s.db = db
	s.env = append(s.env, db.Env()...)
	return s.keep(ctx, db.Process, nil)
}

// forgetFiles drops what was written to the site's disk from the page cache, but
// for what the site has there.
func (s *scene) forgetFiles(ctx context.Context) error {
	dirs := []string{s.on("www"), s.on("data"), s.on("out")}
	if s.db != nil {
		dirs = append(dirs, s.db.Tables())
	}
	return stage.Evict(ctx, dirs...)
}

func (s *scene) startUpstream(ctx context.Context) error {
	if !s.plan.Site.Upstream {
		return nil
	}
	program, err := s.self("stock")
	if err != nil {
		return err
	}
	addr := s.addr(s.world, upstreamPort)
	_, err = s.start(ctx, child.Spec{Name: "the upstream", Argv: []string{program, "lab-upstream", "--addr=" + addr}, CPUs: s.cpus.Rest}, addr)
	return err
}

// base is the URL of the site.
func (s *scene) base() string { return "http://" + s.addr(s.inside, sitePort) }

// otlp is the URL of the collector; empty if there is none.
func (s *scene) otlp() string {
	if s.tried {
		return ""
	}
	return "http://" + s.addr(s.world, otlpPort)
}

func (s *scene) startSite(ctx context.Context) error {
	site, addr := s.plan.Site, s.addr(s.inside, sitePort)
	if site.Server == "nginx" {
		dir := s.file("nginx")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("make a directory for nginx: %w", err)
		}
		c, err := victim.StartNginx(ctx, victim.NginxConfig{
			Addr: addr, Root: s.on("www"), Dir: dir, Cached: site.Cached, CPUs: s.cpus.Site, Wrap: s.in(s.site),
		})
		return s.keep(ctx, c, err)
	}
	program, err := s.self(victim.Service)
	if err != nil {
		return err
	}
	cfg := victim.SiteConfig{
		Addr: addr, Dir: s.on("www"), OTLPEndpoint: s.otlp(), Service: victim.Service, Work: wait.Milliseconds(site.CPUms),
		Files: site.Files, FileKiB: site.FileKiB, Cached: site.Cached, BodyKiB: site.BodyKiB, Orders: site.Orders, Query: site.Query,
	}
	if site.Upstream {
		cfg.Upstream, cfg.UpstreamAddr = "http://stock.lab/", s.addr(s.world, upstreamPort)
	}
	var env []string
	if s.db != nil {
		env = s.db.Env()
	}
	_, err = s.start(ctx, child.Spec{
		Name: "the site", Argv: append([]string{program, "lab-site"}, cfg.Args()...), Env: env, CPUs: s.cpus.Site, Wrap: s.in(s.site),
	}, addr)
	return err
}

// fillCache reads once what the site is to have in the page cache.
func (s *scene) fillCache(ctx context.Context) error {
	if !s.plan.Site.Cached {
		return nil
	}
	for i := range s.plan.Site.Files {
		if err := victim.Visit(ctx, s.base()+page(s.plan, i)); err != nil {
			return fmt.Errorf("fill the site's page cache: %w", err)
		}
	}
	return nil
}

// page is the path of one of the site's pages.
func page(p scenario.Plan, item int) string {
	if p.Site.Server == "nginx" {
		return "/" + victim.FileName(item)
	}
	return "/item/" + strconv.Itoa(item)
}

// startVisitors lets visitors come.
func (s *scene) startVisitors(ctx context.Context) error {
	visitors, err := load.New(s.base(), s.plan.Seed)
	if err != nil {
		return err
	}
	if s.plan.Site.Server == "nginx" {
		visitors.AskFor(victim.DataSet{Files: s.plan.Site.Files}.Path)
	}
	s.load = visitors
	s.background(ctx, visitors.Run)
	visitors.SetRate(ctx, s.plan.Site.Rate)
	return nil
}

func (s *scene) startCollector(ctx context.Context, program, journal string) error {
	config := s.file("lab.yaml")
	if err := os.WriteFile(config, configs.Lab, 0o600); err != nil {
		return fmt.Errorf("write the collector's configuration: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("host.name is not known: %w", err)
	}
	processes := victim.Service
	if s.plan.Site.Server == "nginx" {
		processes = "nginx"
	}
	if s.db != nil {
		processes += ", postgres"
	}
	addr := s.addr(s.world, otlpPort)
	s.collector, err = s.start(ctx, child.Spec{
		Name: "the collector",
		Argv: []string{program, "--config=" + config},
		Env: []string{
			"CULPRIT_URL=" + s.base() + page(s.plan, 1),
			"CULPRIT_HOST=" + host,
			"CULPRIT_PROCESSES=[" + processes + "]",
			"CULPRIT_OTLP=" + addr,
			"CULPRIT_FINDINGS=http://" + s.addr("127.0.0.1", findingsPort),
			"CULPRIT_JOURNAL=" + journal,
		},
		CPUs: s.cpus.Rest,
	}, addr)
	if err != nil || s.db == nil {
		return err
	}
	s.vital(ctx, func(ctx context.Context) error { return s.db.WatchSessions(ctx, s.otlp(), victim.Service) })
	return nil
}

// background runs f until stop is called, at the latest when the scene ends.
func (s *scene) background(ctx context.Context, f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	s.onExit(stop)
	return stop
}

// vital runs f in the background, and fails the run if f fails.
func (s *scene) vital(ctx context.Context, f func(context.Context) error) (stop func()) {
	return s.background(ctx, func(ctx context.Context) {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			s.fail(err)
		}
	})
}
