package rootcauseprocessor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadatatest"
)

var storageID = component.MustNewID("file_storage")

// hostWith is a collector with some extensions.
type hostWith map[component.ID]component.Component

func (h hostWith) GetExtensions() map[component.ID]component.Component { return h }

// openFiles is a collector with the real file storage, until the returned stop.
func openFiles(t *testing.T, dir string) (host hostWith, stop func()) {
	t.Helper()
	factory := filestorage.NewFactory()
	cfg, ok := factory.CreateDefaultConfig().(*filestorage.Config)
	require.True(t, ok)
	cfg.Directory = dir
	ext, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	return hostWith{storageID: ext}, func() { require.NoError(t, ext.Shutdown(context.Background())) }
}

// stored gives what a storage keeps of the processor, and puts something else in
// its place if that is not nil.
func stored(t *testing.T, dir string, replacement []byte) []byte {
	t.Helper()
	host, stop := openFiles(t, dir)
	defer stop()
	ext, ok := host[storageID].(storage.Extension)
	require.True(t, ok)
	client, err := ext.GetClient(t.Context(), component.KindProcessor, processortest.NewNopSettings(metadata.Type).ID, "")
	require.NoError(t, err)
	kept, err := client.Get(t.Context(), memoryKey)
	require.NoError(t, err)
	if replacement != nil {
		require.NoError(t, client.Set(t.Context(), memoryKey, replacement))
	}
	require.NoError(t, client.Close(t.Context()))
	return kept
}

// nightOf runs the shipped engine over so many seconds of a site, and gives what
// it told. A directory is that of the storage; empty for none.
func nightOf(t *testing.T, s *site, seconds int, dir, journalPath string) []told {
	t.Helper()
	set := processortest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	factory := NewFactory()
	cfg, ok := factory.CreateDefaultConfig().(*Config)
	require.True(t, ok)
	var host component.Host = hostWith{}
	if dir != "" {
		cfg.StorageID = &storageID
		files, stop := openFiles(t, dir)
		defer stop()
		host = files
	}
	if journalPath != "" {
		cfg.Journal = configoptional.Some(JournalConfig{Path: journalPath, MaxSizeMiB: 1})
	}
	var logs consumertest.LogsSink
	m, err := factory.CreateMetrics(t.Context(), set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	l, err := factory.CreateLogs(t.Context(), set, cfg, &logs)
	require.NoError(t, err)
	for _, c := range []component.Component{m, l} {
		require.NoError(t, c.Start(t.Context(), host))
	}
	s.begin = time.Now()
	for n := 1; n <= seconds; n++ {
		time.Sleep(time.Second)
		require.NoError(t, m.ConsumeMetrics(t.Context(), s.second(n)))
	}
	require.NoError(t, m.Shutdown(context.Background()))
	require.NoError(t, l.Shutdown(context.Background()))
	return tellings(events(&logs))
}

const never = 1 << 30

// What was usual before a restart is usual after it: an incident that goes on is
// one at once, and a replay says the same.
func TestARestartForgetsNothing(t *testing.T) {
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "journal")
	var after, anew []told
	synctest.Test(t, func(t *testing.T) {
		require.Empty(t, nightOf(t, &site{backup: never}, 100, dir, ""))
		time.Sleep(3 * time.Hour)
		begin := time.Now()
		after = nightOf(t, &site{backup: 1}, 60, dir, path)
		require.NotEmpty(t, after)
		var opened []told
		for _, e := range after {
			if e.Name == "rootcause.episode" {
				opened = append(opened, e)
			}
		}
		require.Len(t, opened, 1)
		require.LessOrEqual(t, opened[0].At.Sub(begin), 15*time.Second)
		require.Less(t, opened[0].Attributes["rootcause.latency.baseline"], 0.02)

		anew = nightOf(t, &site{backup: 1}, 60, "", "")
	})
	for _, e := range anew {
		require.NotEqual(t, "rootcause.episode", e.Name, "who remembers nothing cannot know")
	}
	require.Equal(t, after, replayed(t, journal.Open(path)))
}

