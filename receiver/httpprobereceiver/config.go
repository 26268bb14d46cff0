package httpprobereceiver

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/scraper/scraperhelper"
)

// Defaults of a target.
const (
	defaultInterval    = time.Second
	defaultTimeout     = 10 * time.Second
	defaultMaxInFlight = 32
)

// Config of the receiver.
type Config struct {
	// Controller says how often the measurements are emitted. The probes
	// themselves follow each target's own interval.
	Controller scraperhelper.ControllerConfig `mapstructure:",squash"`

	// Targets to probe; at least one.
	Targets []TargetConfig `mapstructure:"targets"`
}

// TargetConfig is one URL to probe.
type TargetConfig struct {
	// URL to request, with scheme http or https and without credentials.
	URL string `mapstructure:"url"`

	// Service that answers there, as in its own telemetry's service.name. It
	// becomes the attribute service.peer.name.
	Service string `mapstructure:"service"`

	// Name tells targets of one service apart. It becomes the attribute
	// rootcause.probe.name, and is left out if empty.
	Name string `mapstructure:"name"`

	// Host that serves the URL, as in host.name of what watches its processes.
	// By default the name of this machine if the URL leads to a loopback
	// address or another of its own, and no host otherwise. Set it in a
	// container, or if the URL is that of a load balancer before the host.
	Host string `mapstructure:"host"`

	// Method of the request. Default GET.
	Method string `mapstructure:"method"`

	// Interval between planned starts. Default 1s.
	Interval time.Duration `mapstructure:"interval"`

	// Timeout after which a request is given up, counted from its planned
	// start. Default 10s.
	Timeout time.Duration `mapstructure:"timeout"`

	// MaxInFlight bounds the unfinished requests. Default 32.
	MaxInFlight int `mapstructure:"max_in_flight"`

	// FollowRedirects measures the whole chain and not only its first answer.
	FollowRedirects bool `mapstructure:"follow_redirects"`

	// Headers of the request; values are kept out of logs.
	Headers configopaque.MapList `mapstructure:"headers,omitempty"`

	// TLS settings of the connection.
	TLS configtls.ClientConfig `mapstructure:"tls,omitempty"`

	// Auth names an authentication extension.
	Auth configoptional.Optional[configauth.Config] `mapstructure:"auth,omitempty"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Validator   = (*Config)(nil)
	_ confmap.Validator   = (*TargetConfig)(nil)
	_ confmap.Unmarshaler = (*TargetConfig)(nil)
)

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = time.Second
	controller.InitialDelay = 0
	return &Config{Controller: controller}
}

func defaultTarget() TargetConfig {
	return TargetConfig{
		Method:      http.MethodGet,
		Interval:    defaultInterval,
		Timeout:     defaultTimeout,
		MaxInFlight: defaultMaxInFlight,
	}
}

// Unmarshal fills in the defaults of a target.
func (t *TargetConfig) Unmarshal(conf *confmap.Conf) error {
	*t = defaultTarget()
	return conf.Unmarshal(t)
}

// Validate checks that there are targets and that their series can be told
// apart.
func (c *Config) Validate() error {
	if len(c.Targets) == 0 {
		return errors.New("targets must list at least one URL, such as {url: http://127.0.0.1:8080/, service: shop}")
	}
	seen := make(map[attributes]int, len(c.Targets))
	for i := range c.Targets {
		u, err := c.Targets[i].parseURL()
		if err != nil {
			continue // the target's own Validate says it
		}
		a := c.Targets[i].attributes(u)
		if first, twice := seen[a]; twice {
			return fmt.Errorf("targets::%d has the service, server and name of targets::%d; give each its own name", i, first)
		}
		seen[a] = i
	}
	return nil
}

// Validate checks one target.
func (t *TargetConfig) Validate() error {
	var errs []error
	if _, err := t.parseURL(); err != nil {
		errs = append(errs, err)
	}
	if t.Service == "" {
		errs = append(errs, errors.New("service must be set to the service.name of what answers there, such as shop"))
	}
	if t.Method == "" || strings.ContainsFunc(t.Method, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		errs = append(errs, fmt.Errorf("method must be in capital letters, such as GET, not %q", t.Method))
	}
	if t.Interval < 10*time.Millisecond {
		errs = append(errs, fmt.Errorf("interval must be at least 10ms, not %v", t.Interval))
	}
	if t.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout must be positive, such as 10s, not %v", t.Timeout))
	}
	if t.MaxInFlight < 1 {
		errs = append(errs, fmt.Errorf("max_in_flight must be at least 1, not %d", t.MaxInFlight))
	}
	return errors.Join(errs...)
}

func (t *TargetConfig) parseURL() (*url.URL, error) {
	u, err := url.Parse(t.URL)
	switch {
	case t.URL == "":
		return nil, errors.New("url must be set, such as http://127.0.0.1:8080/")
	case err != nil:
		// The parser's own message repeats the URL, which may hold a password.
		return nil, errors.New("url cannot be parsed; write it such as http://127.0.0.1:8080/")
	case u.User != nil:
		return nil, errors.New("url must not hold credentials, because URLs are not secret; use headers or auth")
	case (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return nil, fmt.Errorf("url must start with http:// or https:// and name a host, not %q", t.URL)
	}
	return u, nil
}
