package procfsreceiver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnattributed(t *testing.T) {
	for name, c := range map[string]struct {
		links, processes []int64 // bytes received, by scrape
		want             int64
	}{
		"what was before":                 {[]int64{1000, 1000}, []int64{10, 10}, 0},
		"nobody's":                        {[]int64{0, 100, 200}, []int64{0, 0, 0}, 200},
		"half of it":                      {[]int64{0, 100, 200}, []int64{0, 50, 100}, 100},
		"a process that counts it later":  {[]int64{0, 100, 100, 200, 200}, []int64{0, 0, 100, 100, 200}, 0},
		"a process that counts it before": {[]int64{0, 0, 100}, []int64{0, 100, 100}, 0},
		"two scrapes later":               {[]int64{0, 100, 100, 100}, []int64{0, 0, 0, 100}, 0},
		"a link went away":                {[]int64{500, 600, 0, 50}, []int64{0, 100, 100, 100}, 50},
		"a process counts anew":           {[]int64{0, 100, 200}, []int64{500, 0, 0}, 200},
		"within the host, past the links": {[]int64{0, 0, 0, 0, 0, 100}, []int64{0, 900, 900, 900, 900, 900}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			var u unattributed
			before := int64(0)
			for i := range len(c.links) + 5 { // and then it is quiet
				i = min(i, len(c.links)-1)
				u.post(traffic{received: c.links[i]}, traffic{received: c.processes[i]})
				require.GreaterOrEqual(t, u.rest.received, before, "it is a counter")
				before = u.rest.received
			}
			require.Equal(t, traffic{received: c.want}, u.rest)
		})
	}
}

// A link that is new, or whose counters began anew, adds nothing.
func TestOnlyWhatPassedSinceTheLastScrapeCounts(t *testing.T) {
	h := &host{links: map[string]traffic{}}
	h.pass("eth0", traffic{1e12, 1e12})
	require.Zero(t, h.passed, "it is as old as the host")
	h.pass("eth0", traffic{1e12 + 5, 1e12 + 7})
	h.pass("usb0", traffic{9e9, 9e9})
	h.pass("eth0", traffic{3, 1e12 + 8})
	require.Equal(t, traffic{5, 8}, h.passed)
}
