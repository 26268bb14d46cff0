package procfsreceiver

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/prometheus/procfs/blockdevice"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// sectorSize is the unit of diskstats, whatever the sectors of the device are:
// the block layer of Linux has counted in 512 bytes since it exists.
const sectorSize = 512

func (h *host) recordDisks(at time.Time) error {
	all, err := h.disks.ProcDiskstats()
	if err != nil {
		return fmt.Errorf("read diskstats: %w", err)
	}
	schedulers, err := h.schedulers.get(at)
	if err != nil {
		return err
	}
	ts := pcommon.NewTimestampFromTime(at)
	for _, d := range wholeDisks(all) {
		h.recordDisk(ts, d)
		var options []metadata.MetricAttributeOption
		if scheduler := schedulers[d.DeviceName]; scheduler != "" {
			options = append(options, metadata.WithRootcauseDiskSchedulerMetricAttribute(scheduler))
		}
		h.mb.RecordRootcauseDiskInfoDataPoint(ts, 1, d.DeviceName, fmt.Sprintf("%d:%d", d.MajorNumber, d.MinorNumber), options...)
	}
	return nil
}

func (h *host) recordDisk(ts pcommon.Timestamp, d blockdevice.Diskstats) {
	const read, write = metadata.AttributeDiskIoDirectionRead, metadata.AttributeDiskIoDirectionWrite
	name := d.DeviceName
	h.mb.RecordSystemDiskIoDataPoint(ts, count(d.ReadSectors*sectorSize), name, read)
	h.mb.RecordSystemDiskIoDataPoint(ts, count(d.WriteSectors*sectorSize), name, write)
	h.mb.RecordSystemDiskOperationsDataPoint(ts, count(d.ReadIOs), name, read)
	h.mb.RecordSystemDiskOperationsDataPoint(ts, count(d.WriteIOs), name, write)
	h.mb.RecordSystemDiskOperationTimeDataPoint(ts, milliseconds(d.ReadTicks), name, read)
	h.mb.RecordSystemDiskOperationTimeDataPoint(ts, milliseconds(d.WriteTicks), name, write)
	h.mb.RecordSystemDiskIoTimeDataPoint(ts, milliseconds(d.IOsTotalTicks), name)
	h.mb.RecordSystemDiskPendingOperationsDataPoint(ts, count(d.IOsInProgress), name)
	h.mb.RecordSystemDiskWeightedIoTimeDataPoint(ts, milliseconds(d.WeightedIOTicks), name)
}

// schedulers are the I/O schedulers of the disks, as far as they can be read.
func (r hostRoot) schedulers() map[string]string {
	disks, err := os.ReadDir(r.sys("block"))
	if err != nil {
		return nil
	}
	found := make(map[string]string, len(disks))
	for _, d := range disks {
		b, err := r.read(r.sys("block", d.Name(), "queue", "scheduler"))
		if err != nil {
			continue
		}
		// A name of a device like cciss/c0d0 has no slash in the sys file system.
		found[strings.ReplaceAll(d.Name(), "!", "/")] = parseScheduler(string(b))
	}
	return found
}

// parseScheduler finds the chosen one in a line like "none [mq-deadline] bfq". A
// disk without a choice has only the one.
func parseScheduler(line string) string {
	if _, rest, found := strings.Cut(line, "["); found {
		chosen, _, _ := strings.Cut(rest, "]")
		return chosen
	}
	return strings.TrimSpace(line)
}

func milliseconds(n uint64) float64 { return float64(n) / 1000 }

// wholeDisks leaves out partitions, whose I/O is their disk's, and virtual
// devices that never did anything.
func wholeDisks(all []blockdevice.Diskstats) []blockdevice.Diskstats {
	names := make(map[string]bool, len(all))
	for _, d := range all {
		names[d.DeviceName] = true
	}
	whole := make([]blockdevice.Diskstats, 0, len(all))
	for _, d := range all {
		if !isPartition(d.DeviceName, names) && !isUnused(d) {
			whole = append(whole, d)
		}
	}
	return whole
}

// isPartition knows a partition by its disk, which is listed too: sda1 by sda,
// nvme0n1p1 by nvme0n1 (a "p" if the disk's name ends in a digit). A xvda1 of a
// cloud, which has no disk, counts as one.
func isPartition(name string, names map[string]bool) bool {
	disk := strings.TrimRight(name, "0123456789")
	if disk == name || disk == "" {
		return false
	}
	if inner, ok := strings.CutSuffix(disk, "p"); ok && inner != "" && isDigit(inner[len(inner)-1]) {
		return names[inner]
	}
	return !isDigit(disk[len(disk)-1]) && names[disk]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isUnused(d blockdevice.Diskstats) bool {
	for _, prefix := range []string{"loop", "ram", "zram", "nbd", "sr", "fd"} {
		if strings.HasPrefix(d.DeviceName, prefix) {
			return d.ReadIOs == 0 && d.WriteIOs == 0 && d.IOsInProgress == 0
		}
	}
	return false
}
