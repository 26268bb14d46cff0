package experiment

import "strings"

var labels = map[string]string{
	Baseline:        "no backup",
	Without:         "as it is",
	"nice":          "lowest priority",
	"autogroup":     "least session weight",
	"ionice":        "idle disk class",
	"cpu_weight":    "least CPU weight",
	"compress_less": "less compression",
	"read_less":     "fewer files at once",
	"one_thread":    "one thread",
	"pauses":        "with pauses",
}

// shared are those of which the share of what the plain backup uses follows.
var shared = map[string]string{"cpu_limit": "CPU time", "io_limit": "disk rate", "bandwidth": "bandwidth"}

// Label is what a person calls the arm with an ID, in a few words.
func Label(id string) string {
	if label, ok := labels[id]; ok {
		return label
	}
	at := strings.LastIndexByte(id, '_')
	if at > 0 {
		if what, ok := shared[id[:at]]; ok {
			return "1/" + id[at+1:] + " of its " + what
		}
	}
	if what, ok := shared[id]; ok {
		return "limited " + what
	}
	return id
}

// Label is what a person calls it.
func (a Arm) Label() string { return Label(a.ID) }

func labelled(ids []string) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = Label(id)
	}
	return strings.Join(list, ", ")
}
