package procfsreceiver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnattributed(t *testing.T) {
	var u unattributed
	u.post(traffic{1000, 500}, traffic{10, 10})
	require.Zero(t, u.rest, "what was before is nobody's business")
	u.post(traffic{1300, 700}, traffic{210, 110})
	require.Equal(t, traffic{100, 100}, u.rest)
	u.post(traffic{1310, 710}, traffic{510, 110})
	require.Equal(t, traffic{100, 110}, u.rest, "a process may know of its bytes before the link does")
	u.post(traffic{0, 710}, traffic{510, 110})
	require.Equal(t, traffic{100, 110}, u.rest, "the link went away")
	u.post(traffic{50, 710}, traffic{0, 110})
	require.Equal(t, traffic{150, 110}, u.rest, "a process that counts anew takes nothing away")
}
