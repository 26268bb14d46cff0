package main

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want stat
		fail string
	}{
		"usual": {
			text: "1171 (head) R 1164 1164 17977 0 -1 4194304 99 0 0 0 12 30 5 7 20 0 1 0 201735\n",
			want: stat{parent: 1164, own: 420 * time.Millisecond, children: 120 * time.Millisecond},
		},
		"hostile name": {
			text: "7 (a) R 1 (b\n) c) S 42 7 7 0 -1 0 0 0 0 0 100 0 0 1 20 0\n",
			want: stat{parent: 42, own: time.Second, children: 10 * time.Millisecond},
		},
		"cut off":     {text: "7 (a) S 42 7", fail: "only 3 fields"},
		"no name":     {text: "7 a S 42", fail: "parentheses"},
		"empty":       {fail: "parentheses"},
		"no number":   {text: "7 (a) S x 7 7 0 -1 0 0 0 0 0 100 0 0 1 20", fail: `field 4 is "x"`},
		"went wild":   {text: "7 (a) S 1 7 7 0 -1 0 0 0 0 0 9223372036854775807 1 0 1 20", fail: "field 14"},
		"negative":    {text: "7 (a) S 1 7 7 0 -1 0 0 0 0 0 5 -1 0 1 20", fail: "field 15"},
		"binary name": {text: "7 (\xff\x00) S 1 7 7 0 -1 0 0 0 0 0 5 1 0 0 20", want: stat{parent: 1, own: 60 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte(test.text))
			if test.fail != "" {
				require.ErrorContains(t, err, test.fail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestParseResident(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want int64
		fail bool
	}{
		"usual":         {text: "Name:\tVmRSS: x\nVmHWM:\t  900 kB\nVmRSS:\t    1024 kB\nRssAnon: 1 kB\n", want: 1 << 20},
		"kernel thread": {text: "Name:\tkthreadd\nThreads:\t1\n"},
		"other unit":    {text: "VmRSS:\t5 MB\n", fail: true},
		"no number":     {text: "VmRSS:\t kB\n", fail: true},
		"negative":      {text: "VmRSS:\t-4 kB\n", fail: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseResident([]byte(test.text))
			require.Equal(t, test.fail, err != nil, "%v", err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestParseBusy(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want time.Duration
		fail string
	}{
		"usual":     {text: "cpu  100 20 30 4000 500 6 7 8 99 0\ncpu0 1 1 1\n", want: 1710 * time.Millisecond},
		"one CPU":   {text: "cpu0 100 20 30 4000 500 6 7 8 9 0\n", fail: "first line"},
		"cut off":   {text: "cpu  100 20 30", fail: "first line"},
		"empty":     {fail: "first line"},
		"went wild": {text: "cpu  100 -1 30 4000 500 6 7 8 9 0\n", fail: "field 2"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseBusy([]byte(test.text))
			if test.fail != "" {
				require.ErrorContains(t, err, test.fail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func FuzzParseBusy(f *testing.F) {
	f.Add([]byte("cpu  100 20 30 4000 500 6 7 8 9 0\ncpu0 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		busy, err := parseBusy(text)
		require.GreaterOrEqual(t, busy, time.Duration(0))
		if err != nil {
			require.Zero(t, busy)
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) R 1 (b\n) c) S 42 7 7 0 -1 0 0 0 0 0 100 0 0 1 20 0\n"))
	f.Add([]byte("7 (a) S 1 7 7 0 -1 0 0 0 0 0 9223372036854775807 1 0 1 20"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseStat(text)
		require.True(t, s.own >= 0 && s.children >= 0 && s.parent >= 0)
		if err != nil {
			require.Zero(t, s)
		}
	})
}

func FuzzParseResident(f *testing.F) {
	f.Add([]byte("VmHWM:\t  900 kB\nVmRSS:\t    1024 kB\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := parseResident(text)
		require.GreaterOrEqual(t, n, int64(0))
		if err != nil {
			require.Zero(t, n)
		}
	})
}

func TestTree(t *testing.T) {
	parents := map[int]int{1: 0, 2: 0, 10: 1, 11: 10, 12: 11, 13: 10, 20: 1, 7: 7}
	require.ElementsMatch(t, []int{10, 11, 12, 13}, tree(10, parents))
	require.Equal(t, []int{20}, tree(20, parents))
	require.Empty(t, tree(99, parents))
	require.Equal(t, []int{7}, tree(7, parents), "its own parent")
}

func TestProcessClockIsTheUsageOfTheProcess(t *testing.T) {
	end := time.Now().Add(30 * time.Millisecond)
	for sum := 0; time.Now().Before(end); sum++ {
		continue
	}
	before := usageOfSelf(t)
	got, ok := processClock(os.Getpid())
	after := usageOfSelf(t)
	require.True(t, ok)
	// Its parts are split by estimate, to microseconds.
	require.InDelta(t, before.Seconds(), got.Seconds(), (after-before).Seconds()+0.001)

	_, ok = processClock(1 << 22)
	require.False(t, ok, "no process has this PID")
}

func usageOfSelf(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
