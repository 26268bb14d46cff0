// Package cli is the command line of culprit: each command reads its flags,
// calls the package that does the work and prints what it found.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/catalog"
	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// Exit statuses of culprit.
const (
	exitOK     = 0
	exitFailed = 1 // the command ran and the answer is no, or it could not run
	exitUsage  = 2
)

// errSaid ends a command that has printed why already.
var errSaid = errors.New("said already")

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs culprit with arguments and returns its exit status.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	return run(ctx, args, streams{in: in, out: out, err: errOut})
}

// run is Main until ctx ends.
func run(ctx context.Context, args []string, s streams) int {
	root := newRoot(s) //nolint:contextcheck // ExecuteContextC hands ctx to the commands
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSaid):
		return exitFailed
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(s.err, "culprit: %v\nRun '%s --help' for help.\n", err, cmd.CommandPath())
		return exitUsage
	default:
		_, _ = fmt.Fprintf(s.err, "culprit: %v\n", err)
		return exitFailed
	}
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "culprit",
		Short: "Tells which backup, traffic surge or disk slowed the web site",
		Long: "culprit demonstrates what otelcol-culprit finds, and replays, explains and\n" +
			"pictures its journals.\n" +
			"The collector itself is otelcol-culprit.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          onlyCommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(flagMistake)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newDemo(s), newReport(s), newReplay(s), newExplain(s), newEval(s), newFit(s), newLab(s), newExperiment(s), newSite(), newUpstream())
	for _, cmd := range root.Commands() {
		cmd.Args = asUsage(cmd.Args)
	}
	root.Args = asUsage(root.Args)
	return root
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// setup is an engine without a past, with what its numbers rest on.
type setup struct {
	engine     *rootcause.Engine
	catalog    *catalog.Catalog
	params     rootcause.Params
	provenance params.Provenance
}

// newSetup reads the numbers from the file at path; if it is empty, they are the
// shipped ones.
func newSetup(path string) (setup, error) {
	numbers, provenance, err := params.Open(path)
	if err != nil {
		return setup{}, fmt.Errorf("--params: %w", err)
	}
	known, err := files.Default()
	if err != nil {
		return setup{}, err
	}
	return setup{rootcause.New(numbers, known), known, numbers, provenance}, nil
}

// takeParams gives a command the flag --params.
func takeParams(cmd *cobra.Command) *string {
	return cmd.Flags().String("params", "", "file with other numbers for the engine (default: the shipped ones)")
}
