package rootcause

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// throttled is what to do against a unit on a host that has all that it needs.
func throttled(unit string, limit unitLimit) Remedy {
	w := &workload{key: workloadKey{unit: unit}, host: newHost("web1")}
	w.host.can = map[string]bool{canSystemd: true, canCPUv2: true}
	return unitRemedy(w, canCPUv2, limit)
}

func TestAPlainNameOfAUnitIsInItsCommand(t *testing.T) {
	limit := unitLimit{setting: "CPUWeight=1", unset: "CPUWeight=", effect: "gives it less"}
	for _, name := range []string{"nightly.service", `srv-a\x2db.service`, "backup@shop:1.service", "docker-0123.scope"} {
		r := throttled(name, limit)
		require.Equal(t, DoesWork, r.Works, name)
		require.Equal(t, "systemctl set-property --runtime '"+name+"' CPUWeight=1", r.Command)
		require.Equal(t, `gives it less, until the host restarts; undo with "systemctl set-property --runtime '`+name+`' CPUWeight="`, r.Why)

		words, err := exec.CommandContext(t.Context(), "sh", "-c", `systemctl() { printf %s "$3"; }; `+r.Command).Output()
		require.NoError(t, err)
		require.Equal(t, name, string(words), "the shell leaves it as it is")
	}
	limit.doubt = "it may have no effect"
	r := throttled("nightly.service", limit)
	require.Equal(t, MayWork, r.Works)
	require.Contains(t, r.Why, "; it may have no effect; undo with ")
}

func TestAHostileNameOfAUnitIsInNoCommand(t *testing.T) {
	for _, name := range []string{
		"a;reboot;.service", "$(reboot).service", "`reboot`.service", "a b.service", "a'b.service", "a\nb.service", "-Hhost.service", "user@1000/a.service", "ä.service",
	} {
		r := throttled(name, unitLimit{setting: "CPUWeight=1", unset: "CPUWeight=", effect: "gives it less"})
		require.Equal(t, DoesWork, r.Works, name)
		require.Empty(t, r.Command, name)
		require.NotContains(t, r.Why, name)
		require.Contains(t, r.Why, "set CPUWeight=1 with systemctl set-property")
	}
}

func TestALimitSaysWhatItIsPartOf(t *testing.T) {
	w := &workload{key: workloadKey{group: 500}, host: newHost("web1")}
	w.host.can = map[string]bool{canIOv2: true}
	disks := []hitDisk{{&disk{number: "8:0"}, "sda", 1e6}}
	for rate, want := range map[float64]string{
		80e6:  "the rate, in bytes per second, a quarter of what it takes now",
		100e3: "the rate, in bytes per second, a quarter of 256 kB/s, for it takes less than that now",
	} {
		list := taken{reads: true, rate: rate, disks: disks}.limitGroup(w)
		require.Len(t, list, 1)
		require.Equal(t, DoesWork, list[0].Works)
		require.Contains(t, list[0].Why, want)
	}
}
