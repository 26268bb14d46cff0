package cli

import "github.com/spf13/cobra"

func newLab(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Make real incidents on this host, and score what was said of them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLabScore(s))
	for _, sub := range cmd.Commands() {
		sub.Args = asUsage(sub.Args)
	}
	return cmd
}
