package demo

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChooseRemedy(t *testing.T) {
	const (
		nice    = "renice -n 19 -g 42"
		session = "echo 19 > /proc/42/autogroup"
	)
	for name, test := range map[string]struct {
		files   map[string]string
		command string
	}{
		"no autogroup":  {map[string]string{}, nice},
		"autogroup off": {map[string]string{"/proc/sys/kernel/sched_autogroup_enabled": "0\n"}, nice},
		"autogroup": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "1:cpu:/\n0::/\n",
		}, session},
		"own cgroup, version 1": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "2:cpu,cpuacct:/user.slice\n0::/\n",
		}, nice},
		"cgroup without weight": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "0::/user.slice/session-1.scope\n",
		}, session},
		"cgroup below one with a weight": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "0::/user.slice/session-1.scope\n",
			"/sys/fs/cgroup/user.slice/cpu.weight":     "100\n",
		}, nice},
		"container": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "0::/\n",
			"/sys/fs/cgroup/cpu.weight":                "100\n",
		}, nice},
	} {
		t.Run(name, func(t *testing.T) {
			remedy := chooseRemedy(42, func(name string) ([]byte, error) {
				if text, ok := test.files[name]; ok {
					return []byte(text), nil
				}
				return nil, os.ErrNotExist
			})
			require.Equal(t, test.command, remedy.Command)
			require.NotEmpty(t, remedy.Why)
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
