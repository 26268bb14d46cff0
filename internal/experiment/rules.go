package experiment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// setting is what a remedy changes in a tool's command line.
type setting struct {
	env      []string // such as XZ_OPT=-0
	options  []string
	replaces []string // options with values that are left out
}

// rule is one of a tool's own remedies.
type rule struct {
	tool  string
	id    string
	title string
	class Class
	needs string // in the tool's help
	// bandwidth says that the options hold %d, for a rate in units of that many
	// bytes per second.
	bandwidth int64
	setting
	unless func(Command) string // why it does not fit this command
}

// Units of rates.
const (
	kiB      = 1 << 10
	kiloByte = 1000
)

// rules are what tools offer by options of one run. What the catalogue names
// besides changes a repository for good, or more than the load.
var rules = []rule{
	{
		tool: "restic", id: "bandwidth", title: "limit what it sends and receives", class: Network, needs: "--limit-upload", bandwidth: kiB,
		setting: setting{options: []string{"--limit-upload=%d", "--limit-download=%d"}, replaces: []string{"--limit-upload", "--limit-download"}},
	},
	{
		tool: "restic", id: "compress_less", title: "do not compress", class: CPU, needs: "--compression",
		setting: setting{options: []string{"--compression=off"}, replaces: []string{"--compression"}},
	},
	{
		tool: "restic", id: "one_thread", title: "use one CPU", class: CPU,
		setting: setting{env: []string{"GOMAXPROCS=1"}},
	},
	{
		tool: "restic", id: "read_less", title: "read one file at a time", class: Disk, needs: "--read-concurrency",
		setting: setting{options: []string{"--read-concurrency=1"}, replaces: []string{"--read-concurrency"}},
	},
	{
		tool: "borg", id: "bandwidth", title: "limit what it sends", class: Network, needs: "--upload-ratelimit", bandwidth: kiB, unless: localBorg,
		setting: setting{options: []string{"--upload-ratelimit=%d"}, replaces: []string{"--upload-ratelimit", "--remote-ratelimit"}},
	},
	{
		tool: "borg", id: "bandwidth", title: "limit what it sends", class: Network, needs: "--remote-ratelimit", bandwidth: kiB, unless: localBorg, // before 1.2
		setting: setting{options: []string{"--remote-ratelimit=%d"}, replaces: []string{"--remote-ratelimit"}},
	},
	{
		tool: "borg", id: "compress_less", title: "compress less", class: CPU, needs: "--compression", unless: lightBorg,
		setting: setting{options: []string{"--compression=lz4"}, replaces: []string{"--compression", "-C"}},
	},
	{
		// It sends an eighth of a second's data at once, and that fills a link's queue
		// for a while: a small buffer bounds what the kernel takes of it at a time.
		tool: "rsync", id: "bandwidth", title: "limit what it sends, with a small send buffer", class: Network, needs: "--sockopts", bandwidth: kiB, unless: withoutDaemon,
		setting: setting{options: []string{"--bwlimit=%d", "--sockopts=SO_SNDBUF=4096"}, replaces: []string{"--bwlimit", "--sockopts"}},
	},
	{
		tool: "rsync", id: "bandwidth", title: "limit what it sends", class: Network, needs: "--bwlimit", bandwidth: kiB,
		setting: setting{options: []string{"--bwlimit=%d"}, replaces: []string{"--bwlimit"}},
	},
	{
		tool: "rsync", id: "compress_less", title: "compress less", class: CPU, unless: uncompressedRsync,
		setting: setting{options: []string{"--compress-level=1"}, replaces: []string{"--compress-level", "--zl"}},
	},
	{
		tool: "rclone", id: "bandwidth", title: "limit what it sends", class: Network, needs: "--bwlimit", bandwidth: kiB,
		setting: setting{options: []string{"--bwlimit=%dK"}, replaces: []string{"--bwlimit"}},
	},
	{
		tool: "rclone", id: "read_less", title: "one file at a time", class: Disk, needs: "--transfers",
		setting: setting{options: []string{"--transfers=1", "--checkers=1"}, replaces: []string{"--transfers", "--checkers"}},
	},
	{
		tool: "tar", id: "compress_less", title: "compress less", class: CPU, unless: uncompressedTar,
		setting: setting{env: []string{"XZ_OPT=-0", "GZIP=-1", "ZSTD_CLEVEL=1", "BZIP2=-1"}},
	},
	{
		tool: "tar", id: "pauses", title: "pause for a second after each 10 MB", class: Disk, needs: "--checkpoint",
		setting: setting{options: []string{"--checkpoint=1000", "--checkpoint-action=sleep=1"}},
	},
	{tool: "xz", id: "compress_less", title: "compress less", class: CPU, setting: setting{options: []string{"-0"}}},
	{tool: "xz", id: "one_thread", title: "use one thread", class: CPU, needs: "--threads", unless: singleThreaded, setting: setting{options: []string{"-T1"}, replaces: []string{"-T", "--threads"}}},
	{tool: "zstd", id: "compress_less", title: "compress less", class: CPU, setting: setting{options: []string{"-1"}}},
	{tool: "zstd", id: "one_thread", title: "use one thread", class: CPU, unless: singleThreaded, setting: setting{options: []string{"-T1"}, replaces: []string{"-T", "--threads"}}},
	{tool: "gzip", id: "compress_less", title: "compress less", class: CPU, setting: setting{options: []string{"-1"}}},
	{tool: "pigz", id: "compress_less", title: "compress less", class: CPU, setting: setting{options: []string{"-1"}}},
	{tool: "pigz", id: "one_thread", title: "use one thread", class: CPU, setting: setting{options: []string{"-p1"}, replaces: []string{"-p", "--processes"}}},
	{tool: "bzip2", id: "compress_less", title: "compress less", class: CPU, setting: setting{options: []string{"-1"}}},
	{
		tool: "pg_dump", id: "compress_less", title: "compress less", class: CPU, needs: "--compress",
		setting: setting{options: []string{"--compress=1"}, replaces: []string{"-Z", "--compress"}},
	},
	{
		tool: "pg_basebackup", id: "bandwidth", title: "limit the rate at the server", class: Network, needs: "--max-rate", bandwidth: kiB,
		setting: setting{options: []string{"--max-rate=%dk"}, replaces: []string{"-r", "--max-rate"}},
	},
	{
		tool: "pgbackrest", id: "one_thread", title: "one worker and a lower level", class: CPU,
		setting: setting{options: []string{"--process-max=1", "--compress-level=1"}, replaces: []string{"--process-max", "--compress-level"}},
	},
}

