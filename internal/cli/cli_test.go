package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/journal"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"culprit": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

var update = flag.Bool("update", false, "write the expected output in testdata anew")

// TestScripts plays testdata/*.txtar: what a person types, and what comes of it.
func TestScripts(t *testing.T) {
	night := nightJournal(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			return writeJournals(env.WorkDir, night)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     exits,
			"jsonlines": jsonLines,
		},
	})
}

// exits STATUS COMMAND... runs a command and wants its exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	status := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		status = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if status != args[0] {
		ts.Fatalf("exit status %s, not %s", status, args[0])
	}
}

// jsonLines KIND... wants that each line of the last standard output is one
// JSON object with a kind and an event, and that all of the kinds are there.
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: jsonlines KIND...")
	}
	seen := map[string]bool{}
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var object struct {
			Kind  string         `json:"kind"`
			Event map[string]any `json:"event"`
		}
		ts.Check(json.Unmarshal([]byte(line), &object))
		if object.Kind == "" || len(object.Event) == 0 {
			ts.Fatalf("no kind or no event: %s", line)
		}
		seen[object.Kind] = true
	}
	for _, kind := range args {
		if !seen[kind] {
			ts.Fatalf("no %s among the events", kind)
		}
	}
}

func TestDemoThatIsInterruptedSaysWhyAndNoJSON(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	var out, errOut bytes.Buffer
	page := filepath.Join(t.TempDir(), "demo.html")
	status := run(ctx, []string{"demo", "--json", "--otelcol", self, "-o", page}, streams{out: &out, err: &errOut})
	require.Equal(t, exitFailed, status)
	require.Empty(t, out.String())
	require.Contains(t, errOut.String(), "culprit: interrupt signal received\n")
	require.NoFileExists(t, page)
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestReadingJournalsCanBeInterrupted(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, writeJournals(dir, nightJournal(t)))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	page := filepath.Join(dir, "night.html")
	for _, args := range [][]string{
		{"replay", filepath.Join(dir, "night.jsonl")},
		{"report", filepath.Join(dir, "night.jsonl"), "-o", page},
	} {
		var out, errOut bytes.Buffer
		require.Equal(t, exitFailed, run(ctx, args, streams{out: &out, err: &errOut}))
		require.Empty(t, out.String())
		require.Contains(t, errOut.String(), "interrupt signal received")
	}
	require.NoFileExists(t, page)
}

func TestJournals(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "j")
	require.Equal(t, []string{path}, journals(path).paths)
	require.NoError(t, os.Mkdir(journal.Rotated(path), 0o700))
	require.Equal(t, []string{path}, journals(path).paths, "a directory is no journal")
	require.NoError(t, os.Remove(journal.Rotated(path)))
	require.NoError(t, os.WriteFile(journal.Rotated(path), nil, 0o600))
	require.Equal(t, []string{journal.Rotated(path), path}, journals(path).paths)
	require.Equal(t, []string{journal.Rotated(path)}, journals(journal.Rotated(path)).paths)
	require.Equal(t, []string{path, "other"}, journals(path, "other").paths, "the user knows better")
}
