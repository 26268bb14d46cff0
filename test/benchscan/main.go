// Benchscan compares what collectors cost that read every process of a host
// each second: this project's, in several settings, and whichever of the usual
// ones are installed. It starts idle processes, runs the collectors in turn and
// reads their CPU time and memory from /proc. With -check it compares what our
// collector credits to a job with what the job knows it used.
//
//	go run ./test/benchscan -help
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	// The kernel ends the collectors when the thread that started them ends.
	runtime.LockOSThread()
	os.Exit(run(os.Args[1:]))
}

// run is the whole program; it returns the exit status.
func run(args []string) int {
	if len(args) > 0 {
		if role, ok := roles[args[0]]; ok {
			return report(role(args[1:]))
		}
	}
	o, err := parseOptions(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchscan:", err)
		return 2
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	if o.check != "" {
		return report(runCheck(ctx, o))
	}
	return report(runBench(ctx, o))
}

func report(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "benchscan:", err)
	return 1
}

// roles are what a copy of this program does that it started itself.
var roles = map[string]func(args []string) error{
	roleIdle:      idle,
	roleShort:     shortlivedJob,
	roleNetServer: netServer,
	roleNetClient: netClient,
}

// logf tells a person what goes on.
func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
