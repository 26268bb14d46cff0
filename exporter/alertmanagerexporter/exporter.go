package alertmanagerexporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/exporter/alertmanagerexporter/internal/metadata"
	"github.com/otel-culprit/culprit/internal/delivery"
	"github.com/otel-culprit/culprit/internal/event"
)

// storageKey is where the board is kept in the storage.
const storageKey = "alerts"

// The values of attributes in metadata.yaml.
const (
	outcomeSent    = "sent"
	outcomeRefused = "refused"
	outcomeFailed  = "failed"

	reasonLimit     = "limit"
	reasonForgotten = "forgotten"
)

// alertExporter puts verdicts on the board, and has a loop for each peer that
// tells it what is there. A peer that is away has no part in the others.
type alertExporter struct {
	config    *Config
	id        component.ID
	settings  component.TelemetrySettings
	telemetry *metadata.TelemetryBuilder
	board     *board
	peers     []*peer
	loops     []*delivery.Loop

	saving  sync.Mutex // so that an older board is never stored over a newer one
	storage storage.Client
}

func newExporter(c *Config, set exporter.Settings) (*alertExporter, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &alertExporter{
		config: c, id: set.ID, settings: set.TelemetrySettings,
		telemetry: telemetry, board: newBoard(c.MaxAlerts),
	}
	for _, endpoint := range c.Endpoints {
		p, perr := newPeer(endpoint, c)
		if perr != nil {
			return nil, perr
		}
		e.peers = append(e.peers, p)
		e.loops = append(e.loops, delivery.NewLoop(c.ResendInterval, func(ctx context.Context) error {
			return e.tell(ctx, p)
		}))
	}
	return e, nil
}

func (e *alertExporter) start(ctx context.Context, host component.Host) error {
	client, err := e.config.ClientConfig.ToClient(ctx, host.GetExtensions(), e.settings)
	if err != nil {
		return err
	}
	if err = e.openStorage(ctx, host); err != nil {
		return err
	}
	e.run(client)
	return nil
}

func (e *alertExporter) run(client *http.Client) {
	for i, p := range e.peers {
		p.client = client
		e.loops[i].Start()
	}
}

// shutdown tells the peers what is still to be told. It does not resolve
// anything: the causes last though we end, and an alert that nobody repeats
// ends by itself.
func (e *alertExporter) shutdown(ctx context.Context) error {
	errs := make([]error, len(e.loops), len(e.loops)+1)
	var wait sync.WaitGroup
	for i, loop := range e.loops {
		wait.Go(func() { errs[i] = loop.Stop(ctx) })
	}
	wait.Wait()
	if e.storage != nil {
		e.save(ctx)
		errs = append(errs, e.storage.Close(ctx))
		e.storage = nil
	}
	for _, p := range e.peers {
		if p.client != nil {
			p.client.CloseIdleConnections()
		}
	}
	e.telemetry.Shutdown()
	return errors.Join(errs...)
}

// push puts verdicts on the board. It does not wait for any peer.
func (e *alertExporter) push(ctx context.Context, logs plog.Logs) error {
	var errs []error
	changed := false
	for v, err := range event.Verdicts(logs) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		switch e.board.apply(newNews(e.config, v), time.Now()) {
		case applied:
			changed = true
		case stale:
			e.settings.Logger.Debug("an event older than what is known of its verdict is passed over", zap.String("verdict", v.ID))
		case dropped:
			e.drop(ctx, 1, reasonLimit)
			e.settings.Logger.Warn("a verdict is dropped since max_alerts are open: raise it, or min_state", zap.String("verdict", v.ID))
		}
	}
	if changed {
		e.save(ctx)
		for _, loop := range e.loops {
			loop.Wake()
		}
	}
	if len(errs) > 0 {
		return consumererror.NewPermanent(errors.Join(errs...))
	}
	return nil
}

// tell brings one peer up to date.
func (e *alertExporter) tell(ctx context.Context, p *peer) error {
	now := time.Now()
	if n := e.board.prune(e.config.ForgetAfter, now); n > 0 {
		e.drop(ctx, n, reasonForgotten)
		e.settings.Logger.Warn("alerts without news for longer than forget_after are no longer repeated", zap.Int("alerts", n))
	}
	count, err := p.bring(ctx, e.board.snapshot(), now)
	e.count(ctx, p, count)
	switch {
	case err == nil:
		return nil
	case delivery.Permanent(err):
		e.settings.Logger.Error("an Alertmanager refused alerts; they are sent again after resend_interval",
			zap.String("peer", p.name), zap.Int("alerts", count.refused), zap.Error(err))
		return nil
	default:
		e.settings.Logger.Warn("an Alertmanager could not be reached; alerts are sent again soon",
			zap.String("peer", p.name), zap.Int("alerts", count.failed), zap.Error(err))
		return err
	}
}

func (e *alertExporter) count(ctx context.Context, p *peer, count tally) {
	for _, c := range []struct {
		n       int
		outcome string
	}{
		{count.sent, outcomeSent},
		{count.refused, outcomeRefused},
		{count.failed, outcomeFailed},
	} {
		if c.n > 0 {
			e.telemetry.AlertmanagerEventsNotifications.Add(ctx, int64(c.n), metric.WithAttributeSet(attribute.NewSet(
				attribute.String("peer", p.name), attribute.String("outcome", c.outcome))))
		}
	}
}

func (e *alertExporter) drop(ctx context.Context, n int, reason string) {
	e.telemetry.AlertmanagerEventsDropped.Add(ctx, int64(n), metric.WithAttributeSet(attribute.NewSet(
		attribute.String("reason", reason))))
}

// openStorage reads the board that an earlier run left.
func (e *alertExporter) openStorage(ctx context.Context, host component.Host) error {
	if e.config.Storage == nil {
		return nil
	}
	extension, ok := host.GetExtensions()[*e.config.Storage]
	if !ok {
		return fmt.Errorf("storage: there is no extension %s: add it to service::extensions", e.config.Storage)
	}
	provider, ok := extension.(storage.Extension)
	if !ok {
		return fmt.Errorf("storage: %s does not store anything: use one such as file_storage", e.config.Storage)
	}
	client, err := provider.GetClient(ctx, component.KindExporter, e.id, pipeline.SignalLogs.String())
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	data, err := client.Get(ctx, storageKey)
	if err != nil {
		return errors.Join(fmt.Errorf("storage: %w", err), client.Close(ctx))
	}
	e.storage = client
	if len(data) == 0 {
		return nil
	}
	if err = e.board.unmarshal(data); err != nil {
		e.settings.Logger.Warn("the stored alerts cannot be read; starting without them", zap.Error(err))
	}
	return nil
}

// save stores the board, if there is a storage.
func (e *alertExporter) save(ctx context.Context) {
	if e.storage == nil {
		return
	}
	e.saving.Lock()
	defer e.saving.Unlock()
	data, err := e.board.marshal()
	if err == nil {
		err = e.storage.Set(ctx, storageKey, data)
	}
	if err != nil {
		e.settings.Logger.Warn("alerts cannot be stored; a restart would forget them", zap.Error(err))
	}
}
