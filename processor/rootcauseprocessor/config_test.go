package rootcauseprocessor

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func TestConfig(t *testing.T) {
	loaded, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	load := func(id string) *Config {
		sub, err := loaded.Sub(id)
		require.NoError(t, err)
		cfg, ok := createDefaultConfig().(*Config)
		require.True(t, ok)
		require.NoError(t, sub.Unmarshal(cfg))
		require.NoError(t, confmap.Validate(cfg))
		return cfg
	}
	require.Equal(t, createDefaultConfig(), load("rootcause"))
	require.False(t, load("rootcause").Journal.HasValue())
	require.Equal(t, &Config{
		Tick: 2 * time.Second, QueueSize: 1000, MetricsInterval: 10 * time.Second,
		LatencyMetrics: []string{"nginx.request.duration"},
		Services:       []ServiceConfig{{Name: "shop", Processes: []string{"nginx", "php-fpm.service"}}},
		Objectives:     []ObjectiveConfig{{Service: "shop", Latency: 300 * time.Millisecond}},
		Shared:         []SharedConfig{{Name: "nas", Resource: "disk", Hosts: []string{"web1", "db1"}}},
		Params:         "/etc/otelcol-culprit/params.yaml",
		Journal:        configoptional.Some(JournalConfig{Path: "/var/lib/otelcol-culprit/journal", MaxSizeMiB: 512}),
		StorageID:      &storageID,
	}, load("rootcause/all"))
}

func TestConfigErrors(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"tick":             {func(c *Config) { c.Tick = 0 }, "tick must be between 100ms and 10s, such as 1s"},
		"queue":            {func(c *Config) { c.QueueSize = 0 }, "queue_size must be between 1 and 16777216, such as 65536"},
		"metrics interval": {func(c *Config) { c.MetricsInterval = 0 }, "metrics_interval must not be shorter than tick, such as 5s"},
		"latency metric":   {func(c *Config) { c.LatencyMetrics = []string{""} }, "latency_metrics[0] must be the name of a metric"},
		"service name": {
			func(c *Config) { c.Services = []ServiceConfig{{Processes: []string{"x"}}} }, "services[0].name must be set to a service.name",
		},
		"service twice": {
			func(c *Config) {
				c.Services = []ServiceConfig{{Name: "a", Processes: []string{"x"}}, {Name: "a", Processes: []string{"y"}}}
			},
			`services[1].name: "a" stands there twice; put all its processes into one entry`,
		},
		"no process":    {func(c *Config) { c.Services = []ServiceConfig{{Name: "a"}} }, "services[0].processes must name at least one command"},
		"empty process": {func(c *Config) { c.Services = []ServiceConfig{{Name: "a", Processes: []string{""}}} }, "services[0].processes[0] must be"},
		"long process": {
			func(c *Config) {
				c.Services = []ServiceConfig{{Name: "a", Processes: []string{"averylongcommandname"}}}
			},
			`services[0].processes[0]: Linux keeps 15 bytes of a command's name; use "averylongcomman"`,
		},
		"objective service": {
			func(c *Config) { c.Objectives = []ObjectiveConfig{{Latency: 1}} }, "objectives[0].service must be set to a service.name",
		},
		"objective twice": {
			func(c *Config) { c.Objectives = []ObjectiveConfig{{"a", 1}, {"a", 2}} }, `objectives[1].service: "a" stands there twice; keep one`,
		},
		"objective latency": {
			func(c *Config) { c.Objectives = []ObjectiveConfig{{Service: "a"}} }, "objectives[0].latency must be at least 1ms and have a unit, such as 300ms",
		},
		"shared name": {
			func(c *Config) { c.Shared = []SharedConfig{{Resource: "disk", Hosts: []string{"a", "b"}}} }, "shared[0].name must be set, such as nas",
		},
		"shared twice": {
			func(c *Config) {
				nas := SharedConfig{Name: "nas", Resource: "disk", Hosts: []string{"a", "b"}}
				c.Shared = []SharedConfig{nas, nas}
			},
			`shared[1].name: "nas" stands there twice; put all its hosts into one entry`,
		},
		"shared resource": {
			func(c *Config) {
				c.Shared = []SharedConfig{{Name: "nas", Resource: "cpu", Hosts: []string{"a", "b"}}}
			},
			`shared[0].resource must be disk or network; it is "cpu"`,
		},
		"shared by one": {
			func(c *Config) { c.Shared = []SharedConfig{{Name: "nas", Resource: "disk", Hosts: []string{"a"}}} },
			"shared[0].hosts must name at least two hosts",
		},
		"shared with nobody": {
			func(c *Config) {
				c.Shared = []SharedConfig{{Name: "nas", Resource: "disk", Hosts: []string{"a", ""}}}
			},
			"shared[0].hosts[1] must be the host.name of a host",
		},
		"shared with itself": {
			func(c *Config) {
				c.Shared = []SharedConfig{{Name: "nas", Resource: "disk", Hosts: []string{"a", "a"}}}
			},
			`shared[0].hosts[1]: "a" stands there twice; keep one`,
		},
		"too much shared": {
			func(c *Config) {
				for i := range maxShared + 1 {
					c.Shared = append(c.Shared, SharedConfig{Name: strconv.Itoa(i), Resource: "disk", Hosts: []string{"a", "b"}})
				}
			},
			"shared must have at most 256 entries",
		},
		"journal path": {
			func(c *Config) { c.Journal = configoptional.Some(JournalConfig{MaxSizeMiB: 1}) }, "journal: path must be set, such as",
		},
		"journal size": {
			func(c *Config) { c.Journal = configoptional.Some(JournalConfig{Path: "x"}) }, "journal: max_size_mib must be between 1 and 1048576",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg, ok := createDefaultConfig().(*Config)
			require.True(t, ok)
			tt.change(cfg)
			require.ErrorContains(t, confmap.Validate(cfg), tt.want)
		})
	}
}
