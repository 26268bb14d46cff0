package process

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIOPriorityNames(t *testing.T) {
	for packed, want := range map[uint32]string{
		0: "none", 4: "none", ioRealtime << ioClassShift: "realtime:0", ioRealtime<<ioClassShift | 7: "realtime:7",
		ioBestEffort<<ioClassShift | 4: "best-effort:4", ioBestEffort<<ioClassShift | 1<<3 | 5: "best-effort:5",
		ioIdle<<ioClassShift | 7: "idle", 7 << ioClassShift: "", ^uint32(0): "",
	} {
		require.Equal(t, want, IOPriorityName(NormalIOPriority(packed)), packed)
	}
}

func TestDisplayName(t *testing.T) {
	require.Equal(t, "kworker/u8:3", string(DisplayName([]byte("kworker/u8:3-events_unbound"), true)))
	require.Equal(t, "kworker/0:1H", string(DisplayName([]byte("kworker/0:1H+kblockd"), true)))
	require.Equal(t, "kworker/u8:3-x", string(DisplayName([]byte("kworker/u8:3-x"), false)), "anybody can be called so")
	require.Equal(t, "jbd2/vda-8", string(DisplayName([]byte("jbd2/vda-8"), true)))
}
