package otelfact

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
)

// hostScrape is a scrape at a second in which all counters stand at multiples of
// it.
func hostScrape(at float64) *batch {
	b := newBatch(web1)
	for i, mode := range []string{"user", "nice", "system", "idle", "iowait", "interrupt", "steal"} {
		b.sum("system.cpu.time", at, at*float64(i+1), attrs{"cpu.mode": mode})
	}
	b.gauge("system.cpu.logical.count", "{cpu}", at, 4, nil)
	sda := attrs{"system.device": "sda"}
	read, write := with(sda, attrs{"disk.io.direction": "read"}), with(sda, attrs{"disk.io.direction": "write"})
	b.sum("system.disk.io", at, at*100, read).sum("system.disk.io", at, at*200, write)
	b.sum("system.disk.operations", at, at*10, read).sum("system.disk.operations", at, at*20, write)
	b.sum("system.disk.operation_time", at, at*0.25, read).sum("system.disk.operation_time", at, at*0.5, write)
	b.sum("system.disk.io_time", at, at*0.75, sda).gauge("system.disk.pending_operations", "", at, 3, sda)
	b.sum("system.disk.weighted_io_time", at, at, sda)
	b.gauge("rootcause.disk.info", "1", at, 1, with(sda, attrs{"rootcause.disk.number": "8:0", "rootcause.disk.scheduler": "bfq"}))
	eth0 := attrs{"network.interface.name": "eth0"}
	in, out := with(eth0, attrs{"network.io.direction": "receive"}), with(eth0, attrs{"network.io.direction": "transmit"})
	b.sum("system.network.io", at, at*1000, in).sum("system.network.io", at, at*2000, out)
	b.sum("system.network.errors", at, at, in).sum("system.network.errors", at, at*2, out)
	b.sum("system.network.packet.dropped", at, at*3, in).sum("system.network.packet.dropped", at, at*4, out)
	b.gauge("hw.network.bandwidth.limit", "By/s", at, 125e6, with(eth0, attrs{"hw.id": "eth0"}))
	io := attrs{"rootcause.pressure.resource": "io"}
	b.sum("rootcause.pressure.stall.time", at, at*0.5, with(io, attrs{"rootcause.pressure.level": "some"}))
	b.sum("rootcause.pressure.stall.time", at, at*0.25, with(io, attrs{"rootcause.pressure.level": "full"}))
	b.gauge("rootcause.host.capability", "1", at, 1, attrs{"rootcause.capability": "psi"})
	b.gauge("rootcause.host.capability", "1", at, 0, attrs{"rootcause.capability": "systemd"})
	return b
}

func TestHost(t *testing.T) {
	d := NewDecoder(Options{})
	requireFacts(t, []fact.Fact{
		fact.Capability{At: second(10), Host: "web1", Name: "psi", Present: true},
		fact.Capability{At: second(10), Host: "web1", Name: "systemd"},
	}, metricsOf(d, hostScrape(10)))
	want := []fact.Fact{
		fact.CPUTime{At: second(12), Over: 2 * time.Second, Host: "web1", Busy: 2 * (1 + 2 + 3 + 6), IOWait: 10, Steal: 14, Cores: 4},
		fact.Disk{
			At: second(12), Over: 2 * time.Second, Host: "web1", Device: "sda", Reads: 20, Writes: 40,
			ReadBytes: 200, WriteBytes: 400, OpTime: 1.5, BusyTime: 1.5, InFlight: 3, Number: "8:0", Scheduler: "bfq",
		},
		fact.Link{
			At: second(12), Over: 2 * time.Second, Host: "web1", Interface: "eth0", Received: 2000, Transmitted: 4000,
			Errors: 6, Drops: 14, Speed: 125e6,
		},
		fact.Pressure{At: second(12), Over: 2 * time.Second, Host: "web1", Resource: "io", Some: 1, Full: 0.5},
	}
	requireFacts(t, want, metricsOf(d, hostScrape(12)))
	require.Nil(t, d.TakeSkipped())
	require.Len(t, only[fact.Capability](metricsOf(d, hostScrape(70))), 2, "said again after a minute")
	require.Empty(t, metricsOf(d, hostScrape(70)), "the same scrape again")
	require.Empty(t, metricsOf(d, hostScrape(60)), "it was overtaken")
	require.Equal(t, []fact.Pressure{
		{At: second(71), Over: time.Second, Host: "web1", Resource: "io", Some: 0.5, Full: 0.25},
	}, only[fact.Pressure](metricsOf(d, hostScrape(71))), "and counted nothing twice")
	require.Empty(t, only[fact.Disk](metricsOf(d, hostScrape(9))), "the clock went back")
	require.Len(t, metricsOf(d, hostScrape(10)), 4)
}

