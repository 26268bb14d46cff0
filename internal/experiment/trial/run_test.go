package trial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/stage"
)

// options are those of a short experiment; what it says goes to the test's log.
func options(t *testing.T, web string, command ...string) Options {
	t.Helper()
	known, err := files.Default()
	require.NoError(t, err)
	// Others must not write where runs are kept.
	base := filepath.Join(t.TempDir(), "lab")
	require.NoError(t, os.Mkdir(base, 0o700))
	return Options{
		Web: web, Command: command, Rate: 100, Repeats: 2, Block: time.Second, Settle: 500 * time.Millisecond,
		LimitTime: 5 * time.Minute, AbortAbove: 20 * time.Second, Seed: 7, Catalog: known, Base: base, Say: t.Logf,
	}
}

// slowed is a site that takes so long while a file is there. Without it, it takes
// long enough for a busy host's delays not to matter.
func slowed(t *testing.T, file string, by time.Duration) string {
	t.Helper()
	return served(t, file, 50*time.Millisecond, by)
}

// served is a site that takes so long, and by another time while a file is there.
func served(t *testing.T, file string, usual, by time.Duration) string {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		takes := usual
		if _, err := os.Stat(file); err == nil {
			takes = by
		}
		select {
		case <-time.After(takes):
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(site.Close)
	return site.URL
}

// nothingLeft wants that no run is written down any more.
func nothingLeft(t *testing.T, o Options) {
	t.Helper()
	runs, err := os.ReadDir(o.Base)
	require.NoError(t, err)
	require.Empty(t, runs)
}

// all remedies, to be skipped.
var all = []string{"nice", "autogroup", "cpu_weight", "cpu_limit_4", "io_limit_4", "io_limit_16"}

func TestOnlyOwnSitesAreLoaded(t *testing.T) {
	o := options(t, "http://192.0.2.1/", "true")
	_, err := Run(t.Context(), o)
	require.ErrorContains(t, err, `http://192.0.2.1/ is not on the loopback interface: if it is a test server of your own, say so with --i-own-this 192.0.2.1`)
	o.Owned = "192.0.2.2"
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "they must be the same")
	nothingLeft(t, o)
}

func TestWrongOptionsNameTheirKey(t *testing.T) {
	tests := map[string]func(*Options){
		"must follow --":      func(o *Options) { o.Command = nil },
		"--web is \"shop\"":   func(o *Options) { o.Web = "shop" },
		"--rate must be":      func(o *Options) { o.Rate = -1 },
		"not 1: fewer do not": func(o *Options) { o.Rate = 1 },
		"--repeats must be":   func(o *Options) { o.Repeats = 1 },
		"--confirm must be":   func(o *Options) { o.Confirm = -1 },
		"--block must be":     func(o *Options) { o.Block = time.Millisecond },
		"--settle must be":    func(o *Options) { o.Settle = 0 },
		"--abort-above must":  func(o *Options) { o.AbortAbove = 0 },
		"--limit-time must":   func(o *Options) { o.LimitTime = 0 },
	}
	for want, spoil := range tests {
		o := options(t, "http://127.0.0.1/", "true")
		spoil(&o)
		require.ErrorContains(t, o.Check(), want)
		_, err := Run(t.Context(), o)
		require.ErrorContains(t, err, want)
	}
	o := options(t, "http://127.0.0.1/", "true")
	o.Skip = []string{"prayer"}
	_, err := Run(t.Context(), o)
	require.ErrorContains(t, err, `--skip: there is no remedy "prayer"; there are `)
	o.Skip, o.LimitTime = nil, time.Second
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "more than --limit-time, 1s: raise that, or lower --repeats or --block")
	nothingLeft(t, o)
}

func TestItStopsAtOnceWhenTheSiteIsTooSlow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	runs, cleaning, cleaned := filepath.Join(dir, "runs"), filepath.Join(dir, "cleaning"), filepath.Join(dir, "cleaned")
	o := options(t, slowed(t, runs, 30*time.Second), "sh", "-c", "echo $$ >"+runs+"; while :; do sleep 1; done")
	o.AbortAbove, o.Skip = 500*time.Millisecond, all
	var late atomic.Int64
	site, err := url.Parse(o.Web)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(site)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // visitors who gave up
	door := httptest.NewServer(countedWhile(cleaning, &late, proxy))
	t.Cleanup(door.Close)
	o.Web = door.URL
	o.Cleanup = "if [ -e " + runs + " ]; then touch " + cleaning + "; sleep 1; rm " + runs + "; date >" + cleaned + "; echo full; false; fi"
	o.Block = 15 * time.Second
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, experiment.Aborted, r.State)
	require.Contains(t, r.Stopped, `in the block "as it is", above the bound of 500ms (--abort-above)`)
	require.False(t, r.Decision.Sure)
	require.Len(t, r.Blocks, 2, "the one that was stopped is told")
	require.Less(t, r.Blocks[1].Seconds, 12.0, "it was stopped before its time")
	require.FileExists(t, cleaned, "what cleans up is run all the same")
	require.Contains(t, fmt.Sprint(r.Notes), "--cleanup: ", "it failed, and that is told")
	require.Zero(t, late.Load(), "nobody asks the site any more")
	nothingLeft(t, o)
}

