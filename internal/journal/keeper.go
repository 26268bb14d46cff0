package journal

import (
	"iter"
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
}

// look finds them.
func (k *keeper) look(facts iter.Seq2[fact.Fact, error]) error {
	k.text, k.own, k.serves = strings.NewReplacer(k.Replace...), map[int64]bool{}, map[int64]bool{}
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
	for _, d := range told {
		if slices.Contains(serving, d.Command) {
			k.serves[d.Process.PID] = true
		}
	}
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
	switch f := f.(type) {
	case fact.Described:
		f.Workload = k.workload(f.Workload)
		if k.stranger(f.Process.PID) {
			f.Command, f.Executable, f.Args = Stranger, "", nil
			return f
		}
		f.Executable, f.Cgroup = k.text.Replace(f.Executable), k.text.Replace(f.Cgroup)
		f.Args = slices.Clone(f.Args)
		for i := range f.Args {
			f.Args[i] = k.text.Replace(f.Args[i])
		}
		return f
	case fact.Use:
		f.Workload = k.workload(f.Workload)
		return f
	case fact.Filesystem:
		f.Mountpoint = k.text.Replace(f.Mountpoint)
		return f
	case fact.Log:
		f.Body = k.text.Replace(f.Body)
		return f
	case fact.Mark:
		f.Text = k.text.Replace(f.Text)
		return f
	default:
		return f
	}
}

// workload gives a stranger's job another name; jobs are told apart by their
// leader's PID.
func (k *keeper) workload(w fact.Workload) fact.Workload {
	if w.PID != 0 && k.stranger(w.PID) {
		w.Name = Stranger
	}
	return w
}
