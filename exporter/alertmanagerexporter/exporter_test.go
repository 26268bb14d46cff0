package alertmanagerexporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otel-culprit/culprit/exporter/alertmanagerexporter/internal/metadatatest"
	"github.com/otel-culprit/culprit/internal/event"
)

// bench is an exporter with two peers in a bubble of time.
type bench struct {
	*alertExporter
	one, two  *fakeAlertmanager
	telemetry *componenttest.Telemetry
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.Background())) })
	b := &bench{one: newFake(), two: newFake(), telemetry: telemetry}
	b.alertExporter = b.exporter(t, change)
	return b
}

// exporter makes another one for the same peers.
func (b *bench) exporter(t *testing.T, change func(*Config)) *alertExporter {
	t.Helper()
	e, err := newExporter(config(change), metadatatest.NewSettings(b.telemetry))
	require.NoError(t, err)
	return e
}

func (b *bench) client() *http.Client {
	return &http.Client{Transport: cluster{"one:9093": b.one, "two:9093": b.two}, Timeout: 5 * time.Second}
}

func (b *bench) begin(t *testing.T) {
	t.Helper()
	e := b.alertExporter
	e.run(b.client())
	t.Cleanup(func() { _ = e.shutdown(context.Background()) }) // for a test that fails before its end
	synctest.Wait()
}

// tell pushes verdicts and waits until all that follows at once is done.
func (b *bench) tell(t *testing.T, verdicts ...event.Verdict) {
	t.Helper()
	require.NoError(t, b.push(t.Context(), records(verdicts...)))
	synctest.Wait()
}

func (b *bench) end(t *testing.T) {
	t.Helper()
	require.NoError(t, b.shutdown(t.Context()))
}

func records(verdicts ...event.Verdict) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, v := range verdicts {
		v.Record(rl.AppendEmpty())
	}
	return logs
}

// current is the nightly verdict as of now.
func current(phase event.Phase, change func(*event.Verdict)) event.Verdict {
	v := nightly()
	v.Phase, v.At, v.Onset = phase, time.Now(), time.Now().Add(-time.Minute)
	if phase == event.Closed {
		v.End = time.Now().Add(-time.Second)
	}
	if change != nil {
		change(&v)
	}
	return v
}

func workload(name string) func(*event.Verdict) {
	return func(v *event.Verdict) { v.ID, v.Cause.Workload = "verdict on "+name, name }
}

func TestAlertLivesAsLongAsItsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.begin(t)
		v := current(event.Opened, nil)
		b.tell(t, v)
		for _, f := range []*fakeAlertmanager{b.one, b.two} {
			require.Equal(t, []string{"borg.service"}, f.firing())
			require.True(t, f.only().StartsAt.Equal(v.Onset))
			require.True(t, f.only().EndsAt.Equal(time.Now().Add(4*time.Minute)))
		}
		pass(2*time.Hour + time.Second)
		require.Equal(t, []string{"borg.service"}, b.one.firing())
		require.True(t, b.one.only().StartsAt.Equal(v.Onset))
		require.Equal(t, 121, b.one.requests())

		closed := v
		closed.Phase, closed.At, closed.End = event.Closed, time.Now(), time.Now().Add(-10*time.Second)
		b.tell(t, closed)
		require.Empty(t, b.one.firing())
		require.True(t, b.two.only().EndsAt.Equal(closed.End))
		require.Contains(t, b.two.only().Annotations["summary"], "recovered after")

		before := b.one.requests()
		pass(2 * time.Hour)
		require.Equal(t, 15, b.one.requests()-before, "resolved alerts are repeated for 15 minutes")
		require.True(t, b.one.only().EndsAt.Equal(closed.End))
		b.end(t)
	})
}

func TestAnotherCauseResolvesTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.begin(t)
		b.tell(t, current(event.Opened, nil))
		pass(30 * time.Second)
		b.tell(t, current(event.Updated, func(v *event.Verdict) { v.Cause.Workload = "rsync.service" }))
		pass(time.Second)
		require.Equal(t, []string{"rsync.service"}, b.one.firing())
		require.Equal(t, []string{"borg.service"}, b.one.resolved())
		b.end(t)
	})
}

// By default an incident that becomes surer pages once, and its first guess
// never.
func TestAnIncidentThatBecomesSurerPagesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.begin(t)
		b.tell(t, current(event.Opened, func(v *event.Verdict) {
			v.State, v.Cause, v.Backups = event.Unknown, event.Suspect{Kind: "unknown"}, nil
		}))
		pass(5 * time.Second)
		b.tell(t, current(event.Updated, func(v *event.Verdict) { v.State, v.Cause.Workload = event.Probable, "rsync.service" }))
		pass(5 * time.Second)
		b.tell(t, current(event.Updated, nil))
		pass(time.Hour)
		require.Equal(t, []string{"borg.service"}, b.one.firing())
		require.Equal(t, "critical", b.one.only().Labels["severity"])
		require.Len(t, b.one.alerts, 1)
		b.tell(t, current(event.Closed, nil))
		require.Empty(t, b.one.firing())
		require.Len(t, b.one.alerts, 1)
		b.end(t)
	})
}

