package procfsreceiver

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParsePressure(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want stalled
		ok   bool
	}{
		"io": {
			"some avg10=0.00 avg60=0.00 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=567\n",
			stalled{some: 1234, full: 567, hasFull: true},
			true,
		},
		"cpu of an old kernel": {"some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n", stalled{some: 1}, true},
		"torn":                 {"some avg10=0.00 avg60=0.00 avg300=0.00 tot", stalled{}, false},
		"negative":             {"some total=-1\n", stalled{}, false},
		"empty":                {"", stalled{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parsePressure([]byte(c.text))
			require.Equal(t, c.ok, ok)
			require.Equal(t, c.want, got)
		})
	}
}

func FuzzParsePressure(f *testing.F) {
	f.Add([]byte("some avg10=0.00 avg60=0.00 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=567\n"))
	f.Add([]byte("some  total=\nfull total=9223372036854775808"))
	f.Fuzz(func(t *testing.T, b []byte) {
		st, ok := parsePressure(b)
		require.True(t, st.some >= 0 && st.full >= 0)
		require.True(t, ok || st.some == 0)
	})
}

// The files stay open while a group is asked for, and not longer.
func TestStallsOfGroups(t *testing.T) {
	s := &stalls{mount: t.TempDir(), groups: map[string]*group{}, removed: map[string]bool{}}
	t.Cleanup(s.close)
	file := filepath.Join(s.mount, "shop.service", "io.pressure")
	write := func(text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	write("some total=5\nfull total=3\n")
	st, ok := s.of("/shop.service", 1)
	require.True(t, ok)
	require.Equal(t, stalled{some: 5, full: 3, hasFull: true}, st)
	_, ok = s.of("/shop.service", 0)
	require.False(t, ok, "there is no such file")

	s.next()
	write("some total=9\n")
	st, ok = s.of("/shop.service", 1)
	require.True(t, ok)
	require.Equal(t, stalled{some: 9}, st)
	require.Len(t, s.groups, 1)

	s.next()
	s.next()
	require.Empty(t, s.groups, "nobody asked for it")
	for range 2 * maxGroups {
		_, ok = s.of("/shop.service", 1)
		require.True(t, ok)
	}
	for i := range 2 * maxGroups {
		s.of(string(rune('a'+i)), 1)
	}
	require.Len(t, s.groups, maxGroups)
}

// A control group of this host, if it has the second generation.
func TestStallsOfThisHost(t *testing.T) {
	s := newStalls("")
	t.Cleanup(s.close)
	if s.mount == "" {
		t.Skip("no control groups of version 2 are mounted")
	}
	dir := filepath.Join(s.mount, "culprit-test-stalls")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip("may not make a control group:", err)
	}
	t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
	if _, err := os.Stat(filepath.Join(dir, "cpu.pressure")); err != nil {
		t.Skip("the kernel was booted without PSI")
	}
	st, ok := s.of("/culprit-test-stalls", 0)
	require.True(t, ok)
	require.Zero(t, st.since)

	// A service is started again: its group is another one of the same name.
	require.NoError(t, os.Remove(dir))
	_, ok = s.of("/culprit-test-stalls", 0)
	require.False(t, ok)
	require.NoError(t, os.Mkdir(dir, 0o755))
	st, ok = s.of("/culprit-test-stalls", 0)
	require.True(t, ok)
	require.WithinDuration(t, time.Now(), st.since, time.Minute)
	_, ok = s.of("/../culprit-test-stalls", 0)
	require.False(t, ok, "it is outside")
}
