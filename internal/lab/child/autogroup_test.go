package child

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAutogrouped(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		why   string // it does not; empty if it does
	}{
		"no autogroup":  {map[string]string{}, "the scheduler does not group tasks by session here"},
		"autogroup off": {map[string]string{"/proc/sys/kernel/sched_autogroup_enabled": "0\n"}, "the scheduler does not group tasks by session here"},
		"autogroup": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "1:cpu:/\n0::/\n",
		}, ""},
		"own cgroup, version 1": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "2:cpu,cpuacct:/user.slice\n0::/\n",
		}, "it is in the cgroup /user.slice, which has a CPU weight"},
		"cgroup without weight": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "0::/user.slice/session-1.scope\n",
		}, ""},
		"cgroup below one with a weight": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "0::/user.slice/session-1.scope\n",
			"/sys/fs/cgroup/user.slice/cpu.weight":     "100\n",
		}, "it is in the cgroup /user.slice, which has a CPU weight"},
		"container": {map[string]string{
			"/proc/sys/kernel/sched_autogroup_enabled": "1\n",
			"/proc/42/cgroup":                          "0::/\n",
			"/sys/fs/cgroup/cpu.weight":                "100\n",
		}, "it is in the cgroup /, which has a CPU weight"},
	} {
		t.Run(name, func(t *testing.T) {
			grouped, why := Autogrouped(42, func(name string) ([]byte, error) {
				if text, ok := test.files[name]; ok {
					return []byte(text), nil
				}
				return nil, os.ErrNotExist
			})
			require.Equal(t, test.why, why)
			require.Equal(t, test.why == "", grouped)
		})
	}
}
