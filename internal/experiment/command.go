package experiment

import (
	"regexp"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/catalog"
	"github.com/otel-culprit/culprit/internal/fact"
)

// Command is the backup as the user types it.
type Command struct {
	Argv []string
	// Tool is the program whose own options can be set, such as "restic"; empty
	// if there is none. At is where in Argv it stands: "nice" and the like may
	// stand before it.
	Tool string
	At   int
	// Why says why there is no tool.
	Why string
}

// compressors make no backup by themselves, but their level can be set.
var compressors = []string{"xz", "zstd", "gzip", "pigz", "bzip2"}

var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"}

// wrapper is a program that runs the command after its own arguments.
type wrapper struct {
	valued []string // its options that take a value as the next argument
	names  int      // arguments before the command that are no options
}

var wrappers = map[string]wrapper{
	"env":     {valued: []string{"-u", "--unset", "-C", "--chdir"}},
	"nice":    {valued: []string{"-n", "--adjustment"}},
	"ionice":  {valued: []string{"-c", "--class", "-n", "--classdata"}},
	"chrt":    {names: 1},
	"taskset": {names: 1},
	"timeout": {valued: []string{"-k", "--kill-after", "-s", "--signal"}, names: 1},
	"sudo":    {valued: []string{"-u", "--user", "-g", "--group"}},
	"setpriv": {},
	"stdbuf":  {valued: []string{"-i", "-o", "-e"}},
	"setsid":  {},
	"nohup":   {},
	"ip":      {valued: []string{"-n", "-netns"}, names: 3}, // netns exec NAME
	"nsenter": {valued: []string{"-t", "--target"}},
	"time":    {},
}

// Parse finds the tool in a command line.
func Parse(argv []string, known *catalog.Catalog) Command {
	c := Command{Argv: argv, At: behindWrappers(argv)}
	if c.At >= len(argv) {
		c.Why = "no command follows " + strings.Join(argv, " ")
		return c
	}
	name := base(argv[c.At])
	if slices.Contains(shells, name) {
		c.Why = "the command is a line for a shell: the options of the tools in it cannot be set from outside; name the tool itself as the command"
		return c
	}
	if slices.Contains(compressors, name) {
		c.Tool = name
		return c
	}
	recognised, ok := known.Recognise(fact.Described{Command: name[:min(len(name), maxCommand)], Args: argv[c.At:]})
	if !ok {
		c.Why = name + " with these arguments is no backup that the catalogue knows"
		return c
	}
	c.Tool = recognised.Tool.Name
	return c
}

// maxCommand is how many bytes of a command's name the kernel keeps.
const maxCommand = 15

// behindWrappers is where the command of all wrappers stands.
func behindWrappers(argv []string) int {
	at := 0
	for at < len(argv) {
		w, ok := wrappers[base(argv[at])]
		if !ok {
			return at
		}
		at++
		names := w.names
		for at < len(argv) {
			arg := argv[at]
			switch {
			case slices.Contains(w.valued, arg):
				at++
			case strings.HasPrefix(arg, "-"), assignment.MatchString(arg):
			case names > 0:
				names--
			default:
				names = -1
			}
			if names < 0 {
				break
			}
			at++
		}
	}
	return at
}

var assignment = regexp.MustCompile(`^[A-Za-z_]\w*=`)

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// with is the command line with an environment for the tool, and with options in
// place of any of the same names. They stand at the end, before a "--": there the
// tools of the rules heed them, and what stands before is not mistaken.
func (c Command) with(s setting) []string {
	argv := slices.Clone(c.Argv[:c.At])
	if len(s.env) > 0 {
		argv = append(append(argv, "env"), s.env...)
	}
	tool := c.Argv[c.At:]
	options := without(tool, s.replaces)
	at := len(options)
	if i := slices.Index(options, "--"); i >= 0 {
		at = i
	}
	return append(argv, slices.Insert(options, at, s.options...)...)
}

// without leaves options out, with their values: "--name value", "--name=value"
// or, for a single letter, "-nvalue".
func without(argv, names []string) []string {
	var kept []string
	for i := 0; i < len(argv); i++ {
		if argv[i] == "--" {
			return append(kept, argv[i:]...)
		}
		name, _, joined := strings.Cut(argv[i], "=")
		letter := ""
		if len(argv[i]) > 2 && argv[i][0] == '-' && argv[i][1] != '-' {
			letter = argv[i][:2]
		}
		switch {
		case slices.Contains(names, letter):
		case !slices.Contains(names, name):
			kept = append(kept, argv[i])
		case !joined && i+1 < len(argv):
			i++
		}
	}
	return kept
}

// has reports whether one of the options is given.
func (c Command) has(names ...string) bool {
	tool := c.Argv[c.At:]
	return len(without(tool, names)) < len(tool)
}