// ownRemedies are the kinds of a tool's own remedies; each of them is told of,
// even if the tool has none.
var ownRemedies = []Missing{
	{ID: "bandwidth", Title: "the tool's own limit of bandwidth"},
	{ID: "compress_less", Title: "the tool's own level of compression"},
	{ID: "read_less", Title: "the tool's own number of files read at once"},
}

// helpFor is how tools are asked for their options, if not by --help alone.
var helpFor = map[string][]string{
	"restic": {"backup", "--help"},
	"borg":   {"create", "--help"},
	"rclone": {"help", "flags"},
}

// AskHelp is the command line that makes the tool tell its options.
func (c Command) AskHelp() []string {
	args, ok := helpFor[c.Tool]
	if !ok {
		args = []string{"--help"}
	}
	return append([]string{c.Argv[c.At]}, args...)
}

// toolRemedies are what the tool of a command offers.
func toolRemedies(c Command) []possible {
	var list []possible
	has := map[string]bool{}
	for _, r := range rules {
		if c.Tool == "" || r.tool != c.Tool {
			continue
		}
		has[r.id] = true
		list = append(list, r.offer(c)...)
	}
	for _, own := range ownRemedies {
		if has[own.ID] {
			continue
		}
		why := c.Why
		if c.Tool != "" {
			why = c.Tool + " has no option for it"
			if own.ID == "bandwidth" {
				why += ", unless its output goes through a pipe with pv -L"
			}
		}
		list = append(list, possible{Remedy{ID: own.ID, Title: own.Title}, why})
	}
	return list
}

