package experiment

import (
	"math"
	"slices"
	"time"
)

// Block is what was measured while one arm was played once.
type Block struct {
	Arm     string        `json:"arm"`
	Repeat  int           `json:"repeat"` // from 0
	At      time.Duration `json:"-"`      // since the experiment began
	Lasted  time.Duration `json:"-"`      // how long it was measured
	Took    []float64     `json:"-"`      // milliseconds of each request planned in it; an unfinished one counts with its age
	Failed  int           `json:"failed"` // requests that were answered with an error, or not at all
	Backup  Work          `json:"backup"`
	Signals Signals       `json:"signals"`
	Quantiles
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"` // Lasted
	Start    float64 `json:"start_s"` // At
}

// Quantiles are of the requests of a block, in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
}

// Work is what the backup did in a block.
type Work struct {
	Ended     bool    `json:"ended"`      // by itself
	Seconds   float64 `json:"seconds"`    // it ran
	Bytes     float64 `json:"bytes"`      // through calls that read or write
	DiskRead  float64 `json:"disk_read"`  // bytes from devices
	DiskWrite float64 `json:"disk_write"` // bytes to devices
	CPU       float64 `json:"cpu_s"`
}

// Signals are what the host told in a block; nil where it does not tell.
type Signals struct {
	CPUPressure *float64 `json:"cpu_pressure,omitempty"` // share of the time in which some task waited for a CPU
	IOPressure  *float64 `json:"io_pressure,omitempty"`  // share of the time in which some task waited for storage
	DiskBusy    *float64 `json:"disk_busy,omitempty"`    // share of the time in which the backup's device worked
	NetworkBPS  *float64 `json:"network_bps,omitempty"`  // bytes per second, sent and received, without the loopback interface
}

// Sum fills in what follows from the requests.
func (b Block) Sum() Block {
	sorted := slices.Clone(b.Took)
	slices.Sort(sorted)
	b.Quantiles = Quantiles{P50: Quantile(sorted, 0.5), P95: Quantile(sorted, 0.95), P99: Quantile(sorted, 0.99)}
	b.Requests, b.Seconds, b.Start = len(sorted), b.Lasted.Seconds(), b.At.Seconds()
	return b
}

// Quantile is the smallest of the sorted values that at least the fraction q of
// them do not exceed; NaN if there are none.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// UseOf is what the plain backup used by second, over the blocks there are.
func UseOf(blocks []Block) Plain {
	var p Plain
	var seconds float64
	for _, b := range blocks {
		if b.Arm == Without {
			seconds += b.Backup.Seconds
			p.Bytes += b.Backup.Bytes
			p.DiskRead += b.Backup.DiskRead
			p.DiskWrite += b.Backup.DiskWrite
			p.CPU += b.Backup.CPU
		}
	}
	if seconds == 0 {
		return Plain{}
	}
	return Plain{Bytes: p.Bytes / seconds, DiskRead: p.DiskRead / seconds, DiskWrite: p.DiskWrite / seconds, CPU: p.CPU / seconds}
}
