package procfsreceiver

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

func (h *host) recordNetwork(at time.Time) error {
	dev, err := h.netDev()
	if err != nil {
		return fmt.Errorf("read net/dev: %w", err)
	}
	bottom, err := h.bottom.get(at)
	if err != nil {
		bottom = h.bottom.value // the last one that was read; without any, nobody knows which links are stacked
	}
	const receive, transmit = metadata.AttributeNetworkIoDirectionReceive, metadata.AttributeNetworkIoDirectionTransmit
	ts := pcommon.NewTimestampFromTime(at)
	for _, name := range slices.Sorted(maps.Keys(dev)) {
		l := dev[name]
		if bottom[name] {
			h.pass(name, traffic{count(l.RxBytes), count(l.TxBytes)})
		}
		h.mb.RecordSystemNetworkIoDataPoint(ts, count(l.RxBytes), name, receive)
		h.mb.RecordSystemNetworkIoDataPoint(ts, count(l.TxBytes), name, transmit)
		h.mb.RecordSystemNetworkErrorsDataPoint(ts, count(l.RxErrors), name, receive)
		h.mb.RecordSystemNetworkErrorsDataPoint(ts, count(l.TxErrors), name, transmit)
		h.mb.RecordSystemNetworkPacketDroppedDataPoint(ts, count(l.RxDropped), name, receive)
		h.mb.RecordSystemNetworkPacketDroppedDataPoint(ts, count(l.TxDropped), name, transmit)
	}
	return nil
}

// pass adds what went over a link since the last scrape. A link that is new, or
// whose counters began anew, adds nothing.
func (h *host) pass(link string, now traffic) {
	if before, known := h.links[link]; known {
		h.passed.received += max(0, now.received-before.received)
		h.passed.transmitted += max(0, now.transmitted-before.transmitted)
	}
	h.links[link] = now
}

// netDev reads the interfaces of the host. /proc/net belongs to who reads it: in
// a container that is not the host, but the host's first process is.
func (h *host) netDev() (procfs.NetDev, error) {
	pid, err := strconv.Atoi(h.root.self())
	if err != nil {
		return h.proc.NetDev()
	}
	first, err := h.proc.Proc(pid)
	if err != nil {
		return nil, err
	}
	return first.NetDev()
}

func (h *host) recordSpeeds(at time.Time) error {
	speeds, err := h.speeds.get(at)
	if err != nil {
		return err
	}
	ts := pcommon.NewTimestampFromTime(at)
	for _, name := range slices.Sorted(maps.Keys(speeds)) {
		h.mb.RecordHwNetworkBandwidthLimitDataPoint(ts, speeds[name], name, name)
	}
	return nil
}

// bottomLinks are the loopback link and those of hardware: what is stacked on
// them (bridges, bonds, VLANs, tunnels) carries the same bytes again, and the
// links of other network namespaces carry what their processes sent.
func (h *host) bottomLinks() (map[string]bool, error) {
	links, err := os.ReadDir(h.root.sys("class", "net"))
	if err != nil {
		return nil, err
	}
	bottom := map[string]bool{}
	for _, l := range links {
		if l.Name() == "lo" || h.root.exists(h.root.sys("class", "net", l.Name(), "device")) {
			bottom[l.Name()] = true
		}
	}
	return bottom, nil
}

// traffic is bytes in both directions.
type traffic struct {
	received, transmitted int64
}

// unattributed accounts for what went over the links and belongs to no process
// that is known.
type unattributed struct {
	links, processes      traffic // at the last scrape
	received, transmitted settling
	rest                  traffic
	known                 bool
}

// post takes the counters of a scrape. Counters that went back, as those of a
// link that was removed, count nothing.
func (u *unattributed) post(links, processes traffic) {
	if u.known {
		u.rest.received += u.received.post(
			max(0, links.received-u.links.received) - max(0, processes.received-u.processes.received))
		u.rest.transmitted += u.transmitted.post(
			max(0, links.transmitted-u.links.transmitted) - max(0, processes.transmitted-u.processes.transmitted))
	}
	u.links, u.processes, u.known = links, processes, true
}

// settling holds differences back for some scrapes: bytes that wait in the buffer
// of a socket are counted by the link in one scrape and by the process in
// another.
type settling [3]int64

// post takes the difference of a scrape and gives what of an old one is still
// there: the excess of the links, or nothing.
func (s *settling) post(difference int64) int64 {
	for i, held := range s {
		if (held > 0) == (difference < 0) {
			n := min(max(held, -held), max(difference, -difference))
			if held < 0 {
				n = -n
			}
			s[i] -= n
			difference += n
		}
	}
	oldest := s[0]
	copy(s[:], s[1:])
	s[len(s)-1] = difference
	return max(0, oldest)
}

// linkSpeeds has the bytes per second of each link whose speed is real: that of
// hardware, and of what is stacked on it (bond, VLAN, bridge). veth and tun
// devices name a speed that nobody keeps.
func (h *host) linkSpeeds() (map[string]float64, error) {
	links, err := os.ReadDir(h.root.sys("class", "net"))
	if err != nil {
		return nil, err
	}
	speeds := map[string]float64{}
	for _, l := range links {
		link := h.root.sys("class", "net", l.Name())
		if !hasRealSpeed(link) {
			continue
		}
		b, err := h.root.read(filepath.Join(link, "speed"))
		if err != nil {
			continue // a link that is down, or a driver without this: not known
		}
		// In Mbit/s; -1 stands for unknown.
		if megabits, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64); err == nil && megabits > 0 {
			speeds[l.Name()] = float64(megabits) * 1e6 / 8
		}
	}
	return speeds, nil
}

func hasRealSpeed(link string) bool {
	files, err := os.ReadDir(link)
	return err == nil && slices.ContainsFunc(files, func(f os.DirEntry) bool {
		return f.Name() == "device" || strings.HasPrefix(f.Name(), "lower_")
	})
}
