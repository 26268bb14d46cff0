package journal

import (
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// keeper knows which processes are part of what was recorded. They are told by
// their PID: a run is too short for one to be used again.
type keeper struct {
	Packing
	own    map[int64]bool // and with them those that they started
	serves map[int64]bool
	text   *strings.Replacer

	ours      map[string]bool   // units and levels of control groups in which they are
	strangers aliases           // of units, and of where strangers mount what
	hosts     map[string]string // as they are packed
	inText    *regexp.Regexp    // any of hosts; nil if there is none
}

// look finds them.
func (k *keeper) look(facts iter.Seq2[fact.Fact, error]) error {
	k.text, k.own, k.serves = strings.NewReplacer(k.Replace...), map[int64]bool{}, map[int64]bool{}
	k.ours, k.hosts, k.strangers = map[string]bool{}, map[string]string{}, aliases{Stranger, map[string]string{}}
	if k.all() {
		return nil
	}
	var told []fact.Described
	var serving []string // commands
	if k.Root != 0 {
		k.own[k.Root] = true
	}
	for f, err := range facts {
		if err != nil {
			return err
		}
		k.meet(f)
		switch f := f.(type) {
		case fact.Described:
			told = append(told, f)
		case fact.Serves:
			k.serves[f.Process.PID] = true
		case fact.Service:
			serving = append(serving, f.Processes...)
		}
	}
	for grown := true; grown; { // children may be told before their parents
		grown = false
		for _, d := range told {
			if !k.own[d.Process.PID] && k.belongs(d) {
				k.own[d.Process.PID], grown = true, true
			}
		}
	}
	for _, unit := range serving {
		k.ours[unit], k.ours[unit+".service"] = true, true
	}
	for _, d := range told {
		if slices.Contains(serving, d.Command) {
			k.serves[d.Process.PID] = true
		}
		if !k.stranger(d.Process.PID) {
			k.ours[d.Workload.Name] = true
			for level := range strings.SplitSeq(k.text.Replace(d.Cgroup), "/") {
				k.ours[level] = true
			}
		}
	}
	k.inText = k.hostsInText()
	return nil
}

func (k *keeper) stranger(pid int64) bool { return !k.all() && !k.own[pid] && !k.serves[pid] }

func (k *keeper) all() bool { return k.Root == 0 && k.Folder == "" }

func (k *keeper) belongs(d fact.Described) bool {
	if k.own[d.Parent] || k.own[d.Group] || k.own[d.Session] {
		return true
	}
	inFolder := func(text string) bool { return strings.Contains(text, k.Folder) }
	return k.Folder != "" && (inFolder(d.Executable) || inFolder(d.Cgroup) || slices.ContainsFunc(d.Args, inFolder))
}

// keep is a fact as it is packed.
func (k *keeper) keep(f fact.Fact) fact.Fact {
	switch named := f.(type) {
	case fact.Described:
		f = k.described(named)
	case fact.Use:
		named.Workload = k.workload(named.Workload)
		f = named
	case fact.Pressure:
		named.Cgroup = k.cgroup(named.Cgroup)
		f = named
	case fact.Paging:
		named.Cgroup = k.cgroup(named.Cgroup)
		f = named
	case fact.Filesystem:
		f = k.filesystem(named)
	case fact.Log:
		named.Body = k.words(named.Body)
		if !k.all() {
			named.Unit = k.unit(named.Unit)
		}
		f = named
	case fact.Mark:
		named.Text = k.words(named.Text)
		f = named
	case fact.Recalled:
		named.State = k.memory(named.State)
		f = named
	}
	if k.all() {
		return f
	}
	return eachHost(f, func(name string) string { return k.hosts[name] })
}

func (k *keeper) described(d fact.Described) fact.Described {
	d.Workload, d.Cgroup = k.workload(d.Workload), k.cgroup(d.Cgroup)
	if k.stranger(d.Process.PID) {
		d.Command, d.Executable, d.Args = Stranger, "", nil
		return d
	}
	d.Executable = k.text.Replace(d.Executable)
	d.Args = slices.Clone(d.Args)
	for i := range d.Args {
		d.Args[i] = k.words(d.Args[i])
	}
	return d
}

// workload gives a stranger's job another name, for jobs are told apart by their
// leader's PID; units and containers of strangers get one each.
func (k *keeper) workload(w fact.Workload) fact.Workload {
	switch {
	case k.all(), w.Name == "", w.Type == fact.OtherWorkloads, w.Type == fact.KernelThreads:
	case w.PID == 0:
		w.Name = k.unit(w.Name)
	case k.stranger(w.PID):
		w.Name = Stranger
	}
	return w
}

// jsonText is a text in JSON without escapes.
var jsonText = regexp.MustCompile(`"[^"\\]*"`)

// memory is what was learned before, with the hosts' names in it.
func (k *keeper) memory(state []byte) []byte {
	return jsonText.ReplaceAllFunc(state, func(text []byte) []byte {
		if alias := k.hosts[string(text[1:len(text)-1])]; alias != "" {
			return []byte(`"` + alias + `"`)
		}
		return text
	})
}