// The attribute names of the host metrics receiver.
func TestOlderNames(t *testing.T) {
	at := func(s float64) *batch {
		return newBatch(web1).
			sum("system.cpu.time", s, s, attrs{"cpu": "cpu0", "state": "user"}).
			sum("system.cpu.time", s, s*2, attrs{"cpu": "cpu1", "state": "softirq"}).
			sum("system.cpu.time", s, s*9, attrs{"cpu": "cpu1", "state": "idle"}).
			sum("system.disk.io", s, s, attrs{"device": "sda", "direction": "read"}).
			sum("system.network.dropped", s, s, attrs{"device": "eth0", "direction": "receive"})
	}
	d := NewDecoder(Options{})
	metricsOf(d, at(10))
	requireFacts(t, []fact.Fact{
		fact.CPUTime{At: second(11), Over: time.Second, Host: "web1", Busy: 3, Cores: 2},
		fact.Disk{At: second(11), Over: time.Second, Host: "web1", Device: "sda", ReadBytes: 1},
		fact.Link{At: second(11), Over: time.Second, Host: "web1", Interface: "eth0", Drops: 1},
	}, metricsOf(d, at(11)))
}

// The engine's numbers have 32 bits.
func TestNumbersThatNothingCanReach(t *testing.T) {
	const largest = 1e18
	for name, tt := range map[string]struct {
		value   float64
		skipped map[Reason]int64
	}{
		"as large as can be": {largest, nil},
		"larger":             {math.Nextafter(largest, math.Inf(1)), map[Reason]int64{BadValue: 2}},
		"infinite":           {math.Inf(1), map[Reason]int64{BadValue: 2}},
		"not a number":       {math.NaN(), map[Reason]int64{BadValue: 2}},
		"negative":           {-1, map[Reason]int64{BadValue: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			sda := attrs{"system.device": "sda"}
			read := with(sda, attrs{"disk.io.direction": "read"})
			d := NewDecoder(Options{})
			metricsOf(d, newBatch(web1).sum("system.disk.io", 10, 0, read))
			facts := metricsOf(d, newBatch(web1).sum("system.disk.io", 11, tt.value, read).gauge("system.disk.pending_operations", "", 11, tt.value, sda))
			require.Equal(t, tt.skipped, d.TakeSkipped())
			if tt.skipped != nil {
				require.Empty(t, facts)
				return
			}
			requireFacts(t, []fact.Fact{
				fact.Disk{At: second(11), Over: time.Second, Host: "web1", Device: "sda", ReadBytes: largest, InFlight: largest},
			}, facts)
		})
	}
}

func TestHostPointsThatCannotBeRead(t *testing.T) {
	for name, b := range map[string]*batch{
		"cpu without mode":          newBatch(web1).sum("system.cpu.time", 1, 1, nil),
		"disk without device":       newBatch(web1).sum("system.disk.io", 1, 1, attrs{"disk.io.direction": "read"}),
		"disk without direction":    newBatch(web1).sum("system.disk.io", 1, 1, attrs{"system.device": "sda"}),
		"link without name":         newBatch(web1).gauge("hw.network.bandwidth.limit", "By/s", 1, 1, nil),
		"pressure without level":    newBatch(web1).sum("rootcause.pressure.stall.time", 1, 1, attrs{"rootcause.pressure.resource": "io"}),
		"capability without a name": newBatch(web1).gauge("rootcause.host.capability", "1", 1, 1, nil),
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDecoder(Options{})
			require.Empty(t, metricsOf(d, b))
			require.Equal(t, map[Reason]int64{MissingAttribute: 1}, d.TakeSkipped())
		})
	}
}
