package alertmanagerexporter

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"

	"github.com/otel-culprit/culprit/internal/event"
)

// leaseFactor is how many renewals may be lost before an alert ends by itself;
// Prometheus has the same.
const leaseFactor = 4

// Config says which Alertmanagers to tell, of what, and how often.
type Config struct {
	// Endpoints are the base URLs of all peers of the cluster, each of which
	// gets every alert.
	Endpoints []string `mapstructure:"endpoints"`

	// ClientConfig is how to talk to all of them. Its own endpoint is not used.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`

	// ResendInterval is how often an alert is repeated.
	ResendInterval time.Duration `mapstructure:"resend_interval"`

	// ResolveAfter is when an alert ends that is not repeated: 0 stands for four
	// times the resend interval.
	ResolveAfter time.Duration `mapstructure:"resolve_after"`

	// ForgetAfter is how long an alert is repeated without news of its verdict.
	ForgetAfter time.Duration `mapstructure:"forget_after"`

	// MinState is how sure a verdict must be to become an alert: named,
	// probable or unknown. With less than named, an incident that becomes surer
	// pages again.
	MinState event.State `mapstructure:"min_state"`

	// Labels are added to every alert.
	Labels map[string]string `mapstructure:"labels"`

	// DashboardURL is a Grafana dashboard with the variables service and host,
	// to which alerts link.
	DashboardURL string `mapstructure:"dashboard_url"`

	// RunbookURL is a page with a section for each kind of cause.
	RunbookURL string `mapstructure:"runbook_url"`

	// MaxAlerts bounds the alerts that are kept; more are dropped.
	MaxAlerts int `mapstructure:"max_alerts"`

	// Storage is an extension that keeps the alerts over a restart.
	Storage *component.ID `mapstructure:"storage"`
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 5 * time.Second
	return &Config{
		ClientConfig:   client,
		ResendInterval: time.Minute,
		ForgetAfter:    24 * time.Hour,
		MinState:       event.Named,
		MaxAlerts:      1000,
	}
}

// lease is how long an alert lives without being repeated.
func (c *Config) lease() time.Duration {
	if c.ResolveAfter > 0 {
		return c.ResolveAfter
	}
	return leaseFactor * c.ResendInterval
}

// Validate names each setting that cannot work, and what would.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateEndpoints(),
		c.validateTimes(),
		c.validateLabels(),
		c.validateRest(),
	)
}

func (c *Config) validateEndpoints() error {
	var errs []error
	if c.ClientConfig.Endpoint != "" {
		errs = append(errs, errors.New("endpoint is not used here: list every Alertmanager under endpoints"))
	}
	if len(c.Endpoints) == 0 {
		errs = append(errs, errors.New("endpoints must list every Alertmanager, such as [http://127.0.0.1:9093]"))
	}
	for i, endpoint := range c.Endpoints {
		if err := validateURL(endpoint); err != nil {
			errs = append(errs, fmt.Errorf("endpoints[%d] %w, such as http://127.0.0.1:9093", i, err))
		}
		if slices.Contains(c.Endpoints[:i], endpoint) {
			errs = append(errs, fmt.Errorf("endpoints[%d] is listed twice: remove one", i))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateTimes() error {
	var errs []error
	if c.ResendInterval < time.Second {
		errs = append(errs, errors.New("resend_interval must be at least 1s"))
	}
	if c.ResolveAfter != 0 && c.ResolveAfter < 2*c.ResendInterval {
		errs = append(errs, errors.New("resolve_after must be at least twice resend_interval, or alerts resolve between two renewals; "+
			"leave it out to have four times as long"))
	}
	if c.ForgetAfter < c.lease() {
		errs = append(errs, errors.New("forget_after must be at least resolve_after, such as 24h"))
	}
	if c.ClientConfig.Timeout <= 0 {
		errs = append(errs, errors.New("timeout must be positive, such as 5s, or an Alertmanager that hangs is waited for without end"))
	}
	return errors.Join(errs...)
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (c *Config) validateLabels() error {
	var errs []error
	for name, value := range c.Labels {
		switch {
		case !labelName.MatchString(name):
			errs = append(errs, fmt.Errorf("labels: %q must consist of letters, digits and underscores, and not begin with a digit", name))
		case slices.Contains(ownLabels, name):
			errs = append(errs, fmt.Errorf("labels: %s is set by the exporter: choose another name", name))
		case value == "":
			errs = append(errs, fmt.Errorf("labels: %s must have a value, or be removed", name))
		case len(value) > maxLabel:
			errs = append(errs, fmt.Errorf("labels: %s must be at most %d bytes long", name, maxLabel))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateRest() error {
	var errs []error
	switch c.MinState {
	case event.Named, event.Probable, event.Unknown:
	default:
		errs = append(errs, fmt.Errorf("min_state must be named, probable or unknown, not %q", c.MinState))
	}
	if c.MaxAlerts < 1 {
		errs = append(errs, errors.New("max_alerts must be at least 1"))
	}
	for key, value := range map[string]string{"dashboard_url": c.DashboardURL, "runbook_url": c.RunbookURL} {
		if value == "" {
			continue
		}
		if err := validateURL(value); err != nil {
			errs = append(errs, fmt.Errorf("%s %w", key, err))
		}
	}
	return errors.Join(errs...)
}

func validateURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("must be a URL with http or https and a host")
	}
	return nil
}
