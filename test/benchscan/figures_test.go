package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSummarize(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	windows := []window{
		{collector: "b", procs: 0, total: 100, cpu: ms(20), elapsed: 20 * time.Second, scrapes: 20, counted: true, expected: 21, others: 0.5, rss: []int64{1 << 20}},
		{collector: "a", procs: 500, total: 600, cpu: ms(60), elapsed: 10 * time.Second, scrapes: 10, counted: true},
		{collector: "b", procs: 500, total: 600, cpu: ms(60), elapsed: 10 * time.Second, scrapes: 10, counted: true, rss: []int64{30 << 20, 10 << 20}},
		{collector: "b", procs: 500, total: 600, cpu: ms(120), elapsed: 10 * time.Second, scrapes: 10, rss: []int64{20 << 20, 90 << 20}},
		{collector: "b", procs: 2000, total: 2100, cpu: ms(1), elapsed: 10 * time.Second},
	}
	got := summarize(windows)
	require.Len(t, got, 3, "a window without a scrape counts nothing")

	require.Equal(t, figure{
		Collector: "b", Whole: 10, WholeMin: 10, WholeMax: 10, Scrape: 1000, RSS: 1, RSSMax: 1,
		Scrapes: 20, Expected: 21, Counted: true, HostProcs: 100, Seconds: 20, OtherCPUs: 0.5,
	}, got[0])
	require.Equal(t, figure{
		Collector: "b", Procs: 500, Whole: 15, WholeMin: 10, WholeMax: 20,
		Marginal: new(16.0), // 9 ms a scrape less 1 ms, over 500
		Scrape:   9000, RSS: 20, RSSMax: 90, Scrapes: 20, HostProcs: 600, Seconds: 20,
	}, got[1])
	require.Equal(t, "a", got[2].Collector)
	require.Nil(t, got[2].Marginal, "nothing to compare with")
}

func TestSummarizeNothing(t *testing.T) {
	require.Empty(t, summarize(nil))
}

func TestMedian(t *testing.T) {
	require.Zero(t, median(nil))
	require.Equal(t, int64(2), median([]int64{9, 1, 2}))
	require.Equal(t, int64(2), median([]int64{9, 1, 2, 3}))
}

func TestEveryRoundBeginsWithAnotherCollector(t *testing.T) {
	all := []*subject{{name: "a"}, {name: "b"}, {name: "c"}, {name: "d"}, {name: "e"}, {name: "f"}, {name: "g"}}
	seen := map[string]bool{}
	for round := range 3 {
		order := rotated(all, round)
		require.ElementsMatch(t, all, order)
		require.False(t, seen[order[0].name])
		seen[order[0].name] = true
	}
	require.Empty(t, rotated(nil, 1))
}
