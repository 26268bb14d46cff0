package rootcause

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/catalog"
	"github.com/otel-culprit/culprit/internal/fact"
)

func TestLevelsAreKept(t *testing.T) {
	e := New(DefaultParams(), &catalog.Catalog{})
	at := time.Unix(1_790_000_000, 0)
	for _, f := range []fact.Fact{
		fact.Tick{At: at},
		fact.Paging{At: at, Over: 2 * time.Second, Host: "a", Refaults: 8192, SwapIn: 4096, SwapOut: 2048},
		fact.Paging{At: at, Over: time.Second, Host: "a", Cgroup: "/x", Refaults: 4096},
		fact.Filesystem{At: at, Host: "a", Mountpoint: "/", Device: "/dev/sda", Size: 100, Available: 40},
		fact.Filesystem{At: at.Add(-time.Second), Host: "a", Mountpoint: "/", Device: "/dev/sda", Size: 100, Available: 50},
		fact.Filesystem{At: at, Host: "a", Mountpoint: "/bad", Size: math.NaN(), Available: 1},
		fact.Locks{At: at, Over: 2 * time.Second, Host: "a", Service: "shop", Waits: 4, Time: 3, Waiting: 5},
		fact.Shared{At: at, Name: "nas", Resource: "disk", Hosts: []string{"a"}},
		fact.Shared{At: at, Name: "nas", Resource: "disk", Hosts: []string{"a", "b"}},
		fact.Shared{At: at, Name: "moon", Resource: "light", Hosts: []string{"a", "b"}},
		fact.Tick{At: at},
		fact.Tick{At: at.Add(time.Second)},
	} {
		_, err := e.Step(f)
		require.NoError(t, err, "%+v", f)
	}
	h, now := e.byHost["a"], at.Unix()

	require.Len(t, h.paging, 2)
	require.InDelta(t, 4096, h.paging[""].refaults.at(now-1), 0)
	require.InDelta(t, 2048, h.paging[""].swapIn.at(now-2), 0)
	require.InDelta(t, 1024, h.paging[""].swapOut.at(now-2), 0)
	require.InDelta(t, 4096, h.paging["/x"].refaults.at(now-1), 0)

	require.Len(t, h.filesystems, 1)
	root := h.filesystems[0]
	require.Equal(t, "/dev/sda", root.device)
	require.InDelta(t, 100, root.size, 0)
	require.InDelta(t, 40, root.available.at(now), 0, "the older reading came too late")
	require.InDelta(t, 40, root.available.at(now+1), 0, "it is so until it is told anew")

	require.Len(t, e.locks, 1)
	require.InDelta(t, 2, e.locks[0].waits.at(now-1), 0)
	require.InDelta(t, 1.5, e.locks[0].time.at(now-2), 0)
	require.InDelta(t, 5, e.locks[0].waiting.mean(now-1, now), 0)

	require.Len(t, e.shared, 1)
	require.Equal(t, []string{"a", "b"}, e.shared[0].Hosts, "the last word counts")

	_, err := e.Step(fact.Tick{At: at.Add((window + 1) * time.Second)})
	require.NoError(t, err)
	require.Empty(t, h.paging)
	require.Empty(t, h.filesystems)
	require.Empty(t, e.locks)
	require.Len(t, e.shared, 1, "what the user said does not fade")
}

func TestLevelsAreBounded(t *testing.T) {
	e := New(DefaultParams(), &catalog.Catalog{})
	at := time.Unix(1_790_000_000, 0)
	for _, c := range []struct {
		bound int
		fact  func(name string) fact.Fact
	}{
		{maxDevices, func(name string) fact.Fact { return fact.Paging{At: at, Over: time.Second, Host: "a", Cgroup: name} }},
		{maxDevices, func(name string) fact.Fact { return fact.Filesystem{At: at, Host: "a", Mountpoint: name} }},
		{DefaultParams().MaxHosts, func(name string) fact.Fact { return fact.Locks{At: at, Over: time.Second, Service: name} }},
		{maxShared, func(name string) fact.Fact { return fact.Shared{At: at, Name: name, Resource: "network"} }},
	} {
		for i := range c.bound + 1 {
			f := c.fact(strconv.Itoa(i))
			_, err := e.Step(f)
			if i < c.bound {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrBound, "%+v", f)
			}
		}
	}
}
