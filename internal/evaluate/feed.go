package evaluate

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
)

// kind is a type of fact that columns can tell of.
type kind int

const (
	kindUse kind = iota
	kindCPU
	kindDisk
	kindLink
	kindPaging
	kindLocks
)

// field is a place in a fact, with the resource that it tells of.
type field struct {
	kind     kind
	index    int
	resource string
}

// fields are the facts and fields that a mapping may name.
var fields = map[string]field{
	"use.cpu":              {kindUse, int(fact.CPU), "cpu"},
	"use.disk_read":        {kindUse, int(fact.DiskRead), "disk"},
	"use.disk_write":       {kindUse, int(fact.DiskWrite), "disk"},
	"use.network_receive":  {kindUse, int(fact.NetworkReceive), "network"},
	"use.network_transmit": {kindUse, int(fact.NetworkTransmit), "network"},
	"use.run_delay":        {kindUse, int(fact.RunDelay), "cpu"},
	"use.block_delay":      {kindUse, int(fact.BlockDelay), "disk"},
	"use.major_faults":     {kindUse, int(fact.MajorFaults), "memory"},
	"use.memory":           {kindUse, int(fact.Memory), "memory"},
	"cpu.busy":             {kindCPU, 0, "cpu"},
	"cpu.iowait":           {kindCPU, 1, "disk"},
	"cpu.steal":            {kindCPU, 2, "cpu"},
	"disk.reads":           {kindDisk, 0, "disk"},
	"disk.writes":          {kindDisk, 1, "disk"},
	"disk.read_bytes":      {kindDisk, 2, "disk"},
	"disk.write_bytes":     {kindDisk, 3, "disk"},
	"disk.op_time":         {kindDisk, 4, "disk"},
	"disk.busy_time":       {kindDisk, 5, "disk"},
	"disk.in_flight":       {kindDisk, 6, "disk"},
	"link.received":        {kindLink, 0, "network"},
	"link.transmitted":     {kindLink, 1, "network"},
	"link.errors":          {kindLink, 2, "network"},
	"link.drops":           {kindLink, 3, "network"},
	"paging.refaults":      {kindPaging, 0, "memory"},
	"paging.swap_in":       {kindPaging, 1, "memory"},
	"paging.swap_out":      {kindPaging, 2, "memory"},
	"locks.waits":          {kindLocks, 0, "lock"},
	"locks.time":           {kindLocks, 1, "lock"},
	"locks.waiting":        {kindLocks, 2, "lock"},
	"locks.sessions":       {kindLocks, 3, "workload"},
}

func fieldNames() []string { return slices.Sorted(maps.Keys(fields)) }

// target is a fact that a row makes, of the sum of some columns.
type target struct {
	kind       kind
	host, name string
}

// input is a column that was given a meaning.
type input struct {
	column int
	rule   *ColumnRule
	target int
	own    bool // of the victim's own workload
}

// feed makes facts of a table's rows.
type feed struct {
	m        *Mapping
	tab      *table
	period   float64
	at       []float64 // end of each row, Unix seconds
	inputs   []input
	targets  []target
	latency  int // column
	requests int // column; -1 if it is not known
	dropped  map[int]bool
}

