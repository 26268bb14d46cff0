package lab

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/scenario"
)

func TestALineIsACommandIfItIsOneProgram(t *testing.T) {
	env := []string{"DATA=/srv/a b", "OUT=/out", "PEER_RSYNC=10.97.0.1:873"}
	for name, test := range map[string]struct {
		line string
		want []string
	}{
		"variables are filled in": {
			`exec restic -q --no-cache -r "$OUT/repo" backup "$DATA"`,
			[]string{"restic", "-q", "--no-cache", "-r", "/out/repo", "backup", "/srv/a b"},
		},
		"within words, too":        {`exec rsync -a "$DATA/" "rsync://$PEER_RSYNC/backup/"`, []string{"rsync", "-a", "/srv/a b/", "rsync://10.97.0.1:873/backup/"}},
		"quotes are taken away":    {`exec psql -q -c 'ALTER TABLE item ADD COLUMN note text'`, []string{"psql", "-q", "-c", "ALTER TABLE item ADD COLUMN note text"}},
		"an empty word stays one":  {`exec tool ""`, []string{"tool", ""}},
		"a pipe is for a shell":    {`tar -cf - "$DATA" | xz -c > "$OUT/x"`, []string{"sh", "-c", `tar -cf - "$DATA" | xz -c > "$OUT/x"`}},
		"so is one behind an exec": {`exec tar -cf - "$DATA" | cat > /dev/null`, []string{"sh", "-c", `exec tar -cf - "$DATA" | cat > /dev/null`}},
		"so is what runs others":   {`exec tool $(date)`, []string{"sh", "-c", `exec tool $(date)`}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := argvOf(t.Context(), test.line, env)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	_, err := argvOf(t.Context(), `exec tool "$DATA`, env)
	require.ErrorContains(t, err, "into words")
}

func TestACommandIsInItsPlace(t *testing.T) {
	s := &scene{plan: scenario.Plan{Host: scenario.Host{OneCPU: true}}, cpus: child.CPUs{SiteCPU: 3}, env: []string{"OUT=/out"}}
	job := scenario.Job{Name: "tar", Run: `exec tar -cf "$OUT/x" /srv`}
	got, err := s.command(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, []string{"taskset", "-c", "3", "tar", "-cf", "/out/x", "/srv"}, got)

	job.Elsewhere = true
	got, err = s.command(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, []string{"tar", "-cf", "/out/x", "/srv"}, got)
}

func TestPages(t *testing.T) {
	for name, test := range map[string]struct {
		site  scenario.Site
		count int
		last  string
	}{
		"files are all asked for":       {scenario.Site{Server: "go", Files: 400}, 400, "/item/399"},
		"one page if all cost the same": {scenario.Site{Server: "go"}, 1, "/item/0"},
		"many rows of a database":       {scenario.Site{Server: "go", Query: "read"}, 1000, "/item/999"},
		"nginx serves files":            {scenario.Site{Server: "nginx", Files: 150}, 150, "/d001/f000149"},
	} {
		t.Run(name, func(t *testing.T) {
			list := pages(scenario.Plan{Site: test.site})
			require.Len(t, list, test.count)
			require.Equal(t, test.last, list[len(list)-1])
		})
	}
}

func TestAJobBeginsAnew(t *testing.T) {
	const empty = `find "$OUT" "$PEER_DIR" -ignore_readdir_race -mindepth 1 -delete`
	require.Equal(t, empty, anew(scenario.Job{}))
	require.Equal(t, "set -e\n"+empty+"\nrestic init", anew(scenario.Job{Prepare: "restic init"}))

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "old"), nil, 0o600))
	cmd := exec.Command("sh", "-c", anew(scenario.Job{Prepare: "echo 1 > \"$OUT/first\"\nfalse\necho 2 > \"$OUT/second\""}))
	cmd.Env = append(os.Environ(), "OUT="+dir, "PEER_DIR="+dir)
	require.Error(t, cmd.Run(), "one of its lines failed")
	require.NoFileExists(t, filepath.Join(dir, "old"))
	require.FileExists(t, filepath.Join(dir, "first"))
	require.NoFileExists(t, filepath.Join(dir, "second"))
}

func TestOnWhatRemediesCanBeTried(t *testing.T) {
	plan := func(change func(p *scenario.Plan)) scenario.Plan {
		p := scenario.Plan{Kind: scenario.Guilty, Truth: scenario.Truth{Cause: scenario.Contention}, Jobs: []scenario.Job{{Name: "tar"}}}
		change(&p)
		return p
	}
	require.Empty(t, unfit(plan(func(*scenario.Plan) {})))
	for want, change := range map[string]func(p *scenario.Plan){
		"not one job alone": func(p *scenario.Plan) { p.Kind = scenario.Innocent },
		"no remedy to try":  func(p *scenario.Plan) { p.Jobs = append(p.Jobs, p.Jobs[0]) },
		"memory":            func(p *scenario.Plan) { p.Host.MemoryMiB = 1 },
		"database":          func(p *scenario.Plan) { p.Site.Query, p.Jobs[0].Prepare = "read", "createdb x" },
	} {
		require.Contains(t, unfit(plan(change)), want)
	}
}

// firstWords announces that something was written.
type firstWords struct {
	once sync.Once
	came chan struct{}
}

func (w *firstWords) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.came) })
	return len(p), nil
}

func TestWhatAnExperimentPrintsComesBack(t *testing.T) {
	for name, test := range map[string]struct {
		does        string
		interrupted bool
		report, err string
	}{
		"it ends":                              {"prints", false, `{"state":"done"}`, ""},
		"it is interrupted":                    {"waits", true, `{"state":"interrupted"}`, "interrupt signal received"},
		"it is interrupted and prints nothing": {"waits in vain", true, "", "interrupt signal received"},
		"it says that it is not complete":      {"prints and fails", false, `{"state":"aborted"}`, "the experiment ended with exit status 1; what it said stands above"},
		"it fails":                             {"fails", false, "", "the experiment ended with exit status 1; what it said stands above"},
		"it prints nothing":                    {"prints nothing", false, "", "the experiment printed no report"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			s := jobsOnAStage(t, cancel).scene
			said := &firstWords{came: make(chan struct{})}
			if test.interrupted {
				go func() {
					select {
					case <-said.came:
						cancel(errors.New("interrupt signal received"))
					case <-t.Context().Done():
					}
				}()
			}
			report, err := s.experiment(ctx, []string{"experiment", test.does}, TryoutOptions{Progress: said})
			require.NoError(t, s.close())
			require.Equal(t, test.report, strings.TrimSpace(string(report)))
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
		})
	}
}
