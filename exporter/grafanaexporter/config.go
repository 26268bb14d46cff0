package grafanaexporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
)

// maxOwnTags is how much of Grafana's limit on tags a configuration may use.
const maxOwnTags = 200

// Config says which Grafana to write to, and where annotations appear.
type Config struct {
	// ClientConfig has the base URL of Grafana as its endpoint.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`

	// Token is of a service account with the role Editor.
	Token configopaque.String `mapstructure:"token"`

	// DashboardUID confines annotations to a dashboard; without it they belong
	// to the organisation, and any dashboard can query them by tag.
	DashboardUID string `mapstructure:"dashboard_uid"`

	// PanelID confines them to a panel of that dashboard; 0 does not.
	PanelID int64 `mapstructure:"panel_id"`

	// Tags are added to every annotation.
	Tags []string `mapstructure:"tags"`

	// ExtendInterval is how often the end of an open annotation is moved on.
	ExtendInterval time.Duration `mapstructure:"extend_interval"`

	// ForgetAfter is how long an annotation is extended without news.
	ForgetAfter time.Duration `mapstructure:"forget_after"`

	// MaxAnnotations bounds the annotations that are kept in mind; more are
	// dropped.
	MaxAnnotations int `mapstructure:"max_annotations"`
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 5 * time.Second
	return &Config{
		ClientConfig:   client,
		ExtendInterval: time.Minute,
		ForgetAfter:    24 * time.Hour,
		MaxAnnotations: 1000,
	}
}

// Validate names each setting that cannot work, and what would.
func (c *Config) Validate() error {
	var errs []error
	u, err := url.Parse(c.ClientConfig.Endpoint)
	switch {
	case c.ClientConfig.Endpoint == "":
		errs = append(errs, errors.New("endpoint must be set, such as http://127.0.0.1:3000"))
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		errs = append(errs, errors.New("endpoint must be a URL with http or https and a host, such as http://127.0.0.1:3000"))
	}
	if c.Token != "" && c.ClientConfig.Auth.HasValue() {
		errs = append(errs, errors.New("token and auth are both set: remove one"))
	}
	if c.PanelID < 0 {
		errs = append(errs, errors.New("panel_id must not be negative: leave it out to show annotations in all panels"))
	}
	if c.PanelID > 0 && c.DashboardUID == "" {
		errs = append(errs, errors.New("panel_id needs dashboard_uid: set it, or leave out panel_id"))
	}
	if slices.Contains(c.Tags, "") {
		errs = append(errs, errors.New("tags must not be empty texts: remove them"))
	}
	if n := jsonLength(c.Tags); n > maxOwnTags {
		errs = append(errs, fmt.Errorf("tags must be at most %d bytes as JSON, not %d: Grafana has room for 500 in all", maxOwnTags, n))
	}
	if c.ExtendInterval < time.Second {
		errs = append(errs, errors.New("extend_interval must be at least 1s"))
	}
	if c.ForgetAfter < c.ExtendInterval {
		errs = append(errs, errors.New("forget_after must be at least extend_interval, such as 24h"))
	}
	if c.MaxAnnotations < 1 {
		errs = append(errs, errors.New("max_annotations must be at least 1"))
	}
	if c.ClientConfig.Timeout <= 0 {
		errs = append(errs, errors.New("timeout must be positive, such as 5s, or a Grafana that hangs is waited for without end"))
	}
	return errors.Join(errs...)
}

// jsonLength is what Grafana holds against its limit.
func jsonLength(tags []string) int {
	if len(tags) == 0 {
		return 0
	}
	data, err := json.Marshal(tags)
	if err != nil {
		return 0 // cannot be: strings always have a JSON form
	}
	return len(data)
}