// countedWhile counts requests while a file is there.
func countedWhile(file string, count *atomic.Int64, site http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(file); err == nil {
			count.Add(1)
		}
		site.ServeHTTP(w, r)
	})
}

func TestItStopsBeforeABlockWhenTheSiteIsTooSlow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	again, slow := filepath.Join(dir, "again"), filepath.Join(dir, "slow")
	o := options(t, slowed(t, slow, 30*time.Second), "sleep", "100")
	o.AbortAbove, o.Skip = 500*time.Millisecond, all
	o.Prepare = "[ ! -e " + again + " ] || touch " + slow + "; touch " + again
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, experiment.Aborted, r.State)
	require.Contains(t, r.Stopped, `before the block "as it is", above the bound of 500ms`)
	nothingLeft(t, o)
}

func TestWhatFailsBesideTheReasonIsNoted(t *testing.T) {
	left, full := errors.New("processes [7] of the backup do not end"), errors.New("--cleanup: disk full")
	for _, test := range []struct {
		reason error
		state  experiment.State
	}{
		{&tooSlowError{"p95 was high"}, experiment.Aborted},
		{fmt.Errorf("--prepare: %w", errTime), experiment.OutOfTime},
	} {
		tr := &trial{Options: Options{Say: t.Logf}, blocks: []experiment.Block{{}}}
		state, _, err := tr.ending(errors.Join(errors.Join(test.reason, left), full))
		require.NoError(t, err)
		require.Equal(t, test.state, state)
		require.Equal(t, []string{left.Error(), full.Error()}, tr.notes)
	}
}

func TestTheTimeOfAllEndsWhatPrepares(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errTime)
	defer cancel()
	require.ErrorIs(t, (&trial{}).prepared(ctx, "sleep 100"), errTime)
}

func TestWithoutDataNoDiskIsLimited(t *testing.T) {
	host, disk := probe(t.Context(), Options{}, experiment.Command{}, stage.Abilities{})
	require.Contains(t, host.NoIOGroups, "with --data")
	require.Contains(t, host.NoIdleIO, "with --data")
	require.Empty(t, disk)
}

// TestAnInterruptEndsTheBackup, and what was complete before is reported.
func TestAnInterruptEndsTheBackup(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	o := options(t, slowed(t, "/none", 0), "sh", "-c", "echo $$ >"+pid+".new; mv "+pid+".new "+pid+"; sleep 100")
	o.Skip, o.Block = all, 2*time.Second
	ctx, cancel := context.WithCancel(t.Context())
	type end struct {
		report experiment.Report
		err    error
	}
	done := make(chan end, 1)
	go func() {
		r, err := Run(ctx, o)
		done <- end{r, err}
	}()
	soon(t, "the backup runs", func() bool {
		_, err := os.Stat(pid)
		return err == nil
	})
	text, err := os.ReadFile(pid)
	require.NoError(t, err)
	session, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	cancel()
	ended := <-done
	require.NoError(t, ended.err)
	require.Equal(t, experiment.Interrupted, ended.report.State)
	require.Equal(t, "it was interrupted", ended.report.Stopped)
	require.Len(t, ended.report.Blocks, 1, "the block that was interrupted is not complete")
	require.Equal(t, experiment.Baseline, ended.report.Blocks[0].Arm)
	require.Empty(t, members(session))
	nothingLeft(t, o)
}

func TestAnInterruptBeforeAnythingWasMeasured(t *testing.T) {
	t.Parallel()
	o := options(t, slowed(t, "/none", 0), "sleep", "100")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, o)
	require.ErrorIs(t, err, errInterrupted)
	nothingLeft(t, o)
}

