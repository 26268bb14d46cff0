package journal

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// aliases gives names that tell nothing: the same for the same, in the order in
// which they are asked for.
type aliases struct {
	stem  string
	given map[string]string
}

func (a *aliases) of(name string) string {
	alias, ok := a.given[name]
	if !ok {
		alias = a.stem + "-" + strconv.Itoa(len(a.given)+1)
		a.given[name] = alias
	}
	return alias
}

// unitForm is the name of a unit or container: what it is, who, and of which type.
// Who is told by the middle alone.
var unitForm = regexp.MustCompile(`^(docker-|libpod-|cri-containerd-|crio-|user@|)(.+?)(\.service|\.scope|\.slice|\.mount|\.socket|)$`)

// commonGroups are in the path of everybody's control group.
var commonGroups = []string{"", "docker", "system.slice", "user.slice", "machine.slice", "init.scope"}

// unit is the name of a unit or container, or of one level of control groups, as it
// is packed. Its form stays, since that is what it is recognised by.
func (k *keeper) unit(name string) string {
	if k.ours[name] || slices.Contains(commonGroups, name) {
		return name
	}
	form := unitForm.FindStringSubmatch(name)
	if form == nil { // it has a line break
		return k.strangers.of(name)
	}
	return form[1] + k.strangers.of(form[2]) + form[3]
}

// cgroup is the path of a control group as it is packed, level by level, for what
// is told of a group is also of those within.
func (k *keeper) cgroup(path string) string {
	if k.all() {
		return path
	}
	levels := strings.Split(k.text.Replace(path), "/")
	for i, level := range levels {
		levels[i] = k.unit(level)
	}
	return strings.Join(levels, "/")
}

// filesystem leaves out what strangers mounted, and where.
func (k *keeper) filesystem(f fact.Filesystem) fact.Filesystem {
	f.Mountpoint = k.text.Replace(f.Mountpoint)
	if !k.all() && f.Mountpoint != "/" && (k.Folder == "" || !strings.Contains(f.Mountpoint, k.Folder)) {
		f.Mountpoint, f.Device = "/"+k.strangers.of(f.Mountpoint), ""
	}
	return f
}

// leastHost is how long the name of a host must be to be looked for in texts.
const leastHost = 3

// hostNamed is what all hosts are called, those after the first with a number.
const hostNamed = "host"

// meet notes the hosts of a fact.
func (k *keeper) meet(f fact.Fact) {
	eachHost(f, func(name string) string {
		switch {
		case name == "" || k.hosts[name] != "":
		case len(k.hosts) == 0:
			k.hosts[name] = hostNamed
		default:
			k.hosts[name] = hostNamed + "-" + strconv.Itoa(len(k.hosts)+1)
		}
		return name
	})
}

// hostsInText finds the names of hosts in what people read.
func (k *keeper) hostsInText() *regexp.Regexp {
	var names []string
	for name := range k.hosts {
		if len(name) >= leastHost {
			names = append(names, regexp.QuoteMeta(name))
		}
	}
	if names == nil {
		return nil
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) }) // the longest first: web.example before web
	return regexp.MustCompile(`\b(` + strings.Join(names, "|") + `)\b`)
}

// words are a text as it is packed.
func (k *keeper) words(text string) string {
	text = k.text.Replace(text)
	if k.inText == nil {
		return text
	}
	return k.inText.ReplaceAllStringFunc(text, func(name string) string { return k.hosts[name] })
}

// eachHost gives a fact whose hosts are renamed, whatever kind of fact it is.
func eachHost(f fact.Fact, rename func(string) string) fact.Fact {
	v := reflect.New(reflect.TypeOf(f)).Elem()
	v.Set(reflect.ValueOf(f))
	renameHosts(v, rename)
	renamed, _ := v.Interface().(fact.Fact) // it is of f's type
	return renamed
}

func renameHosts(v reflect.Value, rename func(string) string) {
	for field, value := range v.Fields() {
		switch x := value.Interface().(type) {
		case fact.Process:
			renameHosts(value, rename)
		case string:
			if field.Name == "Host" {
				value.SetString(rename(x))
			}
		case []string:
			if field.Name == "Hosts" {
				renamed := slices.Clone(x)
				for i := range renamed {
					renamed[i] = rename(renamed[i])
				}
				value.Set(reflect.ValueOf(renamed))
			}
		}
	}
}
