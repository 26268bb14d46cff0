package trial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/otel-culprit/culprit/internal/experiment"
)

// found makes sure that the backup's program and its data are there, before
// anything is done.
func (o Options) found() error {
	program := o.Command[0]
	if _, err := exec.LookPath(program); err != nil {
		cure := "install it, or give its whole path"
		if strings.ContainsAny(program, " |;<>&") {
			line := program
			if rest := o.Command[1:]; len(rest) > 0 {
				line += " " + experiment.ShellLine(rest)
			}
			cure = "give each word apart, or the whole line to a shell: -- " + experiment.ShellLine([]string{"sh", "-c", line})
		}
		return fmt.Errorf("the backup's command after --: there is no program %q that could be run (%w): %s", program, errors.Unwrap(err), cure)
	}
	for _, dir := range o.Data {
		if err := readable(dir); err != nil {
			return fmt.Errorf("--data: %w: name directories that the backup reads and that you may read", err)
		}
	}
	return nil
}

func readable(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the user names it
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // read only
	if _, err := d.Readdirnames(1); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
