package victim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/load"
)

// Service is the service.name of the site.
const Service = "shop"

const itemRoute = "/item/{id}"

// When an order is made durable.
const (
	ordersBatched = "batched" // many at a time, after the answer
	ordersEach    = "each"    // each before its answer
)

// What a request asks the database.
const (
	queryRead  = "read"
	queryWrite = "write"
)

// SiteConfig describes the small web site. The numbers say what a request
// costs; zero for nothing.
type SiteConfig struct {
	Addr         string        // address to listen on, such as 127.0.0.1:8080
	Dir          string        // directory for its files and orders, which exists
	OTLPEndpoint string        // such as http://127.0.0.1:4318; empty to send no telemetry
	Service      string        // service.name
	Work         time.Duration // CPU time
	Files        int           // a request reads one of them
	FileKiB      int           // of a file
	Cached       bool          // files may come from the page cache
	BodyKiB      int           // of an answer
	Orders       string        // batched, each, or empty for none
	// Query is read or write of one row of the table item, or empty for none. The
	// database is the one that the variables PGHOST and so on name.
	Query string
	// Upstream is the URL of a service that is asked, or empty for none.
	Upstream string
	// UpstreamAddr is where the host of that URL is found, as a name server would
	// say; empty if the URL holds its address.
	UpstreamAddr string
}

// DefaultSite is the site of the demo.
func DefaultSite() SiteConfig {
	return SiteConfig{
		Addr: "127.0.0.1:0", Service: Service, Work: 5 * time.Millisecond,
		Files: 64, FileKiB: 64, BodyKiB: 2, Orders: ordersBatched,
	}
}

// Flags adds a flag for each setting, whose default is what is set.
func (c *SiteConfig) Flags(flags *pflag.FlagSet) {
	flags.StringVar(&c.Addr, "addr", c.Addr, "where to listen")
	flags.StringVar(&c.Dir, "dir", c.Dir, "directory for the site's files")
	flags.StringVar(&c.OTLPEndpoint, "otlp-endpoint", c.OTLPEndpoint, "URL of the OTLP/HTTP receiver for the site's telemetry")
	flags.StringVar(&c.Service, "service", c.Service, "the site's service.name")
	flags.DurationVar(&c.Work, "work", c.Work, "CPU time of a request")
	flags.IntVar(&c.Files, "files", c.Files, "number of files, of which a request reads one")
	flags.IntVar(&c.FileKiB, "file-kib", c.FileKiB, "KiB of a file")
	flags.BoolVar(&c.Cached, "cached", c.Cached, "read files from the page cache")
	flags.IntVar(&c.BodyKiB, "body-kib", c.BodyKiB, "KiB of an answer")
	flags.StringVar(&c.Orders, "orders", c.Orders, "when orders are made durable: batched, each, or empty")
	flags.StringVar(&c.Query, "query", c.Query, "what a request asks the database of the variables PGHOST and so on: read, write, or empty")
	flags.StringVar(&c.Upstream, "upstream", c.Upstream, "URL that a request asks")
	flags.StringVar(&c.UpstreamAddr, "upstream-addr", c.UpstreamAddr, "address of that URL's host")
}

// Args are the flags that say the same.
func (c SiteConfig) Args() []string {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.Flags(flags)
	var args []string
	flags.VisitAll(func(f *pflag.Flag) { args = append(args, "--"+f.Name+"="+f.Value.String()) })
	return args
}

func (c SiteConfig) validate() error {
	errs := []error{load.MustBeOurs(c.Addr)}
	if c.Work < 0 || c.Files < 0 || c.BodyKiB < 0 || c.Files > 0 && c.FileKiB <= 0 {
		errs = append(errs, errors.New("work, files and body-kib must not be negative, and files need file-kib"))
	}
	if c.Orders != "" && c.Orders != ordersBatched && c.Orders != ordersEach {
		errs = append(errs, fmt.Errorf("orders must be batched, each or empty, not %q", c.Orders))
	}
	if c.Query != "" && c.Query != queryRead && c.Query != queryWrite {
		errs = append(errs, fmt.Errorf("query must be read, write or empty, not %q", c.Query))
	}
	if c.Upstream != "" {
		u, err := url.Parse(c.Upstream)
		if err == nil {
			err = load.MustBeOurs(cmp.Or(c.UpstreamAddr, u.Host))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("upstream: %w", err))
		}
	}
	return errors.Join(errs...)
}

// health is what the site answers on healthPath.
type health struct {
	CPUSeconds float64 `json:"cpu_seconds"` // of the process, since it started
}

// Site serves until ctx ends. It answers on /item/{id} as web sites do, after
// the work that cfg says, and tells how long requests took by OTLP. On /control
// it takes the trouble to suffer from.
func Site(ctx context.Context, cfg SiteConfig) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	telemetry, err := newSiteTelemetry(ctx, cfg)
	if err != nil {
		return err
	}
	defer telemetry.close(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work, err := newSiteWork(ctx, cfg, telemetry)
	if err != nil {
		return err
	}
	defer work.close()

	mux := http.NewServeMux()
	mux.Handle("GET "+itemRoute, telemetry.measure(work))
	mux.HandleFunc("GET "+healthPath, work.serveHealth)
	mux.HandleFunc("POST "+controlPath, controlled(work.troubles.now, work.troubles.set))
	return serveUntil(ctx, "the site", cfg.Addr, mux)
}

func (w *siteWork) serveHealth(out http.ResponseWriter, _ *http.Request) {
	used, err := ownCPU()
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(out).Encode(health{CPUSeconds: used.Seconds()}) // whoever asked has gone
}

// ownCPU is the CPU time that this process has used.
func ownCPU() (time.Duration, error) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read the own CPU time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
