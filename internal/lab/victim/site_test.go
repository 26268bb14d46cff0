package victim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/wait"
	"github.com/otel-culprit/culprit/internal/otelfact"
)

// ear understands telemetry as the collector does.
type ear struct {
	url     string
	mu      sync.Mutex
	decoder *otelfact.Decoder
	facts   []fact.Fact
	broken  error
}

func listen(t *testing.T) *ear {
	t.Helper()
	e := &ear{decoder: otelfact.NewDecoder(otelfact.Options{MaxState: 10_000})}
	server := httptest.NewServer(http.HandlerFunc(e.hear))
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

func (e *ear) hear(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	keepFact := func(f fact.Fact) { e.facts = append(e.facts, f) }
	switch r.URL.Path {
	case "/v1/metrics":
		request := pmetricotlp.NewExportRequest()
		err = errors.Join(err, request.UnmarshalProto(body))
		e.decoder.Metrics(request.Metrics(), keepFact)
	case "/v1/traces":
		request := ptraceotlp.NewExportRequest()
		err = errors.Join(err, request.UnmarshalProto(body))
		e.decoder.Traces(request.Traces(), keepFact)
	}
	e.decoder.Advance(time.Now(), keepFact)
	e.broken = errors.Join(e.broken, err)
}

// awaitFact waits for a fact of a kind.
func awaitFact[T fact.Fact](t *testing.T, e *ear, wanted func(T) bool) (found T) {
	t.Helper()
	require.NoError(t, wait.Until(t.Context(), 10*time.Second, func(context.Context) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, f := range e.facts {
			if one, ok := f.(T); ok && wanted(one) {
				found = one
				return nil
			}
		}
		return errors.Join(errors.New("no such fact came"), e.broken)
	}))
	return found
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ports, err := child.FreePorts(t.Context(), 1)
	require.NoError(t, err)
	return "127.0.0.1:" + strconv.Itoa(ports[0])
}

// quickSite costs next to nothing.
func quickSite() SiteConfig { return SiteConfig{Service: "shop", BodyKiB: 1} }

// runSite runs a site in this process and gives its URL.
func runSite(t *testing.T, cfg SiteConfig) string {
	t.Helper()
	cfg.Addr = freeAddr(t)
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	runUntilEnd(t, func(ctx context.Context) error { return Site(ctx, cfg) })
	require.NoError(t, wait.Until(t.Context(), 10*time.Second, wait.Listening(cfg.Addr)))
	return "http://" + cfg.Addr
}

// runUntilEnd runs something beside the test.
func runUntilEnd(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

func runUpstream(t *testing.T) (addr string) {
	t.Helper()
	addr = freeAddr(t)
	runUntilEnd(t, func(ctx context.Context) error { return Upstream(ctx, addr) })
	require.NoError(t, wait.Until(t.Context(), 10*time.Second, wait.Listening(addr)))
	return addr
}

// visitSite asks for an item.
func visitSite(t *testing.T, base string) (status, length int, took time.Duration) {
	t.Helper()
	began := time.Now()
	resp, err := http.Get(base + "/item/12345678901234567890")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, len(body), time.Since(began)
}

// runVisitors asks for items until the test ends.
func runVisitors(t *testing.T, base string, perSecond float64) *load.Load {
	t.Helper()
	visitors, err := load.New(base, 1)
	require.NoError(t, err)
	runUntilEnd(t, func(ctx context.Context) error {
		visitors.Run(ctx)
		return nil
	})
	visitors.SetRate(t.Context(), perSecond)
	return visitors
}

func TestSiteServesAndTells(t *testing.T) {
	e := listen(t)
	cfg := DefaultSite()
	cfg.OTLPEndpoint = e.url
	base := runSite(t, cfg)
	before, err := CPUOf(t.Context(), base)
	require.NoError(t, err)
	for range 20 {
		status, length, _ := visitSite(t, base)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, 2048, length)
	}
	after, err := CPUOf(t.Context(), base)
	require.NoError(t, err)
	require.InDelta(t, 20*0.005, after-before, 0.08, "each takes about 5 ms of CPU")
	resp, err := http.Get(base + "/item/none")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNotFound, resp.StatusCode)

	runVisitors(t, base, 20)
	served := awaitFact(t, e, func(fact.Serves) bool { return true })
	require.Equal(t, int64(os.Getpid()), served.Process.PID)
	told := awaitFact(t, e, func(l fact.Latency) bool { return l.Count >= 1 })
	require.Equal(t, "shop", told.Service)
	require.Equal(t, "server", told.Signal)
	require.Less(t, told.Buckets[0].High, 0.02, "the buckets are fine")
}

