package lab

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// TestMain lets the test binary also stand for "culprit experiment": its argument
// says what it does then.
func TestMain(m *testing.M) {
	if len(os.Args) != 3 || os.Args[1] != "experiment" {
		os.Exit(m.Run())
	}
	os.Exit(experimentThat(os.Args[2]))
}

// experimentThat prints its report, at once or when it is asked to end, or none, and
// returns its exit status.
func experimentThat(does string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Fprintln(os.Stderr, "it runs")
	switch does {
	case "prints":
		fmt.Println(`{"state":"done"}`)
		return 0
	case "prints and fails":
		fmt.Println(`{"state":"aborted"}`)
	case "prints nothing":
		return 0
	case "waits", "waits in vain":
		<-ctx.Done()
		if does == "waits" {
			fmt.Println(`{"state":"interrupted"}`)
		}
	}
	return 1
}