// newFeed finds a mapping's columns in a table; c says which are the case's.
func newFeed(m *Mapping, tab *table, c caseLine) (*feed, error) {
	f := &feed{m: m, tab: tab, period: c.Period, requests: -1}
	if f.period == 0 {
		f.period = m.Period
	}
	if f.period <= 0 {
		return nil, fmt.Errorf("%s: the time between rows is not known: set period_s in the case or the mapping", tab.path)
	}
	f.at = tab.times(m.Time == "rows", f.period)
	if err := f.findVictim(c); err != nil {
		return nil, err
	}
	for i := range m.Columns {
		if err := f.add(&m.Columns[i]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *feed) findVictim(c caseLine) (err error) {
	v := f.m.Victim
	name := v.Latency
	if name == "{sli}" {
		name = c.SLI
		if name == "" {
			name = v.LatencyElse
		}
	}
	if f.latency, err = f.tab.column(name); err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	if v.Requests == "" {
		return nil
	}
	pattern := strings.ReplaceAll(v.Requests, "{throughput}", regexp.QuoteMeta(c.Throughput))
	if v.LatencyMatch != "" {
		match, bad := regexp.Compile(v.LatencyMatch)
		if bad != nil {
			return fmt.Errorf("victim.latency_match: %w", bad)
		}
		for i, group := range match.FindStringSubmatch(name) {
			pattern = strings.ReplaceAll(pattern, fmt.Sprintf("$%d", i), regexp.QuoteMeta(group))
		}
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return fmt.Errorf("victim.requests: %w", err)
	}
	f.requests = slices.IndexFunc(f.tab.columns, re.MatchString)
	return nil
}

// add gives a rule's columns their meaning. That a column is not there is missing
// evidence and no error.
func (f *feed) add(rule *ColumnRule) error {
	has := func(name string) bool { return slices.Contains(f.tab.columns, name) }
	if rule.If != "" && !has(rule.If) || rule.Unless != "" && has(rule.Unless) {
		return nil
	}
	for i, column := range f.tab.columns {
		groups := rule.match.FindStringSubmatchIndex(column)
		if groups == nil {
			continue
		}
		name := string(rule.match.ExpandString(nil, rule.Name, column, groups))
		if name == "" && rule.to.kind == kindUse {
			return fmt.Errorf("%s: the name of the workload of column %q is empty: mend the rule %s", f.tab.path, column, rule.Match)
		}
		what := target{kind: rule.to.kind, host: rule.Host, name: name}
		if what.host == "" {
			what.host = f.m.Host
		}
		t := slices.Index(f.targets, what)
		if t < 0 {
			t = len(f.targets)
			f.targets = append(f.targets, what)
		}
		f.inputs = append(f.inputs, input{column: i, rule: rule, target: t, own: slices.Contains(f.m.Victim.Units, name)})
	}
	return nil
}

// usable is whether an input is told to anybody in this case.
func (f *feed) usable(in input) bool { return !f.dropped[in.column] }

// maxFields is the most fields that a kind of fact has.
const maxFields = int(fact.NumResources)

// facts are what a row says, at a time that the player chose for it. Row before is
// the one that counters are compared with; -1 for none.
func (f *feed) facts(row, before int, at float64) []fact.Fact {
	sums := make([][maxFields]float64, len(f.targets))
	for i := range sums {
		for j := range sums[i] {
			sums[i][j] = math.NaN()
		}
	}
	for _, in := range f.inputs {
		x := f.tab.values[row][in.column] * in.rule.Scale
		switch in.rule.As {
		case "rate":
			x *= f.period
		case "counter":
			if before < 0 {
				continue
			}
			x -= f.tab.values[before][in.column] * in.rule.Scale
			if x < 0 {
				continue // it began anew
			}
		}
		if !f.usable(in) || math.IsNaN(x) {
			continue
		}
		sum := &sums[in.target][in.rule.to.index]
		if math.IsNaN(*sum) {
			*sum = 0
		}
		*sum += x
	}
	var list []fact.Fact
	for i, t := range f.targets {
		if one := f.fact(t, sums[i], unixTime(at)); one != nil {
			list = append(list, one)
		}
	}
	if l, ok := f.latencyOf(row, at); ok {
		list = append(list, l)
	}
	return list
}

// fact is nil if nothing of it is known. An unknown field of a device is zero: its
// facts have no word for it.
func (f *feed) fact(t target, sum [maxFields]float64, at time.Time) fact.Fact {
	known := slices.ContainsFunc(sum[:], func(x float64) bool { return !math.IsNaN(x) })
	if !known {
		return nil
	}
	over := time.Duration(f.period * float64(time.Second))
	if t.kind == kindUse {
		return fact.Use{At: at, Over: over, Process: fact.Process{Host: t.host}, Workload: fact.Workload{Type: "unit", Name: t.name}, Amounts: fact.Amounts(sum)}
	}
	for i, x := range sum {
		if math.IsNaN(x) {
			sum[i] = 0
		}
	}
	switch t.kind {
	case kindCPU:
		return fact.CPUTime{At: at, Over: over, Host: t.host, Busy: sum[0], IOWait: sum[1], Steal: sum[2], Cores: f.m.Cores}
	case kindDisk:
		return fact.Disk{
			At: at, Over: over, Host: t.host, Device: deviceOf(t, "disk0"), Reads: sum[0], Writes: sum[1],
			ReadBytes: sum[2], WriteBytes: sum[3], OpTime: sum[4], BusyTime: sum[5], InFlight: sum[6],
		}
	case kindLink:
		return fact.Link{At: at, Over: over, Host: t.host, Interface: deviceOf(t, "eth0"), Received: sum[0], Transmitted: sum[1], Errors: sum[2], Drops: sum[3]}
	case kindPaging:
		return fact.Paging{At: at, Over: over, Host: t.host, Refaults: sum[0], SwapIn: sum[1], SwapOut: sum[2]}
	default:
		return fact.Locks{At: at, Over: over, Host: t.host, Service: f.m.Victim.Service, Waits: sum[0], Time: sum[1], Waiting: sum[2], Sessions: sum[3]}
	}
}

func deviceOf(t target, usual string) string {
	if t.name == "" {
		return usual
	}
	return t.name
}

// count is how many requests a row tells of; ok is false if it does not say.
func (f *feed) count(row int) (count float64, ok bool) {
	if f.requests < 0 {
		return f.period, true // one a second stands for a rate that was not recorded
	}
	count = f.tab.values[row][f.requests]
	if f.m.Victim.PerSecond {
		count *= f.period
	}
	return count, count >= 0
}

// latencyOf is what a row says of the victim's requests. A latency without
// requests is a stall, whatever its column reads.
func (f *feed) latencyOf(row int, at float64) (fact.Latency, bool) {
	count, ok := f.count(row)
	seconds := f.tab.values[row][f.latency] * f.m.Victim.LatencyScale
	l := fact.Latency{
		At: unixTime(at), Over: time.Duration(f.period * float64(time.Second)),
		Service: f.m.Victim.Service, Host: f.m.Host, Signal: "server", Count: count,
	}
	switch {
	case !ok, count > 0 && !(seconds >= 0):
		return l, false
	case count > 0:
		l.Buckets = []fact.Bucket{{Low: seconds, High: seconds, Count: count}}
	}
	return l, true
}

// introduction tells which workloads are the victim's own. It is repeated, as the
// live sources do.
func (f *feed) introduction(at float64) []fact.Fact {
	if len(f.m.Victim.Units) == 0 {
		return nil
	}
	list := []fact.Fact{fact.Service{At: unixTime(at), Name: f.m.Victim.Service, Processes: f.m.Victim.Units}}
	for i, t := range f.targets {
		if t.kind == kindUse && slices.Contains(f.m.Victim.Units, t.name) {
			list = append(list, fact.Described{
				At: unixTime(at), Process: fact.Process{Host: t.host, PID: firstPID + int64(i), Start: 1}, Command: t.name,
				Workload: fact.Workload{Type: "unit", Name: t.name},
			})
		}
	}
	return list
}

// firstPID is a plausible PID: those of the rows' processes were not recorded.
const firstPID = 1000
