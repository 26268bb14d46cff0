package grafanaexporter

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otel-culprit/culprit/exporter/grafanaexporter/internal/metadata"
	"github.com/otel-culprit/culprit/exporter/grafanaexporter/internal/metadatatest"
	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/test/e2e/grafana"
)

// bench is an exporter and a Grafana in a bubble of time, without a network
// between them.
type bench struct {
	*annotator
	grafana   *grafana.Server
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs

	mu    sync.Mutex
	token string                    // instead of the configured one
	fault func(*http.Request) error // before the request arrives
	lost  func(*http.Request) error // after it was carried out
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	b := &bench{
		grafana:   grafana.New(map[string]grafana.Role{"editor": grafana.Editor, "viewer": grafana.Viewer}, "culprit"),
		telemetry: componenttest.NewTelemetry(),
	}
	t.Cleanup(func() { require.NoError(t, b.telemetry.Shutdown(context.Background())) })
	b.begin(t, change)
	return b
}

// begin starts an exporter, another one if there was one.
func (b *bench) begin(t *testing.T, change func(*Config)) {
	t.Helper()
	set := metadatatest.NewSettings(b.telemetry)
	core, logs := observer.New(zapcore.WarnLevel)
	set.Logger, b.logs = zap.New(core), logs
	a, err := newAnnotator(config(change), set)
	require.NoError(t, err)
	a.client.http = &http.Client{Transport: b, Timeout: 5 * time.Second}
	a.loop.Start()
	t.Cleanup(func() { _ = a.shutdown(context.Background()) }) // for a test that fails before its end
	b.annotator = a
	synctest.Wait()
}

func (b *bench) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	token, fault, lost := b.token, b.fault, b.lost
	b.mu.Unlock()
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if fault != nil {
		if err := fault(r); err != nil {
			return nil, err
		}
	}
	w := httptest.NewRecorder()
	b.grafana.ServeHTTP(w, r)
	if lost != nil {
		if err := lost(r); err != nil {
			return nil, err
		}
	}
	return w.Result(), nil
}

func (b *bench) set(fault, lost func(*http.Request) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault, b.lost = fault, lost
}

// as makes Grafana see another token.
func (b *bench) as(token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.token = token
}

type recorder interface{ Record(plog.LogRecord) }

func records(events ...recorder) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, e := range events {
		e.Record(rl.AppendEmpty())
	}
	return logs
}

func (b *bench) tell(t *testing.T, events ...recorder) {
	t.Helper()
	require.NoError(t, b.push(t.Context(), records(events...)))
	synctest.Wait()
}

func (b *bench) end(t *testing.T) {
	t.Helper()
	require.NoError(t, b.shutdown(t.Context()))
}

func (b *bench) only(t *testing.T) grafana.Annotation {
	t.Helper()
	all := b.grafana.Annotations()
	require.Len(t, all, 1)
	return all[0]
}

func config(change func(*Config)) *Config {
	c := createDefaultConfig().(*Config)
	c.ClientConfig.Endpoint, c.Token = "http://grafana:3000/", "editor"
	if change != nil {
		change(c)
	}
	return c
}

// current is a verdict that opens now.
func current() event.Verdict {
	v := nightly()
	v.At, v.Onset = time.Now(), time.Now().Add(-time.Minute)
	return v
}

func closed(v event.Verdict) event.Verdict {
	v.Phase, v.At, v.End = event.Closed, time.Now(), time.Now().Add(-time.Second)
	return v
}

func TestAnnotationIsCreatedOnceGrowsAndIsCompleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.DashboardUID, c.PanelID = "culprit", 7 })
		v := current()
		b.tell(t, v)
		a := b.only(t)
		require.Equal(t, v.Onset.UnixMilli(), a.Time)
		require.Equal(t, time.Now().UnixMilli(), a.TimeEnd)
		require.Equal(t, "culprit", a.DashboardUID)
		require.Equal(t, int64(7), a.PanelID)

		pass(10*time.Minute + time.Second)
		require.Equal(t, time.Now().Add(-time.Second).UnixMilli(), b.only(t).TimeEnd)
		require.Equal(t, a.Text, b.only(t).Text)
		require.Equal(t, a.Tags, b.only(t).Tags)

		updated := v
		updated.Phase, updated.At, updated.Cause.Workload = event.Updated, time.Now(), "rsync.service"
		b.tell(t, updated)
		require.Contains(t, b.only(t).Text, "rsync.service")

		done := closed(updated)
		b.tell(t, done)
		a = b.only(t)
		require.Equal(t, v.Onset.UnixMilli(), a.Time)
		require.Equal(t, done.End.UnixMilli(), a.TimeEnd)
		require.Contains(t, a.Text, "recovered after")

		before := len(b.grafana.Requests())
		pass(2 * time.Hour)
		require.Len(t, b.grafana.Requests(), before, "nothing is written once it is complete")
		require.Empty(t, b.board.entries)
		require.Empty(t, b.logs.All())
		b.end(t)
	})
}

func TestWindowsAreAnnotationsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		w := event.Window{
			ID: "w1", Phase: event.Opened, At: time.Now(), Host: "db1", Tool: "borg", Workload: "borg.service",
			Start: time.Now().Add(-time.Second),
		}
		b.tell(t, w, current())
		require.Len(t, b.grafana.Annotations(), 2)
		w.Phase, w.At, w.End = event.Closed, time.Now(), time.Now()
		b.tell(t, w)
		for _, a := range b.grafana.Annotations() {
			if a.Tags[0] == "rc:w1" {
				require.Equal(t, []string{"rc:w1", "rootcause", "backup", "host:db1", "tool:borg"}, a.Tags)
				require.Equal(t, "borg backup (borg.service) on db1 ended after 1s.", a.Text)
				require.Equal(t, w.End.UnixMilli(), a.TimeEnd)
			}
		}
		b.end(t)
	})
}

func TestALostAnswerDoesNotMakeTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		lose := 1
		b.set(nil, func(r *http.Request) error {
			if r.Method == http.MethodPost && lose > 0 {
				lose--
				return errors.New("connection reset")
			}
			return nil
		})
		b.tell(t, current())
		pass(2 * time.Second)
		b.only(t)
		require.Equal(t, []string{
			"GET /api/annotations", "POST /api/annotations", "GET /api/annotations", "PATCH /api/annotations/1",
		}, b.grafana.Requests())
		b.end(t)
	})
}

func TestARestartCompletesWhatWasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		v := current()
		b.tell(t, v)
		b.end(t)
		pass(time.Hour)
		b.begin(t, nil)
		done := closed(v)
		b.tell(t, done)
		require.Equal(t, done.End.UnixMilli(), b.only(t).TimeEnd)
		b.end(t)
	})
}

func TestADeletedAnnotationIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		v := current()
		b.tell(t, v)
		r := httptest.NewRequest(http.MethodDelete, "/api/annotations/1", http.NoBody)
		r.Header.Set("Authorization", "Bearer editor")
		b.grafana.ServeHTTP(httptest.NewRecorder(), r)
		require.Empty(t, b.grafana.Annotations())
		b.tell(t, closed(v))
		require.Contains(t, b.only(t).Text, "recovered after")
		b.end(t)
	})
}

func TestAGrafanaThatIsAwayGetsTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.set(func(*http.Request) error { return errors.New("connection refused") }, nil)
		v := current()
		b.tell(t, v)
		pass(time.Hour)
		b.tell(t, closed(v))
		b.set(nil, nil)
		pass(61 * time.Second)
		require.Contains(t, b.only(t).Text, "recovered after 1h0m59s")
		require.Equal(t, []string{"GET /api/annotations", "POST /api/annotations"}, b.grafana.Requests())
		b.end(t)
	})
}

func TestRefusalsNameTheCure(t *testing.T) {
	for token, cure := range map[string]string{
		"viewer": "the service account needs the role Editor",
		"wrong":  "make one for a service account with the role Editor",
	} {
		t.Run(token, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.as(token)
				b.tell(t, current())
				entries := b.logs.FilterMessage("Grafana refuses annotations; they are tried again later").All()
				require.Len(t, entries, 1)
				require.ErrorContains(t, entries[0].Context[0].Interface.(error), cure)
				pass(10 * time.Minute)
				require.Less(t, len(b.grafana.Requests()), 35, "the pauses grow")

				b.as("editor") // as if it were given the role
				pass(time.Minute)
				b.only(t)
				b.end(t)
			})
		})
	}
}

func TestOneRefusedAnnotationDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		bad := current()
		b.board.apply(note{ID: "rc:bad", Start: time.Now(), Tags: []string{"rc:bad"}}, bad.At, time.Now()) // no text
		b.tell(t, current())
		require.Equal(t, "rc:v1", b.only(t).Tags[0])
		metadatatest.AssertEqualGrafanaAnnotationsWrites(t, b.telemetry, []metricdata.DataPoint[int64]{
			{Attributes: attribute.NewSet(attribute.String("outcome", "refused")), Value: 1},
			{Attributes: attribute.NewSet(attribute.String("outcome", "created")), Value: 1},
		}, metricdatatest.IgnoreTimestamp())
		b.end(t)
	})
}

func TestAMissingDashboardIsWarnedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.DashboardUID = "gone" })
		require.Equal(t, 1, b.logs.FilterMessageSnippet("Grafana has no dashboard with dashboard_uid").Len())
		b.tell(t, current())
		require.Empty(t, b.only(t).DashboardUID)
		require.Equal(t, 1, b.logs.Len())
		b.end(t)
	})
}

func TestADashboardThatCannotBeCheckedIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.end(t)
		b.set(func(*http.Request) error { return errors.New("connection refused") }, nil)
		b.begin(t, func(c *Config) { c.DashboardUID = "culprit" })
		require.Equal(t, 1, b.logs.FilterMessage("dashboard_uid could not be checked").Len())
		b.set(nil, nil)
		b.tell(t, current())
		require.Equal(t, "culprit", b.only(t).DashboardUID)
		b.end(t)
	})
}

func TestTooManyAnnotationsAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.MaxAnnotations = 1 })
		second := current()
		second.ID = "v2"
		first := current()
		b.tell(t, first, second)
		b.only(t)
		metadatatest.AssertEqualGrafanaAnnotationsDropped(t, b.telemetry, []metricdata.DataPoint[int64]{
			{Attributes: attribute.NewSet(attribute.String("reason", "limit")), Value: 1},
		}, metricdatatest.IgnoreTimestamp())
		b.tell(t, closed(first))
		b.tell(t, second)
		require.Len(t, b.grafana.Annotations(), 2)
		b.end(t)
	})
}

func TestAnnotationWithoutNewsIsNoLongerExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.ForgetAfter = time.Hour })
		start := time.Now()
		b.tell(t, current())
		pass(5 * time.Hour)
		require.InDelta(t, 3600, float64(b.only(t).TimeEnd-start.UnixMilli())/1000, 61)
		require.Empty(t, b.board.entries)
		b.end(t)
	})
}

func TestLateEventsDoNotReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		v := current()
		b.tell(t, closed(v))
		v.Phase, v.At = event.Updated, time.Now()
		b.tell(t, v)
		require.Contains(t, b.only(t).Text, "recovered after")
		b.end(t)
	})
}

func TestAClockThatWentBackDoesNotKeepAnAnnotationGrowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		v := current()
		w := event.Window{ID: "w1", Phase: event.Opened, At: time.Now(), Host: "db1", Tool: "borg", Start: time.Now().Add(-time.Second)}
		b.tell(t, v, w)
		back := time.Now().Add(-time.Hour)
		v.Phase, v.At, v.End = event.Closed, back, back
		w.Phase, w.At, w.End = event.Closed, back, back
		b.tell(t, v, w)
		pass(30 * time.Minute)
		all := b.grafana.Annotations()
		require.Len(t, all, 2)
		for _, a := range all {
			require.Equal(t, a.Time+1, a.TimeEnd, "it ends where it began")
		}
		b.end(t)
	})
}

func TestShutdownWritesWhatFailedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.set(func(*http.Request) error { return errors.New("connection refused") }, nil)
		b.tell(t, current())
		b.set(nil, nil)
		b.end(t)
		b.only(t)
	})
}

func TestShutdownWritesWhatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		require.NoError(t, b.push(t.Context(), records(current())))
		b.end(t)
		b.end(t)
		b.only(t)
	})
}

func TestRecordsThatCannotBeReadDoNotHideTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		logs := records(current(), event.Window{ID: "w1"})
		err := b.push(t.Context(), logs)
		synctest.Wait()
		require.ErrorContains(t, err, "attribute rootcause.start is missing")
		require.True(t, consumererror.IsPermanent(err))
		b.only(t)
		b.end(t)
	})
}

func TestRequestsGoToTheConfiguredServer(t *testing.T) {
	stand := grafana.New(map[string]grafana.Role{"editor": grafana.Editor})
	server := httptest.NewServer(http.StripPrefix("/grafana", stand))
	defer server.Close()
	c := config(func(c *Config) { c.ClientConfig.Endpoint = server.URL + "/grafana/" })
	e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), c)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, e.ConsumeLogs(t.Context(), records(nightly())))
	require.NoError(t, e.Shutdown(t.Context()))
	require.Len(t, stand.Annotations(), 1)
}

func TestAnAnswerThatIsNotGrafanas(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("<html>"), 10))
	}))
	defer server.Close()
	c := client{base: server.URL, http: server.Client()}
	_, err := c.find(t.Context(), "rc:x")
	require.ErrorContains(t, err, "the answer is not Grafana's")
	require.NotContains(t, err.Error(), "html")
}

// pass lets time go by, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
