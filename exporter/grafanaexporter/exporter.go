package grafanaexporter

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/exporter/grafanaexporter/internal/metadata"
	"github.com/otel-culprit/culprit/internal/delivery"
	"github.com/otel-culprit/culprit/internal/event"
)

// The values of attributes in metadata.yaml.
const (
	outcomeCreated = "created"
	outcomeUpdated = "updated"
	outcomeRefused = "refused"
	outcomeFailed  = "failed"

	reasonLimit     = "limit"
	reasonForgotten = "forgotten"
)

// annotator puts verdicts and windows on the board, and has a loop that writes
// to Grafana what is there.
type annotator struct {
	config    *Config
	settings  component.TelemetrySettings
	telemetry *metadata.TelemetryBuilder
	board     *board
	loop      *delivery.Loop
	client    client
	checked   bool // the dashboard; only the loop uses it
}

func newAnnotator(c *Config, set exporter.Settings) (*annotator, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	a := &annotator{
		config: c, settings: set.TelemetrySettings, telemetry: telemetry, board: newBoard(c.MaxAnnotations),
		client: client{base: c.ClientConfig.Endpoint, token: string(c.Token)},
	}
	a.loop = delivery.NewLoop(c.ExtendInterval, a.write)
	return a, nil
}

func (a *annotator) start(ctx context.Context, host component.Host) error {
	httpClient, err := a.config.ClientConfig.ToClient(ctx, host.GetExtensions(), a.settings)
	if err != nil {
		return err
	}
	a.client.http = httpClient
	a.loop.Start()
	return nil
}

// shutdown writes what is still to be written. Open annotations stay as they
// are: the next run finds them by their tag.
func (a *annotator) shutdown(ctx context.Context) error {
	err := a.loop.Stop(ctx)
	if a.client.http != nil {
		a.client.http.CloseIdleConnections()
	}
	a.telemetry.Shutdown()
	return err
}

// push puts verdicts and windows on the board. It does not wait for Grafana.
func (a *annotator) push(ctx context.Context, logs plog.Logs) error {
	var errs []error
	for v, err := range event.Verdicts(logs) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a.apply(ctx, verdictNote(v, a.config.Tags), v.At)
	}
	for w, err := range event.Windows(logs) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a.apply(ctx, windowNote(w, a.config.Tags), w.At)
	}
	a.loop.Wake()
	if len(errs) > 0 {
		return consumererror.NewPermanent(errors.Join(errs...))
	}
	return nil
}

func (a *annotator) apply(ctx context.Context, n note, at time.Time) {
	switch a.board.apply(n, at, time.Now()) {
	case applied:
	case stale:
		a.settings.Logger.Debug("an event older than what is known is passed over", zap.String("annotation", n.ID))
	case dropped:
		a.drop(ctx, 1, reasonLimit)
		a.settings.Logger.Warn("an annotation is dropped since max_annotations are open: raise it", zap.String("annotation", n.ID))
	}
}

// write brings Grafana up to date.
func (a *annotator) write(ctx context.Context) error {
	now := time.Now()
	if n := a.board.prune(a.config.ForgetAfter, now); n > 0 {
		a.drop(ctx, n, reasonForgotten)
		a.settings.Logger.Warn("annotations without news or success for longer than forget_after are given up", zap.Int("annotations", n))
	}
	a.checkDashboard(ctx)
	for _, e := range a.board.due(a.config.ExtendInterval, now) {
		outcome, err := a.bring(ctx, e, now)
		switch {
		case err == nil:
			a.count(ctx, outcome)
			a.board.settle(e.note.ID, e.version, now)
		case refusedAll(err):
			a.count(ctx, outcomeRefused)
			a.settings.Logger.Error("Grafana refuses annotations; they are tried again later", zap.Error(cure(err)))
			return err
		case delivery.Permanent(err):
			a.count(ctx, outcomeRefused)
			a.settings.Logger.Error("Grafana refused an annotation", zap.String("annotation", e.note.ID), zap.Error(err))
			a.board.settle(e.note.ID, e.version, now)
		default:
			a.count(ctx, outcomeFailed)
			a.settings.Logger.Warn("an annotation could not be written; it is tried again soon",
				zap.String("annotation", e.note.ID), zap.Error(err))
			return err
		}
	}
	return nil
}

// refusedAll tells whether the refusal is about us and not the annotation.
func refusedAll(err error) bool {
	status := delivery.Status(err)
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// bring creates or completes one annotation. What was created by a request
// whose answer was lost, or by an earlier run, is found by its tag.
func (a *annotator) bring(ctx context.Context, e entry, now time.Time) (outcome string, err error) {
	start, end := e.note.startEnd(now)
	id := e.id
	if id == 0 {
		if id, err = a.client.find(ctx, e.note.ID); err != nil {
			return outcomeFailed, err
		}
		a.board.learn(e.note.ID, id)
	}
	if id != 0 {
		change := annotation{TimeEnd: end}
		if e.version != e.written {
			change.Time, change.Text, change.Tags = start, e.note.Text, e.note.Tags
		}
		err = a.client.update(ctx, id, change)
		if delivery.Status(err) != http.StatusNotFound {
			return outcomeUpdated, err
		}
		a.board.learn(e.note.ID, 0) // somebody has deleted it
	}
	id, err = a.client.create(ctx, annotation{
		Time: start, TimeEnd: end, Text: e.note.Text, Tags: e.note.Tags,
		DashboardUID: a.config.DashboardUID, PanelID: a.config.PanelID,
	})
	if err != nil {
		return outcomeFailed, err
	}
	a.board.learn(e.note.ID, id)
	return outcomeCreated, nil
}

// checkDashboard warns of a dashboard that is not there: Grafana would store
// the annotations without it, and say nothing.
func (a *annotator) checkDashboard(ctx context.Context) {
	uid := a.config.DashboardUID
	if a.checked || uid == "" {
		return
	}
	err := a.client.dashboard(ctx, uid)
	switch {
	case err == nil:
		a.checked = true
	case delivery.Status(err) == http.StatusNotFound:
		a.checked = true
		a.settings.Logger.Warn("Grafana has no dashboard with dashboard_uid: annotations will belong to the whole organisation",
			zap.String("dashboard_uid", uid))
	default:
		a.checked = delivery.Permanent(err)
		a.settings.Logger.Warn("dashboard_uid could not be checked", zap.String("dashboard_uid", uid), zap.Error(cure(err)))
	}
}

func (a *annotator) count(ctx context.Context, outcome string) {
	a.telemetry.GrafanaAnnotationsWrites.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", outcome))))
}

func (a *annotator) drop(ctx context.Context, n int, reason string) {
	a.telemetry.GrafanaAnnotationsDropped.Add(ctx, int64(n), metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", reason))))
}
