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
}

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
	return errors.Join(errs...)
}

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = time.Second
	return &Config{
		ControllerConfig:     controller,
		MetricsBuilderConfig: metadata.NewDefaultMetricsBuilderConfig(),
		CommandLine:          CommandLineOff,
	}
}