func TestWhatIsNotThereIsToldBeforeAnythingIsDone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	tests := []struct {
		name    string
		command []string
		data    string
		want    string // empty if it is there
	}{
		{"the program", []string{"no-such-backup", "x"}, "", `there is no program "no-such-backup" that could be run (executable file not found in $PATH): install it, or give its whole path`},
		{"its path", []string{"/no/such/backup"}, "", "no such file or directory"},
		{"a line in one word", []string{"tar c / | xz"}, "", "or the whole line to a shell: -- sh -c 'tar c / | xz'"},
		{"a line with quotes", []string{"tar c 'my shop' | xz"}, "", `-- sh -c 'tar c '\''my shop'\'' | xz'`},
		{"a line and more words", []string{"tar c /srv | xz", "-k", "my file"}, "", `-- sh -c 'tar c /srv | xz -k '\''my file'\'''`},
		{"the data", []string{"true"}, "/no/such/data", "--data: open /no/such/data: no such file or directory: name directories that the backup reads"},
		{"a file as data", []string{"true"}, file, "not a directory"},
		{"an empty directory", []string{"true"}, t.TempDir(), ""},
		{"a shell's line", []string{"sh", "-c", "no-such-backup"}, ".", ""},
	}
	for _, tt := range tests {
		o := options(t, "http://127.0.0.1/", tt.command...)
		if tt.data != "" {
			o.Data = []string{tt.data}
		}
		err := o.found()
		if tt.want == "" {
			require.NoError(t, err, tt.name)
			continue
		}
		require.ErrorContains(t, err, tt.want, tt.name)
		o.Say = func(format string, _ ...any) { t.Errorf("said %q", format) }
		_, again := Run(t.Context(), o)
		require.Equal(t, err, again)
	}
}

func TestWhenItsTimeIsOverItTellsWhatThereIs(t *testing.T) {
	t.Parallel()
	o := options(t, slowed(t, "/none", 0), "sleep", "100")
	o.Skip = all
	o.LimitTime = 6250 * time.Millisecond // four blocks last six seconds, and are begun a look later each
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, experiment.OutOfTime, r.State)
	require.NotEmpty(t, r.Blocks)
	for _, b := range r.Blocks {
		require.GreaterOrEqual(t, b.Seconds, o.Block.Seconds(), "a block that was cut is no figure")
	}
	nothingLeft(t, o)
}

func TestABackupThatFailsEndsIt(t *testing.T) {
	t.Parallel()
	o := options(t, slowed(t, "/none", 0), "sh", "-c", "echo no repository >&2; exit 2")
	o.Skip = all
	_, err := Run(t.Context(), o)
	require.ErrorContains(t, err, "the backup ended with exit status 2; the last it wrote:\nno repository")
	nothingLeft(t, o)
}

// TestWhatFailsLaterIsReportedWithTheBlocksBefore: in the second repeat.
func TestWhatFailsLaterIsReportedWithTheBlocksBefore(t *testing.T) {
	t.Parallel()
	// again is a shell's condition: it was called so many times before.
	again := func(file string, times int) string {
		return fmt.Sprintf("echo x >>%s; [ $(wc -l <%s) -gt %d ]", file, file, times)
	}
	tests := []struct {
		name    string
		spoil   func(o *Options, file string)
		blocks  []int // how many there may be
		stopped string
	}{
		{
			"the plain backup",
			func(o *Options, file string) {
				o.Command = []string{"sh", "-c", again(file, 1) + " && exit 2; sleep 100"}
			},
			[]int{2, 3},
			"the backup ended with exit status 2",
		},
		{
			"what prepares",
			func(o *Options, file string) { o.Prepare = "! { " + again(file, 2) + "; }" },
			[]int{2},
			"--prepare: ",
		},
		{
			"what cleans up",
			func(o *Options, file string) { o.Cleanup = "! { " + again(file, 2) + "; }" },
			[]int{3},
			"--cleanup: ",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options(t, slowed(t, "/none", 0), "sleep", "100")
			o.Skip = all
			tt.spoil(&o, filepath.Join(t.TempDir(), "calls"))
			r, err := Run(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, experiment.Failed, r.State)
			require.Contains(t, r.Stopped, tt.stopped)
			require.Contains(t, tt.blocks, len(r.Blocks))
			require.Positive(t, r.Arms[1].OverBaseline.P95.Value, "what is complete is told")
			require.Contains(t, r.Text(), "the experiment is not complete: "+tt.stopped)
			nothingLeft(t, o)
		})
	}
}

func TestASiteThatFailsIsNotTroubled(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer site.Close()
	o := options(t, site.URL, "touch", filepath.Join(t.TempDir(), "ran"))
	_, err := Run(t.Context(), o)
	require.ErrorContains(t, err, "answered 404 Not Found\": the site must run and answer with status 200; correct --web, or name other pages with --path")
	require.Positive(t, asked.Load())
}

func TestASiteThatDoesNotRunIsToldSo(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.NotFoundHandler())
	site.Close()
	_, err := Run(t.Context(), options(t, site.URL, "true"))
	require.ErrorContains(t, err, `of them with "connection refused": the site must run`)
}

