package rootcause_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/rootcause"
)

// kinds are generated incidents of known cause. They show that the engine does
// what it is meant to at every interval of collection; how good it is on real
// incidents is another question.
var kinds = []struct {
	name   string
	guilty bool // the backup that runs is
	make   func(seed uint64) *world
	cause  rootcause.Cause
}{
	{"backup takes the CPU", true, vary(func(w *world, from, to int, size float64) {
		w.jobs = []job{{pid: 500, command: "tar", args: strings.Fields("tar -cJf b.txz /srv"), from: from, to: to, cpu: 0.3 + 0.3*size}}
		w.latency, w.runDelay = during(from, to, 0.01, 0.03+0.1*size), during(from, to, 0.15, 0.4+0.4*size)
	}), rootcause.Contention},
	{"backup takes the disk", true, vary(func(w *world, from, to int, size float64) {
		w.jobs = []job{{pid: 500, command: "restic", args: strings.Fields("restic backup /srv"), from: from, to: to, cpu: 0.1, disk: 20e6 + 200e6*size}}
		w.latency, w.io = during(from, to, 0.01, 0.03+0.3*size), during(from, to, 0.01, 0.3+0.5*size)
	}), rootcause.Contention},
	{"another job takes the CPU", false, vary(func(w *world, from, to int, size float64) {
		w.jobs = []job{harmless(from, to), {pid: 700, command: "compile", from: from, to: to, cpu: 0.3 + 0.3*size}}
		w.latency, w.runDelay = during(from, to, 0.01, 0.03+0.1*size), during(from, to, 0.15, 0.4+0.4*size)
	}), rootcause.Contention},
	{"traffic surge", false, vary(func(w *world, from, to int, size float64) {
		w.jobs = []job{harmless(from, to)}
		w.rate, w.siteCPU = during(from, to, 60, 60*(2+2*size)), during(from, to, 0.4, min(0.95, 0.4*(2+2*size)))
		w.latency, w.runDelay = during(from, to, 0.01, 0.1+size), during(from, to, 0.15, 0.1)
	}), rootcause.TrafficSurge},
	{"more work per request", false, vary(func(w *world, from, to int, size float64) {
		w.jobs = []job{harmless(from, to)}
		w.siteCPU, w.latency = during(from, to, 0.2, 0.6+0.3*size), during(from, to, 0.01, 0.03+0.1*size)
	}), rootcause.OwnWork},
	{"slow for no reason seen", false, vary(func(w *world, from, to int, size float64) {
		w.jobs = []job{harmless(from, to)}
		w.latency = during(from, to, 0.01, 0.03+0.1*size)
	}), ""},
	{"nothing wrong", false, vary(func(w *world, from, to int, size float64) {
		w.jobs = []job{{pid: 500, command: "restic", args: strings.Fields("restic backup /srv"), from: from, to: to, cpu: 0.3 * size, disk: 50e6 * size}}
	}), ""},
}

func harmless(from, to int) job {
	return job{pid: 500, command: "restic", args: strings.Fields("restic backup /srv"), from: from - 40, to: to + 40, cpu: 0.03, disk: 200e3}
}

const generated = 900 // seconds of a generated night

func vary(set func(w *world, from, to int, size float64)) func(seed uint64) *world {
	return func(seed uint64) *world {
		w := newWorld(seed)
		from := 400 + w.rng.IntN(120)
		set(w, from, from+120+w.rng.IntN(120), w.rng.Float64())
		return w
	}
}

// TestGeneratedIncidents prints, for each kind of incident and interval of
// collection, how often the cause was found and how often the backup was
// blamed wrongly. CULPRIT_EVAL sets the number of nights of each kind.
func TestGeneratedIncidents(t *testing.T) {
	nights := 4
	if n, err := strconv.Atoi(os.Getenv("CULPRIT_EVAL")); err == nil {
		nights = n
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-28s %8s %7s %7s %8s %7s %10s\n", "kind", "interval", "nights", "found", "blamed", "silent", "delay")
	for _, every := range []int{1, 10, 60} {
		for _, k := range kinds {
			var found, blamed, silent, delays, told int
			for night := range nights {
				w := k.make(uint64(1000*every + night))
				w.every = every
				charged, cause, delay := judged(t, w)
				silent += btoi(delay < 0)
				blamed += btoi(charged && !k.guilty)
				if cause == k.cause && charged == k.guilty {
					found++
				}
				if delay >= 0 {
					told++
					delays += delay
				}
			}
			mean := "-"
			if told > 0 {
				mean = fmt.Sprintf("%d s", delays/told)
			}
			fmt.Fprintf(&table, "%-28s %6d s %7d %7d %8d %7d %10s\n", k.name, every, nights, found, blamed, silent, mean)
			require.Zero(t, blamed, "%s at %d s: an innocent backup was charged", k.name, every)
			require.GreaterOrEqual(t, float64(found), 0.75*float64(nights), "%s at %d s", k.name, every)
		}
	}
	t.Log(table.String())
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// judged is whether a backup was charged in a named or probable verdict, which
// cause was named (empty for none), and the seconds from onset to verdict, -1
// if none was told.
func judged(t *testing.T, w *world) (charged bool, cause rootcause.Cause, delay int) {
	t.Helper()
	e := newEngine(t, nil)
	delay = -1
	for _, f := range w.facts(generated) {
		events, err := e.Step(f)
		require.NoError(t, err)
		for _, v := range verdicts(events) {
			if delay < 0 {
				delay = int(v.At.Sub(v.Onset) / time.Second)
			}
			if v.State != rootcause.StateUnknown {
				cause = v.Top().Cause
			}
			for _, b := range v.Backups {
				charged = charged || b.Finding == rootcause.Charged
			}
		}
	}
	return charged, cause, delay
}
