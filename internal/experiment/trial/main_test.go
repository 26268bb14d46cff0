package trial

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/otel-culprit/culprit/internal/lab/victim"
)

// TestMain lets the test binary also be the lab's site, a process of its own:
// ADDRESS and a directory follow "lab-site".
func TestMain(m *testing.M) {
	if len(os.Args) != 4 || os.Args[1] != "lab-site" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := victim.Site(ctx, victim.SiteConfig{Addr: os.Args[2], Dir: os.Args[3], Work: 6 * time.Millisecond}); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
