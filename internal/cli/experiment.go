package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/experiment/picture"
	"github.com/otel-culprit/culprit/internal/experiment/trial"
)

// experimentOptions are what the flags of experiment set.
type experimentOptions struct {
	trial.Options

	html   string // file for the page; empty for none
	asJSON bool
}

func newExperiment(s streams) *cobra.Command {
	var o experimentOptions
	cmd := &cobra.Command{
		Use:   "experiment --web URL [flags] -- BACKUP COMMAND...",
		Short: "Find out on a test server why your backup slows your site, and what helps",
		Long: "experiment loads a web site on this host and runs your backup beside it, in blocks: without a\n" +
			"backup, with it as it is, and with each remedy that can work on this host and with this tool.\n" +
			"It tells what each does to the requests and to the backup, what the two contend for, and which\n" +
			"remedy to take.\n\n" +
			"It runs your backup many times, and ends it in the middle of its work: use a repository for tests.\n" +
			"The backup must start anew each time: --prepare runs a command before each block, --cleanup after\n" +
			"it. Name the directories that it reads with --data, or they are in memory after the first block.\n\n" +
			"The repeats choose the remedy. Then it is played --confirm times more, beside no backup and the\n" +
			"backup as it is: it is sure if p95 stays within 1.5 times the baseline in all of at least 5 rounds.\n\n" +
			"It stops at once, and undoes what it did, when the p95 of the last five seconds passes --abort-above,\n" +
			"or at Ctrl-C, and reports what it has. Its progress goes to standard error. The exit status is 0 if it\n" +
			"was played to its end, and all was undone.",
		Example: "  culprit experiment --web http://127.0.0.1:8080/ --path / --path /cart --data /srv/shop \\\n" +
			"      --prepare 'restic -q -r /tmp/test-repo init' --cleanup 'rm -rf /tmp/test-repo' \\\n" +
			"      -o experiment.html -- restic -r /tmp/test-repo backup /srv/shop",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := behindDashes(cmd, args); err != nil {
				return err
			}
			if o.Web == "" {
				return errors.New("--web must name the site, such as http://127.0.0.1:8080/")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Command = args
			if !cmd.Flags().Changed("seed") {
				o.Seed = rand.Uint64() >> 11 //nolint:gosec // any seed will do; JSON keeps 53 bits
			}
			return o.run(cmd.Context(), s)
		},
	}
	o.register(cmd.Flags())
	return cmd
}

// register makes the flags.
func (o *experimentOptions) register(flags *pflag.FlagSet) {
	flags.SetInterspersed(false) // what follows the backup's name is its own, even if the -- was forgotten
	flags.StringVar(&o.Web, "web", "", "URL of the site; it must be on the loopback interface")
	flags.StringVar(&o.Owned, "i-own-this", "", "host of --web, if it is not on the loopback interface but a test server of your own")
	flags.StringArrayVar(&o.Paths, "path", nil, "page to ask for, such as /cart; may be repeated (default: that of --web)")
	flags.Float64Var(&o.Rate, "rate", 20, "requests per second, at random times, from 5; 0 for live traffic and a light probe")
	flags.StringArrayVar(&o.Data, "data", nil, "directory that the backup reads; may be repeated; without it no limits of the disk are tried")
	flags.StringVar(&o.Prepare, "prepare", "", "command for a shell, before each block")
	flags.StringVar(&o.Cleanup, "cleanup", "", "command for a shell, after each block")
	flags.IntVar(&o.Repeats, "repeats", 3, "how often each is tried; more make the ranges surer")
	flags.IntVar(&o.Confirm, "confirm", 5, "how often the recommended remedy is tried again, as long as --limit-time allows; from 5 on it can be sure, 0 for not")
	flags.DurationVar(&o.Block, "block", 15*time.Second, "how long each is tried, unless the backup ends before")
	flags.DurationVar(&o.Settle, "settle", 3*time.Second, "how long the site must be calm before")
	flags.DurationVar(&o.LimitTime, "limit-time", 30*time.Minute, "when to end at the latest, with what there is")
	flags.DurationVar(&o.AbortAbove, "abort-above", 2*time.Second, "p95 of the last five seconds at which to stop at once")
	flags.Uint64Var(&o.Seed, "seed", 0, "for the order of the blocks and the times of the requests (default: a random one)")
	flags.StringSliceVar(&o.Skip, "skip", nil, "remedies that are not tried, such as nice,cpu_weight")
	flags.StringVarP(&o.html, "output", "o", "", "write a page with a picture to this file")
	flags.BoolVar(&o.asJSON, "json", false, "print one JSON object")
}

// run plays the experiment and tells its report.
func (o *experimentOptions) run(ctx context.Context, s streams) error {
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	var err error
	if o.html != "" {
		if o.html, err = place("output", "the page", o.html); err != nil {
			return err
		}
	}
	if o.Catalog, err = files.Default(); err != nil {
		return err
	}
	o.Say = func(format string, args ...any) { _, _ = fmt.Fprintf(s.err, format+"\n", args...) }
	defer context.AfterFunc(ctx, func() { onInterrupt(s) })()
	report, err := trial.Run(ctx, o.Options)
	return o.finish(s, report, err)
}

// behindDashes wants the backup's command behind --, and nothing else.
func behindDashes(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("the backup's command must follow --, such as -- restic backup /srv")
	case cmd.ArgsLenAtDash() == 0:
		return nil
	}
	if i := slices.Index(args, "--"); i >= 0 {
		return fmt.Errorf("only flags may stand before --, and %s is none", experiment.ShellLine(args[:i]))
	}
	line := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			line = append(line, experiment.ShellLine([]string{"--" + f.Name + "=" + v}))
		}
	})
	return fmt.Errorf("put -- before the backup's command, for what follows is its own:\n  %s -- %s", strings.Join(line, " "), experiment.ShellLine(args))
}

// onInterrupt tells what happens, and lets a second interrupt end the process.
func onInterrupt(s streams) {
	_, _ = fmt.Fprintln(s.err, "culprit: interrupted: what was changed is undone, and what is known is reported; to interrupt again ends it at once,"+
		" and then 'culprit lab clean' undoes what is left")
	signal.Reset(syscall.SIGINT, syscall.SIGTERM)
}

// finish tells what there is to report, also if an error came at the end.
func (o *experimentOptions) finish(s streams, report experiment.Report, failure error) error {
	if failure != nil && len(report.Blocks) == 0 {
		return failure
	}
	err := o.tell(s, report)
	if failure != nil && errors.Is(err, errSaid) {
		return failure // not all is said
	}
	return errors.Join(failure, err)
}

// tell prints a report.
func (o *experimentOptions) tell(s streams, report experiment.Report) error {
	var err error
	if o.asJSON {
		err = json.NewEncoder(s.out).Encode(report)
	} else {
		_, err = fmt.Fprint(s.out, report.Text())
	}
	if o.html != "" {
		if failed := writeFile(o.html, func(w io.Writer) error { return picture.Write(w, report) }); failed != nil {
			err = errors.Join(err, fmt.Errorf("write the page: %w", failed))
		} else {
			_, _ = fmt.Fprintln(s.err, "culprit: the page is in", o.html)
		}
	}
	if err != nil {
		return err
	}
	if report.State != experiment.Done {
		_, _ = fmt.Fprintln(s.err, "culprit: the experiment is not complete:", strings.TrimSuffix(report.Stopped, "."))
		return errSaid
	}
	return nil
}
