package trial

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/otel-culprit/culprit/internal/catalog"
	"github.com/otel-culprit/culprit/internal/experiment"
)

// Options say what to try, and within which bounds.
type Options struct {
	Web     string   // URL of the site
	Paths   []string // that are asked for; the URL's own if empty
	Owned   string   // host of Web, if that is not on the loopback interface
	Rate    float64  // requests per second; zero for a light probe beside live traffic
	Command []string // the backup
	Data    []string // directories that it reads: their device is limited, and their files are not in memory when a block begins
	Prepare string   // for a shell, before each block
	Cleanup string   // for a shell, after each block

	Repeats    int
	Confirm    int           // rounds more for the remedy that was chosen; zero for none
	Block      time.Duration // at most
	Settle     time.Duration // of calm before a block
	LimitTime  time.Duration // of all
	AbortAbove time.Duration // p95 of the last seconds
	Seed       uint64
	Skip       []string // IDs of remedies

	Base    string // where what was made is written down; that of the lab if empty
	Catalog *catalog.Catalog
	Say     func(format string, args ...any) // progress, a line each
}

const (
	// probing is the rate in requests per second beside live traffic.
	probing = slowest
	// slowest and fastest are what rates there may be: within the time of a look,
	// enough requests must come.
	slowest, fastest = 5, 5000
	// calming is how long a block waits for calm, beyond Settle.
	calming = 30 * time.Second
	// commandTime is how long a command that prepares or cleans up may take.
	commandTime = time.Minute
)

// Check names the first option that is wrong.
func (o Options) Check() error {
	switch {
	case len(o.Command) == 0:
		return errors.New("the backup's command must follow --")
	case !isSite(o.Web):
		return fmt.Errorf("--web is %q: it must be a URL such as http://127.0.0.1:8080/", o.Web)
	case o.Rate != 0 && !(o.Rate >= slowest && o.Rate <= fastest):
		return fmt.Errorf("--rate must be from %d to %d requests per second, or 0 for live traffic, not %g: fewer do not tell in time that the site is too slow", slowest, fastest, o.Rate)
	case o.Repeats < 2 || o.Repeats > 50:
		return fmt.Errorf("--repeats must be from 2 to 50, not %d: one block alone says nothing about chance", o.Repeats)
	case o.Confirm < 0 || o.Confirm > 50:
		return fmt.Errorf("--confirm must be from 0 to 50, not %d", o.Confirm)
	case o.Block < shortest || o.Block > 10*time.Minute:
		return fmt.Errorf("--block must be from %v to 10m, not %v", shortest, o.Block)
	case o.Settle < 500*time.Millisecond || o.Settle > time.Minute:
		return fmt.Errorf("--settle must be from 500ms to 1m, not %v", o.Settle)
	case o.AbortAbove <= 0:
		return fmt.Errorf("--abort-above must be positive, not %v", o.AbortAbove)
	case o.LimitTime <= 0 || o.LimitTime > 12*time.Hour:
		return fmt.Errorf("--limit-time must be up to 12h, not %v", o.LimitTime)
	}
	return nil
}

// isSite is whether a text is the URL of a web site.
func isSite(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// times are those of the parts.
func (o Options) times() experiment.Times {
	t := experiment.Times{Block: o.Block, Settle: o.Settle, Calm: o.Settle + calming, Stop: 2 * patience}
	if o.Prepare != "" || o.Cleanup != "" {
		t.Command = commandTime
	}
	return t
}
