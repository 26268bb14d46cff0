package procfsreceiver

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/otel-culprit/culprit/internal/bpfscan"
	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/procscan"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// source is where processes are read from. It is not safe for concurrent use.
type source interface {
	// Scan reads all processes.
	Scan() (process.Snapshot, error)
	// Boot is when the host started.
	Boot() time.Time
	// BlockDelays reports whether the kernel accounts delays.
	BlockDelays() bool
	Close() error
}

// openSource opens the source that the configuration asks for, or the better one
// that this host and these privileges allow, and says which and why.
func openSource(cfg *Config, root hostRoot, log *zap.Logger) (source, metadata.AttributeSource, error) {
	if _, err := os.Stat(root.proc()); err != nil {
		return nil, 0, fmt.Errorf("root_path %q: %w", cfg.RootPath, err)
	}
	if cfg.Source != SourceProcfs {
		src, err := bpfscan.Open(bpfscan.Options{
			Root: root.proc(), CommandLine: true, Network: cfg.Network, Events: true,
		})
		if err == nil {
			log.Info("Processes are read by eBPF", zap.String("source", string(SourceEBPF)))
			for _, m := range src.Missing() {
				log.Warn("Something about processes cannot be seen by eBPF on this host", zap.String("what", m.What), zap.String("cure", m.Cure))
			}
			return src, metadata.AttributeSourceEbpf, nil
		}
		if cfg.Source == SourceEBPF {
			return nil, 0, fmt.Errorf("source ebpf: %w; source: procfs, or auto, reads the proc file system instead", err)
		}
		fields := []zap.Field{zap.String("source", string(SourceProcfs))}
		if refusal := new(bpfscan.Refusal); errors.As(err, &refusal) {
			fields = append(fields, zap.String("why_not_ebpf", refusal.Reason), zap.String("cure", refusal.Cure))
		} else {
			fields = append(fields, zap.NamedError("why_not_ebpf", err))
		}
		log.Info("Processes are read from the proc file system; eBPF would cost less, and see short-lived processes and all network bytes", fields...)
	} else {
		log.Info("Processes are read from the proc file system, as configured", zap.String("source", string(SourceProcfs)))
	}
	src, err := procscan.Open(procscan.Options{
		Root: root.proc(), CommandLine: true, // to name jobs; they leave the receiver only if asked for
		Switches: cfg.Aggregation == AggregationProcess && cfg.Metrics.ProcessContextSwitches.Enabled,
	})
	return src, metadata.AttributeSourceProcfs, err
}
