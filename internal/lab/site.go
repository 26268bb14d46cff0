package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

// SiteConfig describes the small web site.
type SiteConfig struct {
	Addr         string        // loopback address to listen on, such as 127.0.0.1:8080
	Dir          string        // directory for its files, which exists
	OTLPEndpoint string        // such as http://127.0.0.1:4318; empty to send no telemetry
	Service      string        // service.name; "shop" if empty
	Work         time.Duration // CPU time for each request; 5 ms if zero
}

// health is what the site answers on healthPath.
type health struct {
	CPUSeconds float64 `json:"cpu_seconds"` // of the process, since it started
}

const (
	healthPath = "/healthz"
	itemRoute  = "/item/{id}"
)

// Site serves until ctx ends. It answers on /item/{id} as web sites do: it
// reads a file that is not cached, computes, and notes an order that is made
// durable in batches. It tells how long requests took by OTLP.
func Site(ctx context.Context, cfg SiteConfig) error {
	if cfg.Service == "" {
		cfg.Service = "shop"
	}
	if cfg.Work == 0 {
		cfg.Work = 5 * time.Millisecond
	}
	if err := mustBeLoopback(cfg.Addr); err != nil {
		return err
	}
	work, err := newSiteWork(cfg.Dir, cfg.Work)
	if err != nil {
		return err
	}
	defer work.close()
	telemetry, err := newSiteTelemetry(ctx, cfg)
	if err != nil {
		return err
	}
	defer telemetry.close(ctx)

	mux := http.NewServeMux()
	mux.Handle("GET "+itemRoute, telemetry.measure(itemRoute, work))
	mux.HandleFunc("GET "+healthPath, serveHealth)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("the site cannot listen: %w", err)
	}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() }) // its visitors are ours
	defer stopped()
	go work.commitOrders(ctx)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the site ended: %w", err)
	}
	return nil
}

func serveHealth(w http.ResponseWriter, _ *http.Request) {
	used, err := ownCPU()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(health{CPUSeconds: used.Seconds()}) // whoever asked has gone
}

// ownCPU is the CPU time that this process has used.
func ownCPU() (time.Duration, error) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read the own CPU time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// mustBeLoopback refuses addresses that others could reach.
func mustBeLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address must be such as 127.0.0.1:8080: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("address must be on the loopback interface, such as 127.0.0.1:8080, not %q", addr)
	}
	return nil
}
