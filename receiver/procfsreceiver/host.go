package procfsreceiver

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/blockdevice"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// hostSource reads one file, or one kind of file, of the host.
type hostSource struct {
	metrics []string // what is missing without it
	cure    string   // what makes it appear
	record  func(at time.Time) error
}

// slowly is how often that is read which hardly ever changes.
const slowly = time.Minute

// host reads what is true of the whole host.
type host struct {
	root  hostRoot
	mb    *metadata.MetricsBuilder
	proc  procfs.FS
	disks blockdevice.FS

	filesystems  slow[[]filesystem]
	speeds       slow[map[string]float64]
	bottom       slow[map[string]bool]
	links        map[string]traffic // counters of the bottom links
	passed       traffic            // over them, since the first scrape
	capabilities slow[[]capability]
	schedulers   slow[map[string]string]
}

func newHost(root hostRoot, mb *metadata.MetricsBuilder) (*host, error) {
	proc, err := procfs.NewFS(root.proc())
	if err != nil {
		return nil, err
	}
	// Only its diskstats are used, which are not in the sys file system.
	disks, err := blockdevice.NewFS(root.proc(), root.proc())
	if err != nil {
		return nil, err
	}
	h := &host{root: root, mb: mb, proc: proc, disks: disks, links: map[string]traffic{}}
	h.filesystems.read, h.filesystems.every = h.statFilesystems, 10*time.Second
	h.speeds.read = h.linkSpeeds
	h.bottom.read = h.bottomLinks
	h.capabilities.read = root.capabilities
	h.schedulers.read = func() (map[string]string, error) { return root.schedulers(), nil }
	return h, nil
}

func (h *host) sources() []hostSource {
	return []hostSource{
		{
			metrics: []string{"system.cpu.time", "system.cpu.logical.count"},
			cure:    "mount the host's proc file system, and check root_path",
			record:  h.recordCPU,
		},
		{
			metrics: []string{
				"system.disk.io", "system.disk.operations", "system.disk.operation_time",
				"system.disk.io_time", "system.disk.pending_operations", "system.disk.weighted_io_time", "rootcause.disk.info",
			},
			cure:   "none if this is a sandbox; otherwise mount the host's proc file system, and check root_path",
			record: h.recordDisks,
		},
		{
			metrics: []string{"system.network.io", "system.network.errors", "system.network.packet.dropped"},
			cure:    "let the collector see the first process of the host: no hidepid, the host's PID namespace",
			record:  h.recordNetwork,
		},
		{
			metrics: []string{"hw.network.bandwidth.limit"},
			cure:    "mount the host's sys file system, and check root_path",
			record:  h.recordSpeeds,
		},
		{
			metrics: []string{"system.filesystem.usage"},
			cure:    "none in a container without volumes; otherwise mount the host's file systems below root_path, and let the collector enter their mount points",
			record:  h.recordFilesystems,
		},
		{
			metrics: []string{"system.paging.faults", "system.paging.operations", "rootcause.paging.io"},
			cure:    "run a kernel with CONFIG_VM_EVENT_COUNTERS",
			record:  h.recordPaging,
		},
		{
			metrics: []string{"rootcause.pressure.stall.time"},
			cure:    "boot the host with psi=1 (kernel 4.20 or newer)",
			record:  h.recordPressure,
		},
		{
			metrics: []string{"rootcause.host.capability"},
			record:  h.recordCapabilities,
		},
	}
}

func (h *host) recordCPU(at time.Time) error {
	stat, err := h.proc.Stat()
	if err != nil {
		return err
	}
	ts, t := pcommon.NewTimestampFromTime(at), stat.CPUTotal
	for _, m := range []struct {
		mode    metadata.AttributeCPUMode
		seconds float64
	}{
		{metadata.AttributeCPUModeUser, t.User},
		{metadata.AttributeCPUModeNice, t.Nice},
		{metadata.AttributeCPUModeSystem, t.System},
		{metadata.AttributeCPUModeIdle, t.Idle},
		{metadata.AttributeCPUModeIowait, t.Iowait},
		{metadata.AttributeCPUModeInterrupt, t.IRQ + t.SoftIRQ},
		{metadata.AttributeCPUModeSteal, t.Steal},
	} {
		h.mb.RecordSystemCPUTimeDataPoint(ts, m.seconds, m.mode)
	}
	h.mb.RecordSystemCPULogicalCountDataPoint(ts, int64(len(stat.CPU)))
	return nil
}

func (h *host) recordPressure(at time.Time) error {
	r := newRecorder(h.mb, at)
	for i, resource := range pressures {
		b, err := h.root.read(h.root.proc("pressure", resource))
		if err != nil {
			return err
		}
		st, ok := parsePressure(b)
		if !ok {
			return fmt.Errorf("read pressure/%s: there is no total in it", resource)
		}
		r.pressure("", i, st)
	}
	return nil
}

func (h *host) recordPaging(at time.Time) error {
	b, err := h.root.read(h.root.proc("vmstat"))
	if err != nil {
		return err
	}
	stat, err := parseVMStat(b)
	if err != nil {
		return fmt.Errorf("read vmstat: %w", err)
	}
	ts := pcommon.NewTimestampFromTime(at)
	faults, major := stat["pgfault"], stat["pgmajfault"]
	h.mb.RecordSystemPagingFaultsDataPoint(ts, major, metadata.AttributeSystemPagingFaultTypeMajor)
	h.mb.RecordSystemPagingFaultsDataPoint(ts, max(0, faults-major), metadata.AttributeSystemPagingFaultTypeMinor)
	h.mb.RecordSystemPagingOperationsDataPoint(ts, stat["pswpin"], metadata.AttributeSystemPagingDirectionIn)
	h.mb.RecordSystemPagingOperationsDataPoint(ts, stat["pswpout"], metadata.AttributeSystemPagingDirectionOut)
	p := paged{swapIn: stat["pswpin"], swapOut: stat["pswpout"], hasSwap: true}
	p.refaults, p.hasRefaults = refaultsOf(stat)
	newRecorder(h.mb, at).paging("", p)
	return nil
}

// slow keeps what is dear to read and seldom changes.
type slow[T any] struct {
	read  func() (T, error)
	every time.Duration // zero for slowly
	last  time.Time
	value T
}

func (s *slow[T]) get(at time.Time) (T, error) {
	if age := at.Sub(s.last); !s.last.IsZero() && age >= 0 && age < cmp.Or(s.every, slowly) {
		return s.value, nil
	}
	value, err := s.read()
	if err != nil {
		return value, err
	}
	s.value, s.last = value, at
	return value, nil
}

// count turns a counter of the kernel into one of OpenTelemetry, which has a bit
// less.
func count(n uint64) int64 {
	if n > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(n)
}
