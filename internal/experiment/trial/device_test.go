package trial

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestChosenScheduler(t *testing.T) {
	require.Equal(t, "mq-deadline", chosen("none [mq-deadline] kyber bfq\n"))
	require.Equal(t, "bfq", chosen("[bfq]"))
	require.Equal(t, "none", chosen("none\n"))
}

func TestDeviceOfWhatIsOnNone(t *testing.T) {
	_, err := deviceOf("/proc/self")
	require.ErrorContains(t, err, "which is on no block device of this host")
}

func TestSignalsAreRates(t *testing.T) {
	at := time.Unix(0, 0)
	v := func(x float64) *float64 { return &x }
	s := reading{at: at, cpu: v(1), disk: v(5), network: v(100)}.until(reading{at: at.Add(10 * time.Second), cpu: v(3), io: v(1), disk: v(4), network: v(1100)})
	require.InDelta(t, 0.2, *s.CPUPressure, 1e-9)
	require.InDelta(t, 100, *s.NetworkBPS, 1e-9)
	require.Nil(t, s.IOPressure, "not told before")
	require.Nil(t, s.DiskBusy, "a counter that was reset")

	g, err := newGauge("")
	require.NoError(t, err)
	r := g.read()
	require.Nil(t, r.disk)
	require.NotNil(t, r.network)
}
