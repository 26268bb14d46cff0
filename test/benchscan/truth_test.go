package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAScriptKnowsWhatItUsed(t *testing.T) {
	if _, err := find("gzip"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	b := &bench{options: options{checks: checkOptions{seconds: 400 * time.Millisecond, rate: 100, dir: dir}}}
	err := b.runScript(t.Context(), func(pid int, s spent) error {
		c, err := takeCensus()
		require.NoError(t, err)
		require.Equal(t, []int{pid}, tree(pid, c.parents), "it lives, its children do not")
		require.Positive(t, s.Processes)
		require.Greater(t, s.CPU, s.OwnCPU)
		// Another kind of truth: what the kernel says of all its children.
		require.InDelta(t, c.cpu([]int{pid}).Seconds(), s.CPU, 0.05, "children's in steps of 10 ms")
		if s.CgroupCPU > 0 {
			require.InEpsilon(t, s.CgroupCPU, s.CPU, 0.2, "it entered its group after its start")
		}
		if memoryOnly(dir) {
			t.Log("bytes are not tested: the directory is in memory")
			return nil
		}
		require.GreaterOrEqual(t, s.Written, s.Processes*50_000, "nothing of it can be compressed")
		require.GreaterOrEqual(t, s.Read, s.Processes*25_000, "half may be left in the cache by another reader")
		return nil
	})
	require.NoError(t, err)
}

func TestScriptFailsLoudly(t *testing.T) {
	b := &bench{options: options{checks: checkOptions{seconds: time.Second, rate: 1, dir: "/nonexistent"}}}
	require.ErrorContains(t, b.runScript(t.Context(), func(int, spent) error { return nil }), "/nonexistent")
}

func TestBothProgramsCountTheSame(t *testing.T) {
	const total = 20 << 20
	b := &bench{options: options{checks: checkOptions{bytes: total}}}
	err := b.runTalk(t.Context(), func(peers []peer) error {
		client, server := peers[0], peers[1]
		require.NotEqual(t, client.pid, server.pid)
		require.Equal(t, int64(total), client.TCP.Transmitted+client.UDP.Transmitted)
		require.Equal(t, client.TCP.Transmitted, server.TCP.Received)
		require.Equal(t, server.TCP.Transmitted, client.TCP.Received)
		require.Equal(t, client.Connections, server.Connections)
		require.Equal(t, client.Connections*answerSize, client.TCP.Received)
		require.InEpsilon(t, client.UDP.Transmitted, server.UDP.Received, 0.2, "loss is allowed, not the rule")
		require.LessOrEqual(t, server.UDP.Received, client.UDP.Transmitted)
		require.LessOrEqual(t, client.UDP.Received, server.UDP.Transmitted+answerSize, "the last answer may be counted a moment after it was sent")
		require.Positive(t, client.UDP.Received)
		return nil
	})
	require.NoError(t, err)
}

func TestUsageV2(t *testing.T) {
	require.InDelta(t, 1.5, usageV2("usage_usec 1500000\nuser_usec 1\n"), 1e-9)
	require.Zero(t, usageV2("user_usec 1\n"))
	require.Zero(t, usageV2("usage_usec x\n"))
}
