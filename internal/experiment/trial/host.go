package trial

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/stage"
)

// probe finds out what this host and the tool offer. The device is empty if
// there is none below the data.
func probe(ctx context.Context, o Options, c experiment.Command, can stage.Abilities) (experiment.Host, device) {
	var h experiment.Host
	h.Autogrouped, h.Ungrouped = child.Autogrouped(os.Getpid(), os.ReadFile)
	h.NoNice = lacks("nice", "coreutils")
	h.NoCPUGroups, h.NoIOGroups = can.Missing(stage.NeedCPU), can.Missing(stage.NeedIO)
	if c.Tool != "" {
		h.Help, h.NoHelpReason = help(ctx, c)
	}
	if len(o.Data) == 0 {
		const unknown = "which disk the backup uses is not known: name the directories that it reads with --data"
		h.NoIdleIO, h.NoIOGroups = unknown, unknown
		return h, device{}
	}
	d, err := deviceOf(o.Data[0])
	switch {
	case err != nil:
		h.NoIdleIO, h.NoIOGroups = err.Error(), err.Error()
	case d.scheduler != "bfq":
		h.NoIdleIO = fmt.Sprintf("only the scheduler bfq heeds it, and %s, which is below %s, has %s", d.name, o.Data[0], d.scheduler)
	default:
		h.NoIdleIO = lacks("ionice", "util-linux")
	}
	return h, d
}

// groupsWay is how a person would make control groups here.
func groupsWay() experiment.Way {
	there := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	switch {
	case !there("/sys/fs/cgroup/cgroup.controllers"):
		return experiment.Version1
	case there("/run/systemd/system"):
		return experiment.Systemd
	default:
		return experiment.Version2
	}
}

func lacks(program, from string) string {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Sprintf("there is no program %s in PATH: install %s", program, from)
	}
	return ""
}

// help asks a tool for its options.
func help(ctx context.Context, c experiment.Command) (text, why string) {
	const (
		patient = 10 * time.Second
		most    = 1 << 20
	)
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	argv := c.AskHelp()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the user's own tool
	cmd.WaitDelay = time.Second                           // for what holds its output open after it ended
	out, err := cmd.CombinedOutput()
	if len(out) == 0 && err != nil {
		return "", fmt.Sprintf("%s does not tell its options: %v", experiment.ShellLine(argv), err)
	}
	return string(out[:min(len(out), most)]), ""
}
