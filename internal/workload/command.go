package workload

import (
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/process"
)

// What is known of commands by the kernel's name of them.
var (
	shells       = []string{"sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "ash", "csh", "tcsh", "busybox"}
	interpreters = []string{"python", "perl", "ruby", "node", "php", "lua", "java", "tclsh", "expect"}
	crons        = []string{"cron", "crond", "anacron", "atd", "fcron"}

	// wrappers start one command in a process group or session of its own.
	wrappers = []string{"timeout", "sudo", "su", "runuser", "setsid", "doas", "script", "unbuffer"}

	// spawners start things that have nothing to do with each other.
	spawners = []string{
		"systemd", "init", "sshd", "sshd-session", "dropbear", "login", "agetty", "getty",
		"tmux", "tmux: server", "screen", "SCREEN", "containerd-shim", "containerd-shim-runc-v2", "conmon",
		"supervisord", "runsv", "s6-supervise", "xinetd", "inetd",
	}
)

func isShell(name string) bool   { return slices.Contains(shells, name) }
func isCron(name string) bool    { return slices.Contains(crons, name) }
func isWrapper(name string) bool { return slices.Contains(wrappers, name) }

// isInterpreter knows "python3.11" as well as "python".
func isInterpreter(name string) bool {
	return isShell(name) || slices.Contains(interpreters, strings.TrimRight(name, "0123456789."))
}

// isInteractive knows the shell that a person types into.
func isInteractive(p *process.Process) bool {
	return p.TTY && p.Session == p.PID && isShell(p.Name)
}

// isSpawner reports whether what p starts is work of its own.
func isSpawner(p *process.Process) bool {
	return p.PID == 1 || isInteractive(p) || isCron(p.Name) || slices.Contains(spawners, p.Name)
}

// nameOf is what a person would call what p does: the script of an interpreter,
// else the command. It is not good where something better may be seen later.
func nameOf(p *process.Process) (name string, good bool) {
	switch {
	case isInterpreter(p.Name):
		if script := scriptOf(p.Args); script != "" {
			return script, true
		}
		return p.Name, isInteractive(p)
	case isCron(p.Name), isWrapper(p.Name), p.Name == "run-parts", p.Name == "":
		return p.Name, false
	}
	return p.Name, true
}

// scriptOf finds the script of an interpreter's command line: the first argument
// that is no option, or the first word of the command that -c gives.
func scriptOf(args []string) string {
	for i, arg := range args {
		switch {
		case i == 0 || arg == "":
		case arg == "-e" || arg == "-m" || arg == "-":
			return ""
		case isCommandOption(arg):
			if i+1 < len(args) {
				return firstWord(args[i+1])
			}
			return ""
		case strings.HasPrefix(arg, "/dev/fd/"), strings.HasPrefix(arg, "/proc/"):
			return "" // a pipe says nothing
		case arg[0] != '-':
			return base(arg)
		}
	}
	return ""
}

// isCommandOption knows -c, and -lc or -ec of shells.
func isCommandOption(arg string) bool {
	return arg[0] == '-' && !strings.HasPrefix(arg, "--") && strings.HasSuffix(arg, "c") && len(arg) <= 4
}

// firstWord is the command at the start of a line for a shell, if it is plainly
// there; a builtin or an assignment is not it.
func firstWord(line string) string {
	word, _, _ := strings.Cut(strings.TrimLeft(line, " \t"), " ")
	if word == "" || strings.ContainsAny(word, "=$`'\"\\|&;<>()[]{}!#*?\n\t") {
		return ""
	}
	if slices.Contains([]string{"cd", "test", "if", "for", "while", "exec", "export", "set", "umask", ".", ":"}, word) {
		return ""
	}
	name := base(word)
	if isInterpreter(name) || isWrapper(name) || isCron(name) ||
		slices.Contains([]string{"env", "nice", "ionice", "chrt", "taskset", "flock", "nohup", "time", "run-parts"}, name) {
		return "" // What it runs has the better name.
	}
	return name
}

func base(path string) string {
	trimmed := strings.TrimRight(path, "/")
	return trimmed[strings.LastIndexByte(trimmed, '/')+1:]
}