func TestSiteReadsFilesFromStorageUnlessCached(t *testing.T) {
	dir := t.TempDir()
	mustReachStorage(t, dir)
	for _, cached := range []bool{true, false} {
		cfg := quickSite()
		cfg.Dir, cfg.Files, cfg.FileKiB, cfg.Cached = dir, 4, 256, cached
		base := runSite(t, cfg)
		_, _, _ = visitSite(t, base)
		before := storageReads(t, os.Getpid())
		for range 8 {
			status, length, _ := visitSite(t, base)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, 1024, length)
		}
		read := storageReads(t, os.Getpid()) - before
		if cached {
			require.Less(t, read, 256<<10)
		} else {
			require.GreaterOrEqual(t, read, 8*256<<10)
		}
	}
}

// storageReads is how many bytes a process has read from storage.
func storageReads(t *testing.T, pid int) (bytes int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "io"))
	require.NoError(t, err)
	return fieldOf(t, string(text), "read_bytes: ")
}

// mustReachStorage skips a test on a file system that has none below.
func mustReachStorage(t *testing.T, dir string) {
	t.Helper()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &st))
	if st.Type == unix.TMPFS_MAGIC || st.Type == unix.OVERLAYFS_SUPER_MAGIC {
		t.Skip("temporary files are in memory or in layers here, so that nothing is read from storage: set TMPDIR")
	}
}

func TestSiteMakesEachOrderDurable(t *testing.T) {
	t.Parallel()
	cfg := quickSite()
	cfg.Orders, cfg.Dir = ordersEach, t.TempDir()
	base := runSite(t, cfg)
	for n := range 5 {
		status, _, _ := visitSite(t, base)
		require.Equal(t, http.StatusOK, status)
		info, err := os.Stat(filepath.Join(cfg.Dir, "orders"))
		require.NoError(t, err)
		require.EqualValues(t, (n+1)*orderSize, info.Size(), "it is there when the answer comes")
	}
}

func TestSiteWaitsForSpace(t *testing.T) {
	t.Parallel()
	dir := tinyDisk(t)
	cfg := quickSite()
	cfg.Orders, cfg.Dir = ordersEach, dir
	base := runSite(t, cfg)
	status, _, _ := visitSite(t, base)
	require.Equal(t, http.StatusOK, status)

	full := filepath.Join(dir, "backup")
	require.ErrorIs(t, os.WriteFile(full, make([]byte, 1<<20), 0o600), unix.ENOSPC)
	statuses := make([]int, 10) // more than a page of orders
	var slowest time.Duration
	var visitors sync.WaitGroup
	for i := range statuses {
		visitors.Go(func() {
			began := time.Now()
			resp, err := http.Get(base + "/item/1")
			if err == nil {
				statuses[i] = resp.StatusCode
				_ = resp.Body.Close()
			}
			if i == 0 {
				slowest = time.Since(began)
			}
		})
	}
	visitors.Wait()
	require.Contains(t, statuses, http.StatusServiceUnavailable)
	require.Less(t, slowest, 2*hopeForSpace)
	require.NoError(t, os.Remove(full))
	status, _, _ = visitSite(t, base)
	require.Equal(t, http.StatusOK, status, "there is space again")
}

// tinyDisk is a file system of 64 KiB.
func tinyDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("lab", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be mounted here, which needs root: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

func TestOrdersThatFindNoSpaceStayNoted(t *testing.T) {
	t.Parallel()
	dir := tinyDisk(t)
	book, err := openOrders(dir)
	require.NoError(t, err)
	defer book.close()
	full := filepath.Join(dir, "backup")
	require.ErrorIs(t, os.WriteFile(full, make([]byte, 1<<20), 0o600), unix.ENOSPC)
	for item := range 20 {
		require.NoError(t, book.note(t.Context(), uint64(item)))
	}
	runUntilEnd(t, func(ctx context.Context) error {
		book.commit(ctx)
		return nil
	})
	size := func() int64 {
		info, failed := os.Stat(filepath.Join(dir, "orders"))
		require.NoError(t, failed)
		return info.Size()
	}
	require.Less(t, size(), int64(20*orderSize))
	require.NoError(t, os.Remove(full))
	require.NoError(t, wait.Until(t.Context(), 5*time.Second, func(context.Context) error {
		if size() < 20*orderSize {
			return errors.New("not all orders are there")
		}
		return nil
	}))
}

func TestSiteSuffersFromPauses(t *testing.T) {
	base := runSite(t, quickSite())
	visits := func(lasting time.Duration) (slowest time.Duration, cpu float64) {
		before, err := CPUOf(t.Context(), base)
		require.NoError(t, err)
		for until := time.Now().Add(lasting); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			status, _, took := visitSite(t, base)
			require.Equal(t, http.StatusOK, status)
			slowest = max(slowest, took)
		}
		after, err := CPUOf(t.Context(), base)
		require.NoError(t, err)
		return slowest, after - before
	}
	require.NoError(t, Control(t.Context(), base, map[string]float64{"gc_pause_ms": 600}))
	slow, used := visits(1200 * time.Millisecond)
	require.GreaterOrEqual(t, slow, 100*time.Millisecond)
	require.GreaterOrEqual(t, used, 0.2)
	require.NoError(t, Control(t.Context(), base, map[string]float64{"gc_pause_ms": 0}))
	_, healed := visits(500 * time.Millisecond)
	require.Less(t, healed, max(used, 0.2), "it is undone")
}