func TestAnIncidentIsNotLearnedByRestarts(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		nightOf(t, &site{backup: never}, 100, dir, "")
		for range 10 { // each shorter than the engine needs to raise an alarm, or a little longer
			nightOf(t, &site{backup: 1}, 8, dir, "")
			nightOf(t, &site{backup: 1}, 20, dir, "")
		}
		for _, e := range nightOf(t, &site{backup: 1}, 30, dir, "") {
			if e.Name == "rootcause.episode" {
				require.Less(t, e.Attributes["rootcause.latency.baseline"], 0.02)
				return
			}
		}
		require.Fail(t, "no episode was opened")
	})
}

// A journal whose older half is gone still knows what is usual.
func TestTheYoungerHalfOfAJournalKnowsWhatIsUsual(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	var live []told
	synctest.Test(t, func(t *testing.T) {
		live = nightOf(t, &site{backup: 1400}, 1460, "", path)
	})
	require.Equal(t, live, replayed(t, journal.Open(journal.Rotated(path), path)), "it changes nothing for who reads both halves")
	require.NoError(t, os.Remove(journal.Rotated(path)))
	first := true
	for f, err := range journal.Open(path) {
		require.NoError(t, err)
		if first {
			recalled, ok := f.(fact.Recalled)
			require.True(t, ok)
			require.Contains(t, string(recalled.State), `"service":"shop"`)
			first = false
		}
	}
	require.False(t, first)
}

func TestAStateThatCannotBeUsedIsNoReasonToStop(t *testing.T) {
	dir := t.TempDir()
	stored(t, dir, []byte("nonsense"))
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.WarnLevel)
		cfg, ok := NewFactory().CreateDefaultConfig().(*Config)
		require.True(t, ok)
		cfg.StorageID = &storageID
		host, stop := openFiles(t, dir)
		set := processortest.NewNopSettings(metadata.Type)
		set.Logger = zap.New(core)
		set.ID = component.NewID(metadata.Type)
		l, err := NewFactory().CreateLogs(t.Context(), set, cfg, consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, l.Start(t.Context(), host))
		time.Sleep(5 * time.Minute)
		require.NoError(t, l.Shutdown(context.Background()))
		stop()
		require.Equal(t, 1, seen.Len(), "%v", seen.All())
		entry := seen.All()[0]
		require.Contains(t, entry.Message, "all is learned anew")
		require.Equal(t, "memory", entry.ContextMap()["key"])
		require.Equal(t, "file_storage", entry.ContextMap()["storage"])
	})
	require.Equal(t, "nonsense", string(stored(t, dir, nil)), "it is kept until there is something better")
	synctest.Test(t, func(t *testing.T) {
		nightOf(t, &site{backup: never}, 100, dir, "")
	})
	require.Contains(t, string(stored(t, dir, nil)), `{"version":1,"baselines":[{"service":"shop"`)
}

// slowStorage is a storage that can fail and hang.
type slowStorage struct {
	component.StartFunc
	component.ShutdownFunc
	storage.Client

	mu      sync.Mutex
	refuse  error
	kept    string
	sets    int
	openErr error
	getErr  error
	hang    chan struct{} // if not nil, a write waits for an element
	closed  int
}

func (s *slowStorage) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return s, s.openErr
}

func (s *slowStorage) Get(context.Context, string) ([]byte, error) { return nil, s.getErr }