func TestAClockThatWentBackDoesNotKeepTheAlertAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.begin(t)
		v := current(event.Opened, nil)
		b.tell(t, v)
		v.Phase, v.At, v.End = event.Closed, v.At.Add(-time.Hour), v.At.Add(-time.Hour)
		b.tell(t, v)
		require.Empty(t, b.one.firing())
		require.True(t, b.one.only().EndsAt.Equal(v.Onset))
		pass(time.Hour)
		require.Empty(t, b.one.firing())
		b.end(t)
	})
}

func TestShutdownSendsWhatFailedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.begin(t)
		b.one.set(func(f *fakeAlertmanager) { f.fail = errors.New("down") })
		b.tell(t, current(event.Opened, nil))
		b.one.set(func(f *fakeAlertmanager) { f.fail = nil })
		b.end(t)
		require.Equal(t, []string{"borg.service"}, b.one.firing())
	})
}

func TestOnlySureVerdictsBecomeAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.MinState = event.Named })
		b.begin(t)
		b.tell(t, current(event.Opened, func(v *event.Verdict) { v.State = event.Probable }))
		require.Zero(t, b.one.requests())
		b.tell(t, current(event.Updated, nil))
		require.Equal(t, []string{"borg.service"}, b.one.firing())
		b.tell(t, current(event.Updated, func(v *event.Verdict) { v.State = event.Probable }))
		pass(time.Second)
		require.Empty(t, b.one.firing())
		b.end(t)
	})
}

func TestPeerThatIsAwayLosesNothingAndDelaysNobody(t *testing.T) {
	for name, trouble := range map[string]func(*fakeAlertmanager){
		"refuses connections": func(f *fakeAlertmanager) { f.fail = errors.New("connection refused") },
		"hangs":               func(f *fakeAlertmanager) { f.hang = true },
		"is broken":           func(f *fakeAlertmanager) { f.status = http.StatusInternalServerError },
		"is overloaded":       func(f *fakeAlertmanager) { f.status = http.StatusTooManyRequests },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.one.set(trouble)
				b.begin(t)
				started := time.Now()
				b.tell(t, current(event.Opened, workload("a")))
				b.tell(t, current(event.Opened, workload("b")))
				b.tell(t, current(event.Closed, workload("a")))
				require.Zero(t, time.Since(started), "pushing does not wait for peers")
				pass(time.Millisecond)
				require.Equal(t, []string{"b"}, b.two.firing())
				require.Equal(t, 3, b.two.requests(), "what a peer has is not sent again because of another")

				pass(10 * time.Minute)
				require.Empty(t, b.one.firing())
				b.one.set(func(f *fakeAlertmanager) { f.fail, f.hang, f.status = nil, false, 0 })
				pass(66 * time.Second) // the longest pause, and a request that still hangs
				require.Equal(t, []string{"b"}, b.one.firing())
				require.Equal(t, []string{"a"}, b.one.resolved())
				b.end(t)
			})
		})
	}
}

func TestRefusedAlertsAreNotRepeatedBlindly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.one.set(func(f *fakeAlertmanager) { f.status = http.StatusBadRequest })
		b.begin(t)
		b.tell(t, current(event.Opened, nil))
		pass(150 * time.Second)
		metadatatest.AssertEqualAlertmanagerEventsNotifications(t, b.telemetry, []metricdata.DataPoint[int64]{
			{Attributes: attribute.NewSet(attribute.String("peer", "http://one:9093/api/v2/alerts"), attribute.String("outcome", "refused")), Value: 3},
			{Attributes: attribute.NewSet(attribute.String("peer", "http://two:9093/api/v2/alerts"), attribute.String("outcome", "sent")), Value: 3},
		}, metricdatatest.IgnoreTimestamp())
		b.end(t)
	})
}

func TestFailuresAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		for _, f := range []*fakeAlertmanager{b.one, b.two} {
			f.set(func(f *fakeAlertmanager) { f.fail = errors.New("down") })
		}
		b.begin(t)
		b.tell(t, current(event.Opened, nil))
		metadatatest.AssertEqualAlertmanagerEventsNotifications(t, b.telemetry, []metricdata.DataPoint[int64]{
			{Attributes: attribute.NewSet(attribute.String("peer", "http://one:9093/api/v2/alerts"), attribute.String("outcome", "failed")), Value: 1},
			{Attributes: attribute.NewSet(attribute.String("peer", "http://two:9093/api/v2/alerts"), attribute.String("outcome", "failed")), Value: 1},
		}, metricdatatest.IgnoreTimestamp())
		b.end(t)
	})
}

func TestManyAlertsGoInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.begin(t)
		var verdicts []event.Verdict
		for i := range 600 {
			verdicts = append(verdicts, current(event.Opened, workload(fmt.Sprint("w", i))))
		}
		b.tell(t, verdicts...)
		require.Equal(t, []int{256, 256, 88}, b.one.sizes)
		b.end(t)
	})
}

func TestTooManyAlertsAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.MaxAlerts = 2 })
		b.begin(t)
		b.tell(t, current(event.Opened, workload("a")), current(event.Opened, workload("b")),
			current(event.Opened, workload("c")), current(event.Opened, workload("d")))
		require.Equal(t, []string{"a", "b"}, b.one.firing())
		metadatatest.AssertEqualAlertmanagerEventsDropped(t, b.telemetry, []metricdata.DataPoint[int64]{
			{Attributes: attribute.NewSet(attribute.String("reason", "limit")), Value: 2},
		}, metricdatatest.IgnoreTimestamp())
		b.end(t)
	})
}

func TestAlertWithoutNewsIsLeftToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.ForgetAfter = time.Hour })
		b.begin(t)
		b.tell(t, current(event.Opened, nil))
		pass(59 * time.Minute)
		require.Equal(t, []string{"borg.service"}, b.one.firing())
		pass(10 * time.Minute)
		require.Empty(t, b.one.firing())
		metadatatest.AssertEqualAlertmanagerEventsDropped(t, b.telemetry, []metricdata.DataPoint[int64]{
			{Attributes: attribute.NewSet(attribute.String("reason", "forgotten")), Value: 1},
		}, metricdatatest.IgnoreTimestamp())
		b.end(t)
	})
}

func TestShutdownSendsWhatIsPendingAndResolvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.begin(t)
		b.tell(t, current(event.Opened, workload("a")))
		require.NoError(t, b.push(t.Context(), records(current(event.Opened, workload("b")))))
		b.end(t)
		require.NoError(t, b.shutdown(t.Context()))
		require.Equal(t, []string{"a", "b"}, b.one.firing())
		pass(4*time.Minute + time.Second)
		require.Empty(t, b.one.firing(), "what nobody repeats ends by itself")
	})
}

func TestShutdownDoesNotWaitLongerThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.one.set(func(f *fakeAlertmanager) { f.hang = true })
		b.begin(t)
		b.tell(t, current(event.Opened, nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, b.shutdown(ctx), context.DeadlineExceeded)
	})
}

func TestRecordsThatCannotBeReadDoNotHideTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.begin(t)
		logs := records(current(event.Opened, workload("a")), current(event.Opened, workload("b")))
		logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().PutStr("rootcause.onset", "soon")
		err := b.push(t.Context(), logs)
		synctest.Wait()
		require.ErrorContains(t, err, `attribute rootcause.onset is "soon"`)
		require.True(t, consumererror.IsPermanent(err))
		require.Equal(t, []string{"b"}, b.one.firing())
		b.end(t)
	})
}

// memory is a storage extension that keeps everything in a map.
type memory struct {
	component.StartFunc
	component.ShutdownFunc
	storage.Client
	data map[string][]byte
}

func (m *memory) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return m, nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) { return m.data[key], nil }

func (m *memory) Set(_ context.Context, key string, value []byte) error {
	m.data[key] = value
	return nil
}

func (m *memory) Close(context.Context) error { return nil }

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func TestStorageKeepsAlertsOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := component.MustNewID("memory")
		h := host{id: &memory{data: map[string][]byte{}}}
		withStorage := func(c *Config) { c.Storage = &id }
		b := newBench(t, withStorage)
		require.NoError(t, b.openStorage(t.Context(), h))
		b.begin(t)
		b.tell(t, current(event.Opened, nil))
		b.end(t)

		b.alertExporter = b.exporter(t, withStorage)
		require.NoError(t, b.openStorage(t.Context(), h))
		b.begin(t)
		pass(time.Hour)
		require.Equal(t, []string{"borg.service"}, b.one.firing(), "renewed without any event")
		// The cause changed while nobody listened: the old alert is known to be ours.
		b.tell(t, current(event.Closed, func(v *event.Verdict) { v.Cause.Workload = "rsync.service" }))
		require.Empty(t, b.one.firing())
		b.end(t)
	})
}

func TestStorageMustBeOne(t *testing.T) {
	id := component.MustNewID("memory")
	e, err := newExporter(config(func(c *Config) { c.Storage = &id }), exportertest.NewNopSettings(component.MustNewType("alertmanager_events")))
	require.NoError(t, err)
	require.EqualError(t, e.start(t.Context(), host{}), "storage: there is no extension memory: add it to service::extensions")
	notStorage := struct {
		component.StartFunc
		component.ShutdownFunc
	}{}
	require.EqualError(t, e.start(t.Context(), host{id: notStorage}), "storage: memory does not store anything: use one such as file_storage")
	damaged := &memory{data: map[string][]byte{storageKey: []byte("{")}}
	require.NoError(t, e.start(t.Context(), host{id: damaged}), "a damaged storage is no reason not to start")
	require.NoError(t, e.shutdown(t.Context()))
}

// pass lets time go by, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
