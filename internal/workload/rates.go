package workload

// rates are what was used since the scan before, by what can be short. As all
// candidates are read together, amounts compare like rates.
type rates [numRates]float64

const (
	memory   = 3
	numRates = 5
)

func ratesOf(before *Totals, c *Candidate) rates {
	now := c.Totals
	return rates{
		now.UserTime - before.UserTime + now.SystemTime - before.SystemTime,
		float64(now.ReadBytes - before.ReadBytes + now.WriteBytes - before.WriteBytes),
		float64(now.TCP.Received - before.TCP.Received + now.TCP.Transmitted - before.TCP.Transmitted +
			now.UDP.Received - before.UDP.Received + now.UDP.Transmitted - before.UDP.Transmitted),
		float64(c.Resident),
		now.RunDelay - before.RunDelay + now.BlockDelay - before.BlockDelay +
			now.SwapDelay - before.SwapDelay + now.ThrashingDelay - before.ThrashingDelay,
	}
}

// worthTelling is what matters to nobody in so many seconds, if it is no more: a
// hundredth of a CPU, some blocks, some packets, a hundredth of a second of
// waiting each second, or 16 MiB of memory. Without it, a quiet host would tell
// each ls that somebody types.
func worthTelling(seconds float64) rates {
	return rates{0.01 * seconds, 32e3 * seconds, 8e3 * seconds, 16 << 20, 0.01 * seconds}
}

// rise adds what came between two readings.
func (t *Totals) rise(before, now *Totals) {
	t.UserTime += now.UserTime - before.UserTime
	t.SystemTime += now.SystemTime - before.SystemTime
	t.ReadBytes += now.ReadBytes - before.ReadBytes
	t.WriteBytes += now.WriteBytes - before.WriteBytes
	t.TCP.Received += now.TCP.Received - before.TCP.Received
	t.TCP.Transmitted += now.TCP.Transmitted - before.TCP.Transmitted
	t.UDP.Received += now.UDP.Received - before.UDP.Received
	t.UDP.Transmitted += now.UDP.Transmitted - before.UDP.Transmitted
	t.RunDelay += now.RunDelay - before.RunDelay
	t.BlockDelay += now.BlockDelay - before.BlockDelay
	t.SwapDelay += now.SwapDelay - before.SwapDelay
	t.ThrashingDelay += now.ThrashingDelay - before.ThrashingDelay
	t.MinorFaults += now.MinorFaults - before.MinorFaults
	t.MajorFaults += now.MajorFaults - before.MajorFaults
	t.VoluntarySwitches += now.VoluntarySwitches - before.VoluntarySwitches
	t.InvoluntarySwitches += now.InvoluntarySwitches - before.InvoluntarySwitches
	t.Retransmits += now.Retransmits - before.Retransmits
	t.Flight += now.Flight - before.Flight
}
