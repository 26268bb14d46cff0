package rootcauseprocessor

import (
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
)

// SharedConfig says that hosts share something, such as a file server, the target
// of their backups or an uplink.
type SharedConfig struct {
	// Name is what a person calls it.
	Name string `mapstructure:"name"`
	// Resource is what it lends to the hosts: disk or network.
	Resource string `mapstructure:"resource"`
	// Hosts are names as host.name has them.
	Hosts []string `mapstructure:"hosts"`
}

// maxShared is how many such things the engine knows.
const maxShared = 256

func (c *Config) validateShared(report func(string, ...any)) {
	if len(c.Shared) > maxShared {
		report("shared must have at most %d entries; put hosts that share the same thing into one", maxShared)
	}
	seen := map[string]bool{}
	for i, s := range c.Shared {
		switch {
		case s.Name == "":
			report("shared[%d].name must be set, such as nas or uplink", i)
		case seen[s.Name]:
			report("shared[%d].name: %q stands there twice; put all its hosts into one entry, or give the other one a name of its own", i, s.Name)
		}
		seen[s.Name] = true
		if s.Resource != "disk" && s.Resource != "network" {
			report("shared[%d].resource must be disk or network; it is %q", i, s.Resource)
		}
		if len(s.Hosts) < 2 {
			report("shared[%d].hosts must name at least two hosts as host.name has them, such as [web1, db1]", i)
		}
		for j, host := range s.Hosts {
			switch {
			case host == "":
				report("shared[%d].hosts[%d] must be the host.name of a host, such as web1", i, j)
			case slices.Contains(s.Hosts[:j], host):
				report("shared[%d].hosts[%d]: %q stands there twice; keep one", i, j, host)
			}
		}
	}
}

// shared is what the configuration says that hosts share.
func (c *Config) shared(at time.Time) []fact.Fact {
	facts := make([]fact.Fact, 0, len(c.Shared))
	for _, s := range c.Shared {
		facts = append(facts, fact.Shared{At: at, Name: s.Name, Resource: s.Resource, Hosts: slices.Clone(s.Hosts)})
	}
	return facts
}
