package procfsreceiver

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// memoryStat is the file of a control group that tells of its memory.
const memoryStat = "memory.stat"

var pageSize = int64(os.Getpagesize())

// paged is what had to be moved for want of memory, in pages.
type paged struct {
	refaults        int64 // of files, read again after the page cache had let them go
	swapIn, swapOut int64
	hasRefaults     bool
	hasSwap         bool
	since           time.Time // when the group was made anew; zero if it was there before
}

// refaultsOf finds the refaults of file pages; kernels before 5.9 counted no
// others.
func refaultsOf(stat map[string]int64) (pages int64, ok bool) {
	if pages, ok = stat["workingset_refault_file"]; ok {
		return pages, true
	}
	pages, ok = stat["workingset_refault"]
	return pages, ok
}

// parseMemoryStat reads memory.stat of a control group of either generation. In
// the second all lines are of the group and those below it; in the first only
// those that begin with total_, which come last. Many kernels tell of no
// swap there.
func parseMemoryStat(b []byte) (p paged) {
	stat := map[string]int64{}
	for line := range bytes.Lines(b) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		name = bytes.TrimPrefix(name, []byte("total_"))
		switch string(name) {
		case "workingset_refault_file", "workingset_refault", "pswpin", "pswpout":
			if n, err := strconv.ParseUint(string(value), 10, 64); err == nil {
				stat[string(name)] = count(n)
			}
		}
	}
	p.refaults, p.hasRefaults = refaultsOf(stat)
	p.swapIn, p.hasSwap = stat["pswpin"]
	p.swapOut = stat["pswpout"]
	return p
}
