package trial

import (
	"fmt"
	"time"

	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/blockdevice"

	"github.com/otel-culprit/culprit/internal/experiment"
)

// gauge reads the host's counters; the difference of two readings tells of the
// time between them.
type gauge struct {
	proc   procfs.FS
	disks  blockdevice.FS
	device string // MAJ:MIN; empty for none
}

// reading holds counters; nil where the host does not tell.
type reading struct {
	at            time.Time
	cpu, io, disk *float64 // seconds
	network       *float64 // bytes
}

func newGauge(device string) (gauge, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return gauge{}, err
	}
	disks, err := blockdevice.NewDefaultFS()
	return gauge{proc, disks, device}, err
}

func (g gauge) read() reading {
	r := reading{at: time.Now(), cpu: g.pressure("cpu"), io: g.pressure("io")}
	if stats, err := g.disks.ProcDiskstats(); err == nil {
		for _, s := range stats {
			if g.device == fmt.Sprintf("%d:%d", s.MajorNumber, s.MinorNumber) {
				busy := float64(s.IOsTotalTicks) / 1000
				r.disk = &busy
			}
		}
	}
	if devices, err := g.proc.NetDev(); err == nil {
		var sum float64
		for name, d := range devices {
			if name != "lo" {
				sum += float64(d.RxBytes) + float64(d.TxBytes)
			}
		}
		r.network = &sum
	}
	return r
}

func (g gauge) pressure(resource string) *float64 {
	stats, err := g.proc.PSIStatsForResource(resource)
	if err != nil || stats.Some == nil {
		return nil
	}
	seconds := float64(stats.Some.Total) / 1e6
	return &seconds
}

// until is what happened from one reading to the next.
func (r reading) until(next reading) experiment.Signals {
	span := next.at.Sub(r.at).Seconds()
	rate := func(from, to *float64) *float64 {
		if from == nil || to == nil || span <= 0 || *to < *from {
			return nil
		}
		v := (*to - *from) / span
		return &v
	}
	return experiment.Signals{
		CPUPressure: rate(r.cpu, next.cpu), IOPressure: rate(r.io, next.io),
		DiskBusy: rate(r.disk, next.disk), NetworkBPS: rate(r.network, next.network),
	}
}
