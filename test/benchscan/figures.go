package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// window is one measured part of a collector's time.
type window struct {
	collector string
	procs     int           // idle processes
	total     float64       // processes of the host meanwhile
	cpu       time.Duration // of the collector and its children
	elapsed   time.Duration
	scrapes   int
	expected  int     // scrapes, by the time
	others    float64 // CPUs that others used
	counted   bool    // scrapes were seen, not computed from the time
	rss       []int64 // bytes, sampled
	source    string  // that our receiver says it uses
}

// figure is what the windows of a collector with one population come to.
type figure struct {
	Collector string `json:"collector"`
	Procs     int    `json:"procs"`
	// Whole is the CPU time in us for each process of the host and scrape.
	Whole float64 `json:"us_per_proc_scrape"`
	// WholeMin and WholeMax are the smallest and the largest of its parts.
	WholeMin float64 `json:"us_per_proc_scrape_min"`
	WholeMax float64 `json:"us_per_proc_scrape_max"`
	// Marginal is how much CPU time in us each idle process adds to a scrape;
	// nil without a floor to compare with.
	Marginal  *float64 `json:"us_marginal,omitempty"`
	Scrape    float64  `json:"us_per_scrape"`
	RSS       float64  `json:"rss_mib"`     // median
	RSSMax    float64  `json:"rss_max_mib"` // largest sample
	Scrapes   int      `json:"scrapes"`
	Expected  int      `json:"scrapes_expected"`
	Counted   bool     `json:"scrapes_counted"`
	HostProcs float64  `json:"host_procs"` // mean number of processes, kernel threads among them
	Seconds   float64  `json:"seconds"`
	OtherCPUs float64  `json:"other_cpus"`       // that others used meanwhile, mean; much of it spoils the figures
	Source    string   `json:"source,omitempty"` // in use, of our receiver
	Metrics   string   `json:"metrics"`
	Version   string   `json:"version"`
}

// summarize computes the figures of each collector and population, in the order
// in which they were first measured. A window without a scrape counts nothing.
func summarize(windows []window) []figure {
	type key struct {
		collector string
		procs     int
	}
	groups := make(map[key][]window)
	var order []key
	for _, w := range windows {
		if w.scrapes < 1 || w.total < 1 {
			continue
		}
		k := key{w.collector, w.procs}
		if _, ok := groups[k]; !ok {
			order = append(order, k)
		}
		groups[k] = append(groups[k], w)
	}
	first := make(map[string]int)
	for i, k := range order {
		if _, ok := first[k.collector]; !ok {
			first[k.collector] = i
		}
	}
	slices.SortStableFunc(order, func(a, b key) int {
		return cmp.Or(cmp.Compare(first[a.collector], first[b.collector]), cmp.Compare(a.procs, b.procs))
	})
	out := make([]figure, 0, len(order))
	for _, k := range order {
		f := sum(groups[k])
		if floor, ok := groups[key{k.collector, 0}]; ok && k.procs > 0 {
			f.Marginal = new(round((perScrape(groups[k]) - perScrape(floor)) / float64(k.procs)))
		}
		out = append(out, f)
	}
	return out
}

// perScrape is the CPU time of a scrape in us.
func perScrape(windows []window) float64 {
	var cpu time.Duration
	scrapes := 0
	for _, w := range windows {
		cpu += w.cpu
		scrapes += w.scrapes
	}
	return microseconds(cpu) / float64(scrapes)
}

// sum computes all but the marginal figure of windows that have scrapes.
func sum(windows []window) figure {
	f := figure{
		Collector: windows[0].collector, Procs: windows[0].procs,
		WholeMin: math.MaxFloat64, Counted: true,
	}
	var cpu, elapsed time.Duration
	var visits, total, others float64
	var rss []int64
	for _, w := range windows {
		whole := round(microseconds(w.cpu) / (w.total * float64(w.scrapes)))
		f.WholeMin, f.WholeMax = min(f.WholeMin, whole), max(f.WholeMax, whole)
		cpu += w.cpu
		elapsed += w.elapsed
		visits += w.total * float64(w.scrapes)
		total += w.total
		f.Scrapes += w.scrapes
		f.Expected += w.expected
		others += w.others * w.elapsed.Seconds()
		f.Counted = f.Counted && w.counted
		rss = append(rss, w.rss...)
		f.Source = w.source
	}
	f.Whole = round(microseconds(cpu) / visits)
	f.Scrape = round(perScrape(windows))
	f.HostProcs = round(total / float64(len(windows)))
	f.OtherCPUs = round(others / max(elapsed.Seconds(), 1e-9))
	f.Seconds = round(elapsed.Seconds())
	f.RSS, f.RSSMax = mebibytes(median(rss)), mebibytes(largest(rss))
	return f
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// median is the middle value, 0 of none.
func median(values []int64) int64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

func largest(values []int64) int64 {
	var most int64
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

func mebibytes(n int64) float64 { return math.Round(float64(n)/(1<<20)*10) / 10 }

// round keeps three digits after the point: the rest is noise.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }
