package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

// likeness is by how many letters a name may be mistaken for another.
const likeness = 2

// forms are what flags of a type take, as a person writes it.
var forms = map[string]string{
	"uint64":   "a whole number from 0 on, such as 7",
	"int":      "a whole number, such as 3",
	"float64":  "a number, such as 20 or 0.5",
	"duration": "a time with its unit, such as 15s, 500ms or 2m",
	"bool":     "true or false",
}

// flagMistake words what is wrong with a flag: which, what it got and what it
// takes.
func flagMistake(_ *cobra.Command, err error) error {
	var wrong *pflag.InvalidValueError
	if !errors.As(err, &wrong) {
		return usageError{err}
	}
	flag := wrong.GetFlag()
	form, known := forms[flag.Value.Type()]
	if !known {
		return usageError{err}
	}
	return usageError{fmt.Errorf("--%s is %q: it must be %s", flag.Name, wrong.GetValue(), form)}
}

// asUsage turns complaints about arguments into usage errors.
func asUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// onlyCommands refuses what is no command under this one, with those that may be
// meant.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = likeness
	return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), meant(cmd.SuggestionsFor(args[0])))
}

// like gives the names that may be meant by another one.
func like(name string, names []string) []string {
	all := &cobra.Command{SuggestionsMinimumDistance: likeness}
	for _, n := range names {
		all.AddCommand(&cobra.Command{Use: n, Run: func(*cobra.Command, []string) {}})
	}
	return all.SuggestionsFor(name)
}

// meant asks whether one of the names was meant.
func meant(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return ": did you mean " + names[0] + "?"
	default:
		return ": did you mean one of " + strings.Join(names, ", ") + "?"
	}
}