// TestARemedyThatFailsIsLeftOut with its reason: here the tool refuses the level.
func TestARemedyThatFailsIsLeftOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tool := filepath.Join(dir, "gzip")
	require.NoError(t, os.WriteFile(tool, []byte("#!/bin/sh\nfor a; do [ $a = -1 ] && echo no such level >&2 && exit 9; done\nsleep 1.2\n"), 0o700))
	o := options(t, slowed(t, "/none", 0), tool, "file")
	o.Skip = all
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	var why string
	for _, m := range r.Missing {
		if m.ID == "compress_less" {
			why = m.Why
		}
	}
	require.Contains(t, why, "no such level")
	for _, b := range r.Blocks {
		require.NotEqual(t, "compress_less", b.Arm)
	}
	require.Equal(t, experiment.Done, r.State)
}

// onLastCPU starts the lab's site on the last CPU and gives its URL.
func onLastCPU(t *testing.T) (site, cpu string) {
	t.Helper()
	var may unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &may))
	last := 0
	for i := range 1024 {
		if may.IsSet(i) {
			last = i
		}
	}
	cpu = strconv.Itoa(last)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	self, err := os.Executable()
	require.NoError(t, err)
	program := exec.Command("taskset", "-c", cpu, self, "lab-site", addr, t.TempDir())
	program.SysProcAttr = &unix.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL} // as a service has a session of its own
	program.Stderr = os.Stderr
	require.NoError(t, program.Start())
	t.Cleanup(func() {
		require.NoError(t, program.Process.Signal(unix.SIGTERM))
		_ = program.Wait()
	})
	site = "http://" + addr + "/item/7"
	soon(t, "the site answers", func() bool {
		resp, err := http.Get(site)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return site, cpu
}

// TestABackupThatTakesTheCPU is the whole of it, for real: a job takes the CPU of
// a site that needs most of it, and what makes it yield gives it back.
func TestABackupThatTakesTheCPU(t *testing.T) {
	web, cpu := onLastCPU(t)
	o := options(t, web, "taskset", "-c", cpu, "sh", "-c", "while :; do :; done & while :; do :; done")
	o.Rate, o.Block = 80, 1500*time.Millisecond
	o.Skip = []string{"cpu_limit_4", "io_limit_4", "io_limit_16"}
	const (
		attempts   = 3
		overloaded = 150 // milliseconds
	)
	busy, missed := 0, ""
	for range attempts {
		r, err := Run(t.Context(), o)
		require.NoError(t, err)
		t.Log("\n" + r.Text())
		require.Equal(t, experiment.Done, r.State)
		require.Greater(t, len(r.Arms), 2, "some remedy is tried")
		require.Len(t, r.Blocks, 2*len(r.Arms))
		for _, a := range r.Arms {
			require.Equal(t, 2, a.Blocks, a.ID)
		}
		for _, want := range []string{"bandwidth", "compress_less", "read_less"} {
			require.Contains(t, fmt.Sprint(r.Missing), want, "what cannot be tried is told")
		}
		nothingLeft(t, o)
		if missed = effectMissed(r); missed == "" {
			return
		}
		t.Log(missed)
		if r.Arms[0].P95 > overloaded {
			busy++
		}
	}
	if busy > 0 {
		t.Skipf("something else keeps the CPU busy: in %d of %d attempts p95 was above %d ms without a backup, and the others do not show the effect: %s", busy, attempts, overloaded, missed)
	}
	t.Fatal(missed)
}

// effectMissed says what a report does not show of a backup that takes the CPU.
// Whether p95 is back within the bound depends on what else runs here; what is
// certain is that some remedy gives back most of it.
func effectMissed(r experiment.Report) string {
	plain := r.Arms[1]
	best := slices.MinFunc(r.Arms[2:], func(a, b experiment.Arm) int { return cmp.Compare(a.P95, b.P95) })
	switch {
	case plain.OverBaseline.P95.Value <= 1.2:
		return "the plain backup does no harm"
	case plain.SlowdownBy != "CPU time":
		return "the backup's time is judged by " + plain.SlowdownBy
	case r.Decision.Hypothesis != experiment.ByCPU:
		return fmt.Sprintf("the hypothesis is %s: %v", r.Decision.Hypothesis, r.Decision.Reasons)
	case best.P95 >= plain.P95/2 || best.Class != experiment.CPU || best.Command == "":
		return fmt.Sprintf("the best remedy is %s of class %q, with %q", best.ID, best.Class, best.Command)
	}
	return ""
}

func TestHelpDoesNotWaitForWhatHoldsItsOutputOpen(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "tool")
	require.NoError(t, os.WriteFile(tool, []byte("#!/bin/sh\nsleep 20 &\necho $! --limit-upload\n"), 0o700))
	began := time.Now()
	text, why := help(t.Context(), experiment.Command{Argv: []string{tool}})
	require.Less(t, time.Since(began), 15*time.Second)
	require.Empty(t, why)
	pid, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	require.Equal(t, "--limit-upload", rest)
	left, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.NoError(t, unix.Kill(left, unix.SIGKILL))
}
