package demo

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"

	"github.com/otel-culprit/culprit/internal/lab/victim"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestMain lets the test binary also be the demo's children: the site, and a
// collector that knows the truth.
func TestMain(m *testing.M) { os.Exit(play(m)) }

func play(m *testing.M) (status int) {
	if len(os.Args) < 2 {
		return m.Run()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case os.Args[1] == "lab-site":
		flags := pflag.NewFlagSet("lab-site", pflag.ExitOnError)
		cfg := victim.DefaultSite()
		cfg.Flags(flags)
		if err = flags.Parse(os.Args[2:]); err == nil {
			err = victim.Site(ctx, cfg)
		}
	case strings.HasPrefix(os.Args[1], "--config="):
		err = oracle(ctx)
	default:
		return m.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
