package victim

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// TestMain lets the test binary also start servers and be killed:
// "lab-victims", with a directory and an address.
func TestMain(m *testing.M) {
	if len(os.Args) != 4 || os.Args[1] != "lab-victims" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := victims(ctx, os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
