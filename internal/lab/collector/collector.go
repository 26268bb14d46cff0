package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

const collectorName = "otelcol-culprit"

// Find takes the given path, else what lies beside this program, else
// what the PATH has.
func Find(given string) (string, error) {
	if given != "" {
		found, err := exec.LookPath(given)
		if err != nil {
			return "", fmt.Errorf("--otelcol: %s cannot be run (%s): name the program %s, which 'make build' makes as bin/%s", given, reason(err), collectorName, collectorName)
		}
		return found, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), collectorName)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	found, err := exec.LookPath(collectorName)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside this program nor in the PATH: 'make build' makes it as bin/%s, and --otelcol names another place", collectorName, collectorName)
	}
	return found, nil
}

// reason is why a program cannot be run, without its path.
func reason(err error) string {
	if failed, ok := errors.AsType[*exec.Error](err); ok {
		err = failed.Err
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	return err.Error()
}

// Mark puts a note on the collector's timeline.
func Mark(ctx context.Context, endpoint, name, text string) error {
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName("rootcause.mark")
	record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	record.SetSeverityNumber(plog.SeverityNumberInfo)
	record.Attributes().PutStr("rootcause.mark.name", name)
	record.Body().SetStr(text)
	if err := Post(ctx, endpoint, logs); err != nil {
		return fmt.Errorf("send a mark: %w", err)
	}
	return nil
}

// Post sends log records to an OTLP/HTTP receiver such as
// http://127.0.0.1:4318.
func Post(ctx context.Context, endpoint string, logs plog.Logs) error {
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/v1/logs", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", endpoint, resp.Status)
	}
	return nil
}
