package procfsreceiver

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// vmstatNames are the counters that are used of /proc/vmstat.
var vmstatNames = []string{"pgfault", "pgmajfault", "pswpin", "pswpout", "workingset_refault_file", "workingset_refault"}

// parseVMStat finds the counters in lines like "pgfault 12345". A kernel without
// swap has no swap counters: those are zero.
func parseVMStat(b []byte) (map[string]int64, error) {
	stat := make(map[string]int64, len(vmstatNames))
	for line := range bytes.Lines(b) {
		name, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		for _, wanted := range vmstatNames {
			if string(name) != wanted {
				continue
			}
			n, err := strconv.ParseUint(string(value), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("counter %s: %w", wanted, err)
			}
			stat[wanted] = count(n)
		}
	}
	if _, ok := stat["pgfault"]; !ok {
		return nil, errors.New("no counter pgfault")
	}
	return stat, nil
}