func TestControlRefusesWhatCannotBe(t *testing.T) {
	base := runSite(t, quickSite())
	for _, settings := range []map[string]float64{{"gc_pause_ms": 1000}, {"gc_pause_ms": -1}} {
		require.ErrorContains(t, Control(t.Context(), base, settings), "400 Bad Request: gc_pause_ms must be from 0 to 900")
	}
	require.ErrorContains(t, Control(t.Context(), base, map[string]float64{"delay": 1}), `unknown field "delay"`)
	upstream := "http://" + runUpstream(t)
	require.ErrorContains(t, Control(t.Context(), upstream, map[string]float64{"delay_ms": -1}), "delay_ms must be from 0 to 20000")
	require.ErrorContains(t, Control(t.Context(), "http://"+freeAddr(t), nil), "connection refused")
}

func TestSiteTellsOfItsUpstream(t *testing.T) {
	t.Parallel()
	e := listen(t)
	cfg := quickSite()
	cfg.OTLPEndpoint, cfg.Upstream, cfg.UpstreamAddr = e.url, "http://stock.example/levels", runUpstream(t)
	base := runSite(t, cfg)
	calls := func(from time.Time) (mean time.Duration) {
		for range 3 {
			status, _, _ := visitSite(t, base)
			require.Equal(t, http.StatusOK, status)
		}
		c := awaitFact(t, e, func(c fact.Calls) bool { return c.At.After(from) && c.Count >= 1 })
		require.Equal(t, "stock.example", c.Peer)
		require.False(t, c.Local, "it is no address of this host")
		require.Zero(t, c.Errors)
		return time.Duration(c.Time / c.Count * float64(time.Second))
	}
	require.Less(t, calls(time.Time{}), 50*time.Millisecond)
	require.NoError(t, Control(t.Context(), "http://"+cfg.UpstreamAddr, map[string]float64{"delay_ms": 150}))
	require.GreaterOrEqual(t, calls(time.Now()), 150*time.Millisecond)
	traced := awaitFact(t, e, func(l fact.Latency) bool { return l.Signal == "spans" && l.Count >= 3 })
	require.Equal(t, "shop", traced.Service)
}

func TestSiteSaysThatItsUpstreamFailed(t *testing.T) {
	cfg := quickSite()
	cfg.Upstream = "http://" + freeAddr(t)
	status, _, _ := visitSite(t, runSite(t, cfg))
	require.Equal(t, http.StatusBadGateway, status)
}

func TestSiteStaysAmongItsOwn(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:80", "[::1]:80", "10.97.3.2:80"} {
		require.NoError(t, load.MustBeOurs(addr))
	}
	err := Site(t.Context(), SiteConfig{Addr: "0.0.0.0:0", Dir: t.TempDir()})
	require.ErrorContains(t, err, `address must be on the loopback interface, such as 127.0.0.1:8080, or in the lab's own network 10.97.0.0/16, not "0.0.0.0:0"`)
	require.ErrorContains(t, Upstream(t.Context(), "10.98.0.1:80"), "the lab's own network")
	for _, cfg := range []SiteConfig{{Upstream: "http://192.0.2.1:80"}, {Upstream: "http://shop.example:80", UpstreamAddr: "192.0.2.1:80"}} {
		cfg.Addr = "127.0.0.1:0"
		require.ErrorContains(t, Site(t.Context(), cfg), "upstream: address must be")
	}
}

func TestSiteRefusesWhatCannotBe(t *testing.T) {
	for wrong, cfg := range map[string]SiteConfig{
		"files need file-kib":                       {Files: 1},
		`orders must be batched, each or empty`:     {Orders: "never"},
		`query must be read, write or empty`:        {Query: "delete"},
		"work, files and body-kib must not be nega": {Work: -1},
	} {
		cfg.Addr = "127.0.0.1:0"
		require.ErrorContains(t, Site(t.Context(), cfg), wrong)
	}
}

func TestSiteArgsSayTheSame(t *testing.T) {
	want := SiteConfig{
		Addr: "10.97.1.2:80", Dir: "/tmp/a b", OTLPEndpoint: "http://127.0.0.1:4318", Service: "till", Work: 1500 * time.Microsecond,
		Files: 3, FileKiB: 4, Cached: true, BodyKiB: 20, Orders: ordersEach, Query: queryRead, Upstream: "http://stock.example", UpstreamAddr: "127.0.0.1:99",
	}
	got := DefaultSite()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	got.Flags(flags)
	require.NoError(t, flags.Parse(want.Args()))
	require.Equal(t, want, got)
	require.True(t, slices.Contains(want.Args(), "--dir=/tmp/a b"))
}
