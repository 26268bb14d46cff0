package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/configs"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/output"
)

// show refreshes the status line every second until ctx ends.
func (d *demo) show(ctx context.Context) {
	meter := pressureMeter{read: os.ReadFile}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			d.screen.Status(now, d.statusLine(now, &meter))
		}
	}
}

// statusLine says where the demo is and how the site does.
func (d *demo) statusLine(now time.Time, meter *pressureMeter) string {
	d.mu.Lock()
	phase, since := d.phase, d.since
	d.mu.Unlock()
	const recent = 5 * time.Second
	s := d.load.Stats(now.Add(-recent), now)
	windows, episodes := d.inbox.OpenNow()
	line := fmt.Sprintf("[%3.0f s] %3.0f/s  p50 %s  p95 %s ms | ", now.Sub(since).Seconds(), s.Rate, milliseconds(s.P50), milliseconds(s.P95))
	if share, ok := meter.share(now); ok {
		line += "CPU pressure " + output.Percent(share) + " | "
	}
	return line + fmt.Sprintf("backups %d, incidents %d | %s", windows, episodes, phase)
}

// mark notes on the collector's timeline what the demo does. The demo goes on
// without a mark.
func (d *demo) mark(ctx context.Context, name, text string) {
	if err := collector.Mark(ctx, d.otlp, name, text); err != nil && ctx.Err() == nil {
		d.screen.Printf("The timeline lacks a mark: %v", err)
	}
}

// writeConfig writes the embedded configuration for the collector to read.
func writeConfig(dir string) (string, error) {
	name := filepath.Join(dir, "demo.yaml")
	if err := os.WriteFile(name, configs.Demo, 0o600); err != nil {
		return "", fmt.Errorf("write the collector's configuration: %w", err)
	}
	return name, nil
}

// shellLine writes a command without characters special to the shell.
func shellLine(argv []string) string { return strings.Join(argv, " ") }
