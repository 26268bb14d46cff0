package output

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScreen(t *testing.T) {
	t0 := time.Unix(0, 0).UTC()
	show := func(columns int) string {
		var out bytes.Buffer
		s := &Screen{out: &out, columns: func() int { return columns }}
		s.Status(t0.Add(time.Hour), "one")
		s.Status(t0.Add(time.Hour+time.Second), "two")
		s.Block("a block\n")
		s.Status(t0.Add(time.Hour+5*time.Second), "three")
		return out.String()
	}
	require.Equal(t, "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[Ka block\n\r\x1b[Kthree", show(80))
	require.Equal(t, "\r\x1b[Ko\r\x1b[Kt\r\x1b[Ka block\n\r\x1b[Kt", show(2))
	require.Equal(t, "one\na block\nthree\n", show(0))
}