func (s *slowStorage) Set(_ context.Context, _ string, value []byte) error {
	if s.hang != nil {
		<-s.hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets++
	if s.refuse == nil {
		s.kept = string(value)
	}
	return s.refuse
}

func (s *slowStorage) Close(context.Context) error { s.closed++; return nil }

func TestAStorageThatCannotBeOpened(t *testing.T) {
	broken := errors.New("database is locked")
	for want, ext := range map[string]component.Component{
		`storage: there is no extension "file_storage": add it to extensions and to service::extensions`: nil,
		`storage: extension "file_storage" is no storage`: struct {
			component.StartFunc
			component.ShutdownFunc
		}{},
		`storage: open "file_storage": database is locked`:             &slowStorage{openErr: broken},
		`storage: read "memory" of "file_storage": database is locked`: &slowStorage{getErr: broken},
	} {
		t.Run(want, func(t *testing.T) {
			r := newRig(t)
			r.cfg.StorageID = &storageID
			host := hostWith{}
			if ext != nil {
				host[storageID] = ext
			}
			l, err := r.factory.CreateLogs(t.Context(), r.set, r.cfg, consumertest.NewNop())
			require.NoError(t, err)
			require.ErrorContains(t, l.Start(t.Context(), host), want)
			require.NoError(t, l.Shutdown(t.Context()))
		})
	}

	s := &slowStorage{}
	r := newRig(t)
	r.cfg.StorageID = &storageID
	r.cfg.Journal = configoptional.Some(JournalConfig{Path: t.TempDir(), MaxSizeMiB: 1})
	l, err := r.factory.CreateLogs(t.Context(), r.set, r.cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, l.Start(t.Context(), hostWith{storageID: s}), "journal.path")
	require.Equal(t, 1, s.closed, "what was opened is closed when the rest does not start")
	require.NoError(t, l.Shutdown(t.Context()))
}

func TestOneMemoryForAllPipelines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStorage{}
		r := newRig(t)
		r.cfg.StorageID, r.host = &storageID, hostWith{storageID: s}
		r.start(t)
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, s.sets, "what is written already is not written again")
		require.JSONEq(t, `{"marks":1}`, s.kept)
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
		r.shutdown(t)
		require.JSONEq(t, `{"marks":2}`, s.kept, "the last is written at the end")
		require.Equal(t, 1, s.closed)
	})
}

func TestAStorageThatFailsIsToldOfEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.InfoLevel)
		tel := componenttest.NewTelemetry()
		s := &slowStorage{refuse: errors.New("no space left on device")}
		r := newRig(t)
		r.set = settings(tel, core)
		r.cfg.StorageID, r.host = &storageID, hostWith{storageID: s}
		r.start(t)
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
		time.Sleep(10*time.Hour + time.Second)
		failures := seen.FilterMessageSnippet("could not be written").All()
		require.Len(t, failures, 15, "after 0, 1, 2, 4 minutes and so on, then hourly")
		require.Equal(t, "no space left on device", failures[0].ContextMap()["error"])
		metadatatest.AssertEqualRootcauseMemoryFailures(t, tel, []metricdata.DataPoint[int64]{{Value: 600}}, metricdatatest.IgnoreTimestamp())

		s.mu.Lock()
		s.refuse = nil
		s.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, seen.FilterMessageSnippet("is written again").Len())
		require.JSONEq(t, `{"marks":1}`, s.kept)
		r.shutdown(t)
		require.NoError(t, tel.Shutdown(context.Background()))
	})
}

func TestAStorageThatHangsHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStorage{hang: make(chan struct{})}
		r := newRig(t)
		r.cfg.StorageID, r.host = &storageID, hostWith{storageID: s}
		r.start(t)
		for range 5 {
			require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		require.Equal(t, 301, len(r.engines[0].ticks())) //nolint:testifylint // the list is long
		begin := time.Now()
		require.NoError(t, r.metrics.Shutdown(context.Background()))
		require.NoError(t, r.traces.Shutdown(context.Background()))
		require.ErrorContains(t, r.logs.Shutdown(context.Background()), "storage: the disk did not take what was learned within 5s")
		require.Equal(t, shutdownGrace, time.Since(begin))
		close(s.hang)
	})
}

func settings(tel *componenttest.Telemetry, core zapcore.Core) processor.Settings {
	set := metadatatest.NewSettings(tel)
	set.Logger = zap.New(core)
	return set
}
