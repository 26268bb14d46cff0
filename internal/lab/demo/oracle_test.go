package demo

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/victim"
)

// oracle stands in for the collector: it answers the demo's marks with what a
// right collector would find.
func oracle(ctx context.Context) error {
	if err := os.WriteFile(os.Getenv("CULPRIT_JOURNAL"), []byte("facts\n"), 0o600); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/metrics", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/logs", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := plogotlp.NewExportRequest()
		if err = errors.Join(err, request.UnmarshalProto(body)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		record := request.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		name, _ := record.Attributes().Get("rootcause.mark.name")
		if err = tell(r.Context(), name.Str()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("CULPRIT_OTLP_PORT"), Handler: mux, ReadHeaderTimeout: time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// tell sends what follows from a mark.
func tell(ctx context.Context, mark string) error {
	now := time.Now()
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	episode := event.Episode{ID: "e1", Phase: event.Opened, At: now, Service: victim.Service, Onset: now, Latency: 0.2, Baseline: 0.02}
	verdict := event.Verdict{
		ID: "v1", Phase: event.Opened, Reason: "cause_named", At: now, Service: victim.Service, Onset: now, State: event.Named,
		Latency: 0.2, Baseline: 0.02,
	}
	switch mark {
	case "guilty_backup":
		event.Window{ID: "w1", Phase: event.Opened, At: now, Tool: "tar", Start: now}.Record(records.AppendEmpty())
		verdict.Cause = event.Suspect{Kind: "contention", Resource: "cpu", Workload: "nightly-backup", Confidence: 0.9}
		verdict.Backups = []event.Backup{{WindowID: "w1", Tool: "tar", Finding: "charged", Reason: "It takes the CPU."}}
	case "backup_stopped":
		episode.Phase, episode.End = event.Closed, now
		event.Window{ID: "w1", Phase: event.Closed, At: now, Tool: "tar", Start: now, End: now}.Record(records.AppendEmpty())
	case "surge":
		episode.ID = "e2"
		event.Window{ID: "w2", Phase: event.Opened, At: now, Tool: "tar", Start: now}.Record(records.AppendEmpty())
		verdict.ID = "v2"
		verdict.Cause = event.Suspect{Kind: "traffic_surge", Confidence: 0.85}
		verdict.Backups = []event.Backup{{WindowID: "w2", Tool: "tar", Finding: "cleared", Reason: "It sleeps."}}
	default:
		return nil
	}
	episode.Record(records.AppendEmpty())
	if verdict.Cause.Kind != "" {
		verdict.Record(records.AppendEmpty())
	}
	return collector.Post(ctx, "http://127.0.0.1:"+os.Getenv("CULPRIT_FINDINGS_PORT"), logs)
}
