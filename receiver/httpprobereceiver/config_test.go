package httpprobereceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

func load(t *testing.T, raw map[string]any) *Config {
	t.Helper()
	cfg, ok := createDefaultConfig().(*Config)
	require.True(t, ok)
	require.NoError(t, confmap.NewFromStringMap(raw).Unmarshal(cfg))
	return cfg
}

func targets(list ...any) map[string]any {
	return map[string]any{"targets": list}
}

func TestTargetsGetDefaults(t *testing.T) {
	cfg := load(t, targets(
		map[string]any{"url": "http://127.0.0.1:8080/", "service": "shop"},
		map[string]any{"url": "https://shop.example.com/", "service": "shop", "interval": "5s", "headers": map[string]any{"Authorization": "secret"}},
	))
	require.NoError(t, confmap.Validate(cfg))
	require.Equal(t, time.Second, cfg.Controller.CollectionInterval)
	require.Equal(t, "GET", cfg.Targets[0].Method)
	require.Equal(t, time.Second, cfg.Targets[0].Interval)
	require.Equal(t, 10*time.Second, cfg.Targets[0].Timeout)
	require.Equal(t, 32, cfg.Targets[0].MaxInFlight)
	require.Equal(t, 5*time.Second, cfg.Targets[1].Interval)
	require.Equal(t, 10*time.Second, cfg.Targets[1].Timeout)
	require.NotContains(t, fmt.Sprintf("%+v", cfg.Targets[1].Headers), "secret")
}

func TestValidateNamesTheKeyAndTheCure(t *testing.T) {
	good := func(change ...any) map[string]any {
		m := map[string]any{"url": "http://127.0.0.1:8080/", "service": "shop"}
		if len(change) == 2 {
			m[change[0].(string)] = change[1]
		}
		return m
	}
	for name, test := range map[string]struct {
		raw  map[string]any
		want string
	}{
		"no target":       {targets(), "targets must list at least one URL"},
		"no url":          {targets(good("url", "")), "targets::0: url must be set, such as http://127.0.0.1:8080/"},
		"no scheme":       {targets(good("url", "shop:80")), `url must start with http:// or https://`},
		"no host":         {targets(good("url", "http:///x")), `url must start with http:// or https://`},
		"credentials":     {targets(good("url", "http://me:pass@shop/")), "url must not hold credentials"},
		"no service":      {targets(good("service", "")), "service must be set"},
		"method":          {targets(good("method", "get")), `method must be in capital letters, such as GET, not "get"`},
		"interval":        {targets(good("interval", "1ms")), "interval must be at least 10ms, not 1ms"},
		"timeout":         {targets(good("timeout", "0s")), "timeout must be positive, such as 10s, not 0s"},
		"max in flight":   {targets(good("max_in_flight", 0)), "max_in_flight must be at least 1, not 0"},
		"same series":     {targets(good(), good("url", "http://127.0.0.1:8080/cart")), "targets::1 has the service, server and name of targets::0; give each its own name"},
		"collect forever": {map[string]any{"targets": []any{good()}, "collection_interval": "0s"}, "collection_interval"},
	} {
		t.Run(name, func(t *testing.T) {
			err := confmap.Validate(load(t, test.raw))
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "pass@")
		})
	}
	require.NoError(t, confmap.Validate(load(t, targets(good(), good("url", "http://127.0.0.1:8081/")))))
}
