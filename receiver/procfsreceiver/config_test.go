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

	cfg = load(t, "selection")
	require.NoError(t, confmap.Validate(cfg))
	require.Equal(t, SourceProcfs, cfg.Source)
	require.Equal(t, AggregationProcess, cfg.Aggregation)
	require.False(t, cfg.Network)
	require.Equal(t, 5, cfg.Top)
	require.Zero(t, cfg.Limit)
	require.Equal(t, Match{Names: []string{"nginx", "php-fpm*"}, Users: []string{"www-data", "1000"}}, cfg.Keep)
	require.Equal(t, Match{Cgroups: []string{"/system.slice/*"}}, cfg.Include)
	require.Equal(t, Match{Units: []string{"/^user@/"}}, cfg.Exclude)

	// "off" is a word to YAML, not false.
	cfg = load(t, "off")
	require.NoError(t, confmap.Validate(cfg))
	require.Equal(t, CommandLineOff, cfg.CommandLine)
}

func TestConfigErrors(t *testing.T) {
	for name, want := range map[string]string{
		"relative":     `root_path must be an absolute path such as /hostfs, or empty for this host's own root; it is "hostfs"`,
		"command_line": `command_line must be off or scrubbed; it is "full"`,
		"source":       `source must be auto, procfs or ebpf; it is "bpf"`,
		"aggregation":  `aggregation must be workload or process; it is "cgroup"`,
		"limit":        "limit must be 0, for none, or more; it is -1",
		"top":          "top must be 0 or more; it is -1",
		"pattern":      `exclude::users[0]: "/(/" is not a regular expression`,
		"long":         `keep::names[0]: "containerd-shim-runc-v2" is longer than the 15 bytes that the kernel keeps of a name; write "containerd-shim"`,
		"interval":     `"collection_interval": requires positive value`,
	} {
		require.ErrorContains(t, confmap.Validate(load(t, name)), want)
	}
}
