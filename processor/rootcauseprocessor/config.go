package rootcauseprocessor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
)

// Config is the processor's configuration. README.md tells what each key is for.
type Config struct {
	// Tick is how often the engine judges what it saw.
	Tick time.Duration `mapstructure:"tick"`
	// QueueSize is how many facts may wait for the engine.
	QueueSize int `mapstructure:"queue_size"`
	// MetricsInterval is how often gauges are emitted into metrics pipelines.
	MetricsInterval time.Duration `mapstructure:"metrics_interval"`
	// LatencyMetrics are names of further histograms and gauges that measure how
	// long the requests to a service take.
	LatencyMetrics []string `mapstructure:"latency_metrics"`
	// Services tell which processes do the work of a service whose telemetry does
	// not carry process.pid.
	Services []ServiceConfig `mapstructure:"services"`
	// Objectives are latencies that a service may not exceed.
	Objectives []ObjectiveConfig `mapstructure:"objectives"`
	// Shared are things that hosts share: what one takes of them the others lack.
	Shared []SharedConfig `mapstructure:"shared"`
	// Params is the path of a file with other numbers for the engine; empty for
	// the shipped ones.
	Params string `mapstructure:"params"`
	// Journal keeps all facts in a file, for a replay.
	Journal configoptional.Optional[JournalConfig] `mapstructure:"journal"`
	// StorageID is the extension that keeps what was learned across restarts; nil
	// for none.
	StorageID *component.ID `mapstructure:"storage"`
}

// ServiceConfig names the processes of a service.
type ServiceConfig struct {
	// Name is the service.name, or the service that http_probe asks.
	Name string `mapstructure:"name"`
	// Processes are commands as the kernel names them, or systemd units.
	Processes []string `mapstructure:"processes"`
}

// ObjectiveConfig is the latency objective of a service.
type ObjectiveConfig struct {
	// Service is the service.name.
	Service string `mapstructure:"service"`
	// Latency is what its requests may take.
	Latency time.Duration `mapstructure:"latency"`
}

// JournalConfig says where facts are kept.
type JournalConfig struct {
	// Path is the file; its older half is beside it, with the suffix ".1".
	Path string `mapstructure:"path"`
	// MaxSizeMiB bounds both together.
	MaxSizeMiB int64 `mapstructure:"max_size_mib"`
}

const (
	minTick       = 100 * time.Millisecond
	maxTick       = 10 * time.Second
	maxQueue      = 1 << 24
	maxJournalMiB = 1 << 20
	kernelCommand = 15 // bytes that Linux keeps of a command's name
)

func createDefaultConfig() component.Config {
	return &Config{
		Tick:            time.Second,
		QueueSize:       65536,
		MetricsInterval: 5 * time.Second,
		Journal:         configoptional.Default(JournalConfig{MaxSizeMiB: 512}),
	}
}

// Validate checks what can be checked without looking at the world.
func (c *Config) Validate() error {
	var errs []error
	report := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Tick < minTick || c.Tick > maxTick {
		report("tick must be between %v and %v, such as 1s", minTick, maxTick)
	}
	if c.QueueSize < 1 || c.QueueSize > maxQueue {
		report("queue_size must be between 1 and %d, such as 65536", maxQueue)
	}
	if c.MetricsInterval < c.Tick {
		report("metrics_interval must not be shorter than tick, such as 5s")
	}
	for i, name := range c.LatencyMetrics {
		if name == "" {
			report("latency_metrics[%d] must be the name of a metric, such as nginx.http.request.duration", i)
		}
	}
	c.validateServices(report)
	c.validateObjectives(report)
	c.validateShared(report)
	return errors.Join(errs...)
}

func (c *Config) validateServices(report func(string, ...any)) {
	seen := map[string]bool{}
	for i, s := range c.Services {
		switch {
		case s.Name == "":
			report("services[%d].name must be set to a service.name", i)
		case seen[s.Name]:
			report("services[%d].name: %q stands there twice; put all its processes into one entry", i, s.Name)
		}
		seen[s.Name] = true
		if len(s.Processes) == 0 {
			report("services[%d].processes must name at least one command or unit, such as nginx or nginx.service", i)
		}
		for j, name := range s.Processes {
			switch {
			case name == "":
				report("services[%d].processes[%d] must be the name of a command or unit, such as nginx", i, j)
			case len(name) > kernelCommand && !strings.ContainsAny(name, ".:/-@"):
				report("services[%d].processes[%d]: Linux keeps %d bytes of a command's name; use %q", i, j, kernelCommand, name[:kernelCommand])
			}
		}
	}
}

func (c *Config) validateObjectives(report func(string, ...any)) {
	seen := map[string]bool{}
	for i, o := range c.Objectives {
		switch {
		case o.Service == "":
			report("objectives[%d].service must be set to a service.name", i)
		case seen[o.Service]:
			report("objectives[%d].service: %q stands there twice; keep one", i, o.Service)
		}
		seen[o.Service] = true
		if o.Latency < time.Millisecond {
			report("objectives[%d].latency must be at least 1ms and have a unit, such as 300ms", i)
		}
	}
}

// Validate checks what can be checked without looking at the world.
func (c *JournalConfig) Validate() error {
	if c.Path == "" {
		return errors.New("path must be set, such as /var/lib/otelcol-culprit/journal; leave out journal to keep none")
	}
	if c.MaxSizeMiB < 1 || c.MaxSizeMiB > maxJournalMiB {
		return fmt.Errorf("max_size_mib must be between 1 and %d, such as 512", maxJournalMiB)
	}
	return nil
}
