package culprit_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/otel-culprit/culprit"

// layers says what each package may import of this module, and whether it is
// pure: then it may import only what is listed in pureStd besides. Every package
// under internal, receiver, processor and exporter is listed; ARCHITECTURE.md
// draws the arrows and tells why.
var layers = map[string]struct {
	may  []string
	pure bool
}{
	"internal/fact":                 {pure: true},
	"internal/backup":               {pure: true, may: []string{"internal/fact"}},
	"internal/latency":              {pure: true, may: []string{"internal/fact"}},
	"internal/catalog":              {pure: true, may: []string{"internal/fact"}},
	"internal/rootcause":            {pure: true, may: []string{"internal/fact", "internal/backup", "internal/latency", "internal/catalog"}},
	"internal/catalog/files":        {may: []string{"internal/catalog"}},
	"internal/params":               {may: []string{"internal/rootcause"}},
	"internal/otelfact":             {may: []string{"internal/fact"}},
	"internal/journal":              {may: []string{"internal/fact"}},
	"internal/event":                {},
	"internal/process":              {pure: true},
	"internal/workload":             {pure: true, may: []string{"internal/process"}},
	"internal/procscan":             {may: []string{"internal/process"}},
	"internal/bpfscan":              {may: []string{"internal/process", "internal/procscan"}},
	"internal/sockets":              {may: []string{"internal/process"}},
	"internal/delivery":             {},
	"internal/report":               {may: []string{"internal/fact", "internal/backup", "internal/rootcause"}},
	"internal/scenario":             {},
	"lab":                           {may: []string{"internal/scenario"}},
	"configs":                       {},
	"internal/lab/wait":             {},
	"internal/lab/output":           {may: []string{"internal/event"}},
	"internal/lab/load":             {},
	"internal/lab/child":            {may: []string{"internal/lab/wait"}},
	"internal/lab/collector":        {may: []string{"internal/event"}},
	"internal/lab/victim":           {may: []string{"internal/lab/child", "internal/lab/load", "internal/lab/wait", "internal/stage"}},
	"internal/lab/demo":             {may: []string{"internal/lab/child", "internal/lab/collector", "internal/lab/load", "internal/lab/output", "internal/lab/victim", "internal/lab/wait", "internal/event", "configs"}},
	"internal/lab":                  {may: []string{"internal/lab/child", "internal/lab/collector", "internal/lab/load", "internal/lab/output", "internal/lab/victim", "internal/lab/wait", "internal/event", "internal/scenario", "internal/stage", "configs"}},
	"internal/stage":                {},
	"internal/evaluate":             {may: []string{"internal/params", "internal/rootcause", "internal/backup", "internal/fact", "internal/journal"}},
	"internal/labscore":             {pure: true},
	"internal/fit":                  {pure: true, may: []string{"internal/rootcause"}},
	"internal/cli":                  {may: []string{"lab", "internal/lab", "internal/lab/collector", "internal/lab/demo", "internal/lab/victim", "internal/scenario", "internal/stage", "internal/catalog", "internal/labscore", "internal/experiment", "internal/experiment/picture", "internal/experiment/trial", "internal/evaluate", "internal/fit", "internal/report", "internal/journal", "internal/params", "internal/rootcause", "internal/catalog/files", "internal/fact"}},
	"internal/experiment":           {pure: true, may: []string{"internal/catalog", "internal/fact"}},
	"internal/experiment/picture":   {may: []string{"internal/experiment"}},
	"internal/experiment/trial":     {may: []string{"internal/experiment", "internal/catalog", "internal/lab/child", "internal/lab/load", "internal/lab/wait", "internal/stage"}},
	"receiver/procfsreceiver":       {may: []string{"internal/process", "internal/procscan", "internal/bpfscan", "internal/sockets", "internal/workload", "internal/catalog", "internal/catalog/files", "internal/fact", "receiver/procfsreceiver/internal/metadata"}},
	"receiver/httpprobereceiver":    {may: []string{"receiver/httpprobereceiver/internal/metadata"}},
	"processor/rootcauseprocessor":  {may: []string{"internal/otelfact", "internal/journal", "internal/event", "internal/catalog/files", "internal/params", "internal/rootcause", "internal/backup", "internal/fact", "internal/latency", "processor/rootcauseprocessor/internal/metadata"}},
	"exporter/alertmanagerexporter": {may: []string{"internal/event", "internal/delivery", "exporter/alertmanagerexporter/internal/metadata"}},
	"exporter/grafanaexporter":      {may: []string{"internal/event", "internal/delivery", "exporter/grafanaexporter/internal/metadata"}},
}

// pureStd has no I/O, clock, goroutine, lock, log or context.
var pureStd = []string{"cmp", "encoding/json", "math/bits", "errors", "fmt", "hash/fnv", "iter", "maps", "math", "regexp", "regexp/syntax", "slices", "strconv", "strings", "time"}

func TestImportsPointDownwards(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	out, err := cmd.Output()
	require.NoError(t, err)

	checked := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		layer, listed := layers[name]
		if !listed {
			room, _, _ := strings.Cut(name, "/")
			generated := strings.Contains(name, "/internal/metadata")
			layered := slices.Contains([]string{"internal", "receiver", "processor", "exporter", "lab", "configs"}, room)
			require.True(t, generated || !layered, "%s is in no layer: list it here and in ARCHITECTURE.md", name)
			continue
		}
		checked++
		for _, imported := range p.Imports {
			local, ours := strings.CutPrefix(imported, module+"/")
			switch {
			case ours:
				require.Contains(t, layer.may, local, "%s imports %s: the arrows of ARCHITECTURE.md do not allow it", name, local)
			case layer.pure:
				require.Contains(t, pureStd, imported, "%s imports %s: below the pure line there is no I/O, clock, goroutine, lock, log or context", name, imported)
			}
		}
	}
	require.Equal(t, len(layers), checked, "every listed package exists")
}
