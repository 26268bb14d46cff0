// Command culprit demonstrates, replays and explains what otelcol-culprit finds.
package main

import (
	"os"

	"github.com/otel-culprit/culprit/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