// offer gives one remedy, or one for each share of the bandwidth.
func (r rule) offer(c Command) []possible {
	why := ""
	if r.unless != nil {
		why = r.unless(c)
	}
	remedy := Remedy{ID: r.id, Title: r.title + " (" + r.tool + ")", Class: r.class, Needs: r.needs}
	if r.bandwidth == 0 {
		remedy.setting = func(Plain) (setting, string) { return r.setting, "" }
		return []possible{{remedy, why}}
	}
	var list []possible
	for _, n := range bandwidthShares {
		limited := remedy
		limited.ID = r.id + "_" + strconv.Itoa(n)
		limited.Title = fmt.Sprintf("%s: 1/%d of its rate (%s)", r.title, n, r.tool)
		limited.setting = func(p Plain) (setting, string) { return r.limited(p.moved() / float64(n)) }
		list = append(list, possible{limited, why})
	}
	return list
}

// limited fills in a rate in bytes per second.
func (r rule) limited(rate float64) (setting, string) {
	const least = 32 // units; pg_basebackup refuses less
	if rate < kiloByte {
		return setting{}, "the plain backup hardly read or wrote anything"
	}
	s := r.setting
	s.options = nil
	for _, option := range r.options {
		s.options = append(s.options, strings.Replace(option, "%d", strconv.FormatInt(max(int64(rate)/r.bandwidth, least), 10), 1))
	}
	return s, ""
}

// localBorg: borg limits only what it sends to another host.
func localBorg(c Command) string {
	for _, arg := range c.Argv[c.At+1:] {
		repository, _, _ := strings.Cut(arg, "::")
		if strings.Contains(repository, "ssh://") || (strings.Contains(repository, ":") && !strings.HasPrefix(repository, "-") && !strings.Contains(repository, "{")) {
			return ""
		}
	}
	return "borg limits only what it sends to a repository on another host, and the command names none"
}

func lightBorg(c Command) string {
	if c.has("--compression", "-C") {
		return ""
	}
	return "borg compresses with lz4 already"
}

// withoutDaemon: only a connection to a daemon is rsync's own.
func withoutDaemon(c Command) string {
	for _, arg := range c.Argv[c.At+1:] {
		if strings.HasPrefix(arg, "rsync://") || strings.Contains(arg, "::") {
			return ""
		}
	}
	return "rsync has a connection of its own only to a daemon, such as rsync://host/module/"
}

func uncompressedRsync(c Command) string {
	for _, arg := range c.Argv[c.At+1:] {
		short := len(arg) > 1 && arg[0] == '-' && arg[1] != '-'
		if arg == "--compress" || (short && strings.Contains(arg, "z")) {
			return ""
		}
	}
	return "rsync does not compress without -z"
}

func uncompressedTar(c Command) string {
	for i, arg := range c.Argv[c.At+1:] {
		letters := i == 0 || (strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--"))
		if letters && strings.ContainsAny(flags(arg), "zJja") {
			return ""
		}
		if slices.Contains([]string{"--gzip", "--xz", "--bzip2", "--zstd", "--auto-compress"}, arg) {
			return ""
		}
	}
	return "tar does not compress here"
}

// flags are the letters of an argument such as "czf" or "-czf"; what follows the
// first f is a file's name.
func flags(arg string) string {
	letters, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "f")
	return letters
}

func singleThreaded(c Command) string {
	if c.has("-T", "--threads") {
		return ""
	}
	return c.Tool + " uses one thread already"
}
