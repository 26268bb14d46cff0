package procfsreceiver

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

func load(t *testing.T, name string) *Config {
	t.Helper()
	cm, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := cm.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	return cfg
}

func TestConfig(t *testing.T) {
	cfg := load(t, "")
	require.NoError(t, confmap.Validate(cfg))
	require.Equal(t, createDefaultConfig(), cfg)
	require.Equal(t, time.Second, cfg.CollectionInterval)
	require.Equal(t, CommandLineOff, cfg.CommandLine)
	require.Empty(t, cfg.RootPath)

	cfg = load(t, "all")
	require.NoError(t, confmap.Validate(cfg))
	require.Equal(t, 5*time.Second, cfg.CollectionInterval)
	require.Equal(t, "/hostfs", cfg.RootPath)
	require.Equal(t, CommandLineScrubbed, cfg.CommandLine)
	require.False(t, cfg.Metrics.ProcessContextSwitches.Enabled)
	require.False(t, cfg.ResourceAttributes.OsType.Enabled)

	// "off" is a word to YAML, not false.
	cfg = load(t, "off")
	require.NoError(t, confmap.Validate(cfg))
	require.Equal(t, CommandLineOff, cfg.CommandLine)
}

func TestConfigErrors(t *testing.T) {
	for name, want := range map[string]string{
		"relative":     `root_path must be an absolute path such as /hostfs, or empty for this host's own root; it is "hostfs"`,
		"command_line": `command_line must be off or scrubbed; it is "full"`,
		"interval":     `"collection_interval": requires positive value`,
	} {
		require.ErrorContains(t, confmap.Validate(load(t, name)), want)
	}
}
