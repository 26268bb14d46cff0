package procfsreceiver

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// CommandLine says what of the arguments of processes leaves the host.
type CommandLine string

// The values of CommandLine.
const (
	CommandLineOff      CommandLine = "off"
	CommandLineScrubbed CommandLine = "scrubbed" // without what looks like a secret
)

// Source says where processes are read from.
type Source string

// The values of Source.
const (
	SourceAuto   Source = "auto" // ebpf where this host and the privileges allow it
	SourceProcfs Source = "procfs"
	SourceEBPF   Source = "ebpf"
)

// Aggregation says what has series of its own.
type Aggregation string

// The values of Aggregation.
const (
	AggregationWorkload Aggregation = "workload" // units, containers and jobs
	AggregationProcess  Aggregation = "process"
)

// Config configures the receiver.
type Config struct {
	scraperhelper.ControllerConfig `mapstructure:",squash"`
	metadata.MetricsBuilderConfig  `mapstructure:",squash"`

	// RootPath is where the host's file system is mounted, for a collector in a
	// container: with /hostfs the receiver reads /hostfs/proc and /hostfs/sys.
	// Empty means "/".
	RootPath string `mapstructure:"root_path"`
	// CommandLine adds the arguments of processes to process.uptime.
	CommandLine CommandLine `mapstructure:"command_line"`
	// Source is where processes are read from.
	Source Source `mapstructure:"source"`
	// Aggregation is what has series of its own.
	Aggregation Aggregation `mapstructure:"aggregation"`
	// Network switches the bytes of sockets on.
	Network bool `mapstructure:"network"`
	// Top is how many of the largest users of each resource have series of their
	// own. Backups, servers and what Keep selects have them always.
	Top int `mapstructure:"top"`
	// Limit is how many workloads or processes have series of their own at most;
	// the rest is summed up. 0 stands for no limit, and then all have them.
	Limit int `mapstructure:"limit"`
	// Keep selects processes that always have series of their own, or whose
	// workloads have.
	Keep Match `mapstructure:"keep"`
	// Include, if set, selects the only processes that are counted at all.
	Include Match `mapstructure:"include"`
	// Exclude selects processes that are not counted at all.
	Exclude Match `mapstructure:"exclude"`
}

// minInterval is more often than anybody looks, and what the clock tick of the
// kernel can tell.
const minInterval = 100 * time.Millisecond

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.RootPath != "" && !filepath.IsAbs(c.RootPath) {
		errs = append(errs, fmt.Errorf("root_path must be an absolute path such as /hostfs, or empty for this host's own root; it is %q", c.RootPath))
	}
	switch c.CommandLine {
	case CommandLineOff, CommandLineScrubbed:
	default:
		errs = append(errs, fmt.Errorf("command_line must be off or scrubbed; it is %q", c.CommandLine))
	}
	if c.CollectionInterval > 0 && c.CollectionInterval < minInterval {
		errs = append(errs, fmt.Errorf("collection_interval must be at least %s; it is %s (a number without a unit is nanoseconds: write 1s)", minInterval, c.CollectionInterval))
	}
	switch c.Source {
	case SourceAuto, SourceProcfs, SourceEBPF:
	default:
		errs = append(errs, fmt.Errorf("source must be auto, procfs or ebpf; it is %q", c.Source))
	}
	switch c.Aggregation {
	case AggregationWorkload, AggregationProcess:
	default:
		errs = append(errs, fmt.Errorf("aggregation must be workload or process; it is %q", c.Aggregation))
	}
	if c.Top < 0 {
		errs = append(errs, fmt.Errorf("top must be 0 or more; it is %d", c.Top))
	}
	if c.Limit < 0 {
		errs = append(errs, fmt.Errorf("limit must be 0, for none, or more; it is %d", c.Limit))
	}
	return errors.Join(append(errs, c.Keep.validate("keep"), c.Include.validate("include"), c.Exclude.validate("exclude"))...)
}

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = time.Second
	return &Config{
		ControllerConfig:     controller,
		MetricsBuilderConfig: metadata.NewDefaultMetricsBuilderConfig(),
		CommandLine:          CommandLineOff,
		Source:               SourceAuto,
		Aggregation:          AggregationWorkload,
		Network:              true,
		Top:                  20,
		Limit:                200,
	}
}
