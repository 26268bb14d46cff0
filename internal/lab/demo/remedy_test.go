package demo

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/event"
)

func kernelOf(files map[string]string) fileReader {
	return func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}
}

func TestChooseRemedy(t *testing.T) {
	const (
		nice    = "renice -n 19 -g 42"
		session = "echo 19 > /proc/43/autogroup"
	)
	grouped := map[string]string{"/proc/sys/kernel/sched_autogroup_enabled": "1\n"}
	remedies := func(pairs ...string) (list []event.Remedy) {
		for pair := range slices.Chunk(pairs, 2) {
			list = append(list, event.Remedy{Works: pair[0], Command: pair[1]})
		}
		return list
	}
	for name, test := range map[string]struct {
		list    []event.Remedy
		kernel  map[string]string
		command string // empty if there is none
	}{
		"the first that works":         {remedies("yes", session, "yes", nice), nil, session},
		"what does not work":           {remedies("no", session, "yes", nice), grouped, nice},
		"what is left to a person":     {remedies("yes", "mkdir -p /sys/fs/cgroup/cpu/throttled", "unknown", "tar | zstd -1", "yes", nice), nil, nice},
		"may work, by session":         {remedies("unknown", nice, "unknown", session), grouped, session},
		"may work, not by session":     {remedies("unknown", session, "unknown", nice), nil, nice},
		"a process that is not its":    {remedies("yes", "renice -n 19 -g 1", "yes", "echo 19 > /proc/1/autogroup"), nil, ""},
		"no remedy at all":             {nil, nil, ""},
		"nothing that the demo may do": {remedies("no", session, "no", nice), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			backup := func(pid int) bool { return pid == 42 || pid == 43 }
			chosen, ok := chooseRemedy(test.list, backup, kernelOf(test.kernel))
			require.Equal(t, test.command != "", ok)
			require.Equal(t, test.command, chosen.Command)
		})
	}
}

func TestPressure(t *testing.T) {
	total, err := someTotal([]byte("some avg10=0.12 avg60=0.70 avg300=5.86 total=101935794\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"))
	require.NoError(t, err)
	require.InDelta(t, 101935794, total, 0)
	for _, bad := range []string{"", "full total=3\n", "some avg10=1\n", "some total=x\n"} {
		_, err := someTotal([]byte(bad))
		require.Error(t, err, bad)
	}
}
