package procfsreceiver

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseMemoryStat(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want paged
	}{
		"second generation": {
			"anon 4096\nworkingset_refault_anon 5\nworkingset_refault_file 12\npswpin 3\npswpout 4\n",
			paged{refaults: 12, hasRefaults: true, swapIn: 3, swapOut: 4, hasSwap: true},
		},
		"older second generation": {"file 1\nworkingset_refault 7\n", paged{refaults: 7, hasRefaults: true}},
		"first generation": {
			"cache 1\nworkingset_refault_file 3\nhierarchical_memory_limit 9\ntotal_cache 2\ntotal_workingset_refault_file 30\n",
			paged{refaults: 30, hasRefaults: true},
		},
		"nothing of it": {"cache 1\nworkingset_refault_file many\nworkingset_refault_filex 3\n", paged{}},
		"empty":         {"", paged{}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, parseMemoryStat([]byte(c.text)))
		})
	}
}

func FuzzParseMemoryStat(f *testing.F) {
	f.Add([]byte("workingset_refault_file 12\ntotal_workingset_refault_file 30\npswpin 3\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := parseMemoryStat(b)
		require.True(t, p.refaults >= 0 && p.swapIn >= 0 && p.swapOut >= 0)
		require.True(t, p.hasRefaults || p.refaults == 0)
	})
}

// Groups of the first generation are read where the second has no memory.
func TestPagingOfGroups(t *testing.T) {
	s := &stalls{mount: t.TempDir(), memory: t.TempDir(), groups: map[string]*group{}, removed: map[string]bool{}}
	t.Cleanup(s.close)
	write := func(mount, cgroup, text string) {
		t.Helper()
		file := filepath.Join(mount, cgroup, memoryStat)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	write(s.mount, "new.service", "workingset_refault_file 1\npswpin 2\npswpout 3\n")
	write(s.memory, "old.service", "total_workingset_refault_file 4\n")
	p, ok := s.paging("/new.service")
	require.True(t, ok)
	require.Equal(t, paged{refaults: 1, hasRefaults: true, swapIn: 2, swapOut: 3, hasSwap: true}, p)
	p, ok = s.paging("/old.service")
	require.True(t, ok)
	require.Equal(t, paged{refaults: 4, hasRefaults: true}, p)
	_, ok = s.paging("/none.service")
	require.False(t, ok)

	// The group is removed and made again.
	write(s.memory, "old.service", "")
	_, ok = s.paging("/old.service")
	require.False(t, ok)
	write(s.memory, "old.service", "total_workingset_refault_file 1\n")
	p, ok = s.paging("/old.service")
	require.True(t, ok)
	require.WithinDuration(t, time.Now(), p.since, time.Minute)
}

func TestPagingWithoutMemoryController(t *testing.T) {
	root := fixture(t)
	message := "Paging of control groups cannot be seen on this host"
	_, logs := started(t, testConfig(root))
	require.Zero(t, logs.FilterMessage(message).Len())

	require.NoError(t, os.WriteFile(filepath.Join(root, "sys/fs/cgroup/unified/cgroup.controllers"), []byte("io\n"), 0o600))
	_, logs = started(t, testConfig(root))
	require.Equal(t, 1, logs.FilterMessage(message).Len())
	require.False(t, newStalls(hostRoot(t.TempDir())).knowsMemory())
}

// A group of this host with its memory controller.
func TestPagingOfThisHost(t *testing.T) {
	s := newStalls("")
	t.Cleanup(s.close)
	mount := s.mount
	if s.memory != "" {
		mount = s.memory
	}
	dir := filepath.Join(mount, "culprit-test-paging")
	if mount == "" || os.Mkdir(dir, 0o755) != nil {
		t.Skip("may not make a control group")
	}
	t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
	if _, err := os.Stat(filepath.Join(dir, memoryStat)); err != nil {
		t.Skip("the group has no memory controller")
	}
	p, ok := s.paging("/culprit-test-paging")
	require.True(t, ok)
	require.True(t, p.hasRefaults)
	require.Zero(t, p.refaults)
}

// What a scrape pays for the paging of a group of this host.
func BenchmarkPagingOfAGroup(b *testing.B) {
	s := newStalls("")
	b.Cleanup(s.close)
	if _, ok := s.paging("/."); !ok {
		b.Skip("no control group with a memory controller")
	}
	b.ReportAllocs()
	for b.Loop() {
		s.paging("/.")
	}
}
