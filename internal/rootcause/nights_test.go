package rootcause_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

const night = 24 * time.Hour

// nightly is a world in which restic takes a part of the CPU from second 180 to
// 240, so many nights after the first.
func nightly(nights int, cpu, latency float64) *world {
	w := newWorld(uint64(600 + nights))
	w.start = w.start.Add(time.Duration(nights) * night)
	w.jobs = []job{{pid: 500, command: "restic", args: strings.Fields("restic backup /srv"), from: 180, to: 240, cpu: cpu}}
	w.latency = during(180, 240, 0.010, latency)
	return w
}

// hurting is a nightly world in which the site waits for a CPU, though not much.
func hurting(nights int) *world {
	w := nightly(nights, 0.2, 0.030)
	w.runDelay = during(180, 240, 0.15, 0.22)
	return w
}

// dawn is the facts of a world after a time in which nothing was heard.
func dawn(w *world, n int) []fact.Fact {
	return append([]fact.Fact{fact.Tick{At: w.start}}, w.facts(n)...)
}

type ran struct {
	Workload string
	Trials   []struct {
		Window      string
		Start, End  int64
		Seconds     float64
		Used        map[string]float64
		Excess, Bad float64
	}
}

// recorded is what an engine remembers of earlier runs.
func recorded(tb testing.TB, e *rootcause.Engine) []ran {
	tb.Helper()
	var m struct{ Records []ran }
	require.NoError(tb, json.Unmarshal([]byte(remember(tb, e)), &m))
	return m.Records
}

// suspected is what the last verdict of a night says of restic.
func suspected(t *testing.T, events []rootcause.Event) (s rootcause.Suspect) {
	t.Helper()
	for _, s := range last(t, events).Suspects {
		if s.Tool == "restic" {
			return s
		}
	}
	return s
}

func of(s rootcause.Suspect, name string) *rootcause.Evidence {
	for _, ev := range s.Evidence {
		if ev.Name == name {
			return &ev
		}
	}
	return nil
}

func TestAnAlibiOfLastWeekCountsAfterARestart(t *testing.T) {
	const nights = 5
	old := newEngine(t, nil)
	for i := range nights {
		run(t, old, dawn(nightly(i, 0.2, 0.010), 300))
	}
	records := recorded(t, old)
	require.Len(t, records, 1)
	require.Len(t, records[0].Trials, nights)
	for _, r := range records[0].Trials {
		require.InDelta(t, 60, r.Seconds, 5)
		require.Less(t, r.Bad, 0.2)
		require.InDelta(t, 0.2, r.Used["cpu"], 0.02)
	}
	w := hurting(nights)
	e := reborn(t, old, w.start)
	require.Equal(t, records, recorded(t, e))
	with := suspected(t, run(t, e, w.facts(220)))
	alibi := of(with, "earlier_runs")
	require.NotNil(t, alibi)
	require.Equal(t, "in 5 of 5 earlier runs that used as much, the latency was as usual", alibi.Sentence)
	require.Negative(t, alibi.Weight)
	without := suspected(t, run(t, newEngine(t, nil), hurting(nights).facts(220)))
	require.Nil(t, of(without, "earlier_runs"))
	require.Less(t, with.Probability, without.Probability)
}

// A run that goes on over a restart is one, and no alibi of its own.
func TestARunThatGoesOnOverARestart(t *testing.T) {
	for name, known := range map[string]bool{"its start is known": true, "its start is not": false} {
		t.Run(name, func(t *testing.T) {
			w := nightly(0, 0.2, 0.010)
			w.jobs[0].to = 600
			w.latency = during(420, 600, 0.010, 0.060)
			w.runDelay = during(420, 600, 0.15, 0.35)
			facts := w.facts(480)
			for i, f := range facts {
				if d, ok := f.(fact.Described); ok && !known {
					d.Process.Start = 0
					facts[i] = d
				}
				if u, ok := f.(fact.Use); ok && !known {
					u.Process.Start = 0
					facts[i] = u
				}
			}
			before, after := []fact.Fact{}, []fact.Fact{}
			down, up := w.start.Add(280*time.Second), w.start.Add(320*time.Second)
			for _, f := range facts {
				if f.When().Before(down) {
					before = append(before, f)
				} else if f.When().After(up) {
					after = append(after, f)
				}
			}
			old := newEngine(t, nil)
			run(t, old, before)
			first := recorded(t, old)
			require.Len(t, first[0].Trials, 1)
			e := reborn(t, old, up)
			events := run(t, e, after)
			for _, v := range verdicts(events) {
				for _, s := range v.Suspects {
					require.Nil(t, of(s, "earlier_runs"))
				}
			}
			require.NotEmpty(t, verdicts(events))
			records := recorded(t, e)
			require.Len(t, records, 1)
			require.Len(t, records[0].Trials, 1, "%+v", records)
			one := records[0].Trials[0]
			require.Equal(t, first[0].Trials[0].Start, one.Start)
			require.InDelta(t, 300-40, one.Seconds, 5, "the seconds of the restart are not known")
			require.InDelta(t, 60/260.0, one.Bad, 0.05)
		})
	}
}

func TestTwoRunsOfOneNameAreTwoTrials(t *testing.T) {
	w := nightly(0, 0.2, 0.010)
	w.jobs = append(w.jobs, w.jobs[0])
	w.jobs[1].pid = 501
	e := newEngine(t, nil)
	run(t, e, w.facts(300))
	records := recorded(t, e)
	require.Len(t, records, 1)
	require.Len(t, records[0].Trials, 2)
}

// Until a baseline is learned nothing tells whether a run did harm.
func TestARunWithoutABaselineIsNoTrial(t *testing.T) {
	w := nightly(0, 0.2, 0.010)
	w.rate = always(0)
	e := newEngine(t, nil)
	run(t, e, w.facts(300))
	require.Empty(t, recorded(t, e))
}

// The more it used, the worse it was: told of what did some harm, in an order that
// chance seldom makes.
func TestDoseOverNights(t *testing.T) {
	tests := map[string]struct {
		cpu, latency []float64
		want         bool
	}{
		"in order":     {[]float64{0.1, 0.2, 0.3, 0.4, 0.5}, []float64{0.010, 0.011, 0.013, 0.016, 0.020}, true},
		"no order":     {[]float64{0.1, 0.2, 0.3, 0.4, 0.5}, []float64{0.016, 0.011, 0.020, 0.010, 0.013}, false},
		"three nights": {[]float64{0.1, 0.3, 0.5}, []float64{0.010, 0.013, 0.020}, false},
		"no harm":      {[]float64{0.1, 0.2, 0.3, 0.4, 0.5}, []float64{0.010, 0.0103, 0.0106, 0.0109, 0.0112}, false},
		"the same use": {[]float64{0.3, 0.3, 0.3, 0.3, 0.3}, []float64{0.010, 0.011, 0.013, 0.016, 0.020}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, nil)
			for i := range tt.cpu {
				run(t, e, dawn(nightly(i, tt.cpu[i], tt.latency[i]), 320))
			}
			ev := of(suspected(t, run(t, e, dawn(hurting(len(tt.cpu)), 220))), "nights_dose")
			require.Equal(t, tt.want, ev != nil)
			if tt.want {
				require.Positive(t, ev.Weight)
				require.Equal(t, fmt.Sprintf("in %d earlier runs the latency was the worse the more it used: rank correlation %.2f", len(tt.cpu), ev.Value), ev.Sentence)
			}
		})
	}
}

// What comes at the same hour without the backup speaks against it, also after a
// restart; ten minutes of it are enough.
func TestTheSameHourWithoutTheBackup(t *testing.T) {
	tests := map[string]struct {
		latency float64
		seconds int
		later   time.Duration
		want    bool
	}{
		"as bad without":      {0.030, 640, 0, true},
		"as usual without":    {0.010, 640, 0, false},
		"too short":           {0.030, 300, 0, false},
		"at another hour":     {0.030, 640, 3 * time.Hour, false},
		"not nearly as bad":   {0.013, 640, 0, false},
		"half an hour before": {0.030, 640, -time.Hour / 2, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, nil)
			learned := newWorld(1)
			learned.start = time.Unix(1_790_000_000, 0).Truncate(24 * time.Hour).Add(12*time.Hour - 20*time.Minute)
			run(t, e, learned.facts(900))
			w := newWorld(2)
			w.start = learned.start.Add(50*time.Minute + tt.later)
			w.latency = always(tt.latency)
			run(t, e, dawn(w, tt.seconds))
			tonight := hurting(0)
			tonight.start = learned.start.Add(night + 40*time.Minute)
			again := reborn(t, e, tonight.start)
			for _, engine := range []*rootcause.Engine{e, again} {
				ev := of(suspected(t, run(t, engine, dawn(tonight, 220))), "same_hour")
				require.Equal(t, tt.want, ev != nil)
				if tt.want {
					require.Negative(t, ev.Weight)
					require.Contains(t, ev.Sentence, "between 12 and 13 o'clock UTC the latency is ")
				}
			}
		})
	}
}

func TestASecondWithTheBackupIsNoneOfTheHour(t *testing.T) {
	w := nightly(0, 0.2, 0.050)
	w.start = time.Unix(1_790_000_000, 0).Truncate(time.Hour)
	e := newEngine(t, nil)
	run(t, e, w.facts(500))
	var m struct {
		Baselines []struct {
			Hours []struct{ Excess, Seconds float64 }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(remember(t, e)), &m))
	require.Len(t, m.Baselines[0].Hours, 1)
	hour := m.Baselines[0].Hours[0]
	require.Less(t, hour.Excess, 0.1)
	require.Greater(t, hour.Seconds, 200.0)
	require.Less(t, hour.Seconds, 440.0)
}

const record = `{"version":1,"baselines":[{"service":"shop","heard":1,"signals":[],"hours":[{"hour":3,"excess":0.5,"seconds":700},{"hour":4,"excess":-0.5,"seconds":25200}]}],"records":[` +
	`{"host":"a","workload":"restic","tool":"restic","service":"shop","trials":[{"window":"w1","start":100,"end":200,"seconds":90,"used":{"cpu":1,"disk":2,"network":3},"excess":0.5,"bad":0.1},{"window":"w2","start":300,"end":400,"seconds":90,"used":{"cpu":1,"disk":2,"network":3},"excess":-0.5,"bad":1}]},` +
	`{"host":"b","workload":"restic","tool":"restic","service":"shop","trials":[]}]}`

func TestABadRecordChangesNothing(t *testing.T) {
	require.NoError(t, newEngine(t, nil).Recall([]byte(record)))
	many := `"trials":[` + strings.Repeat(`{},`, 64) + `{}]}]}`
	tests := map[string]struct{ old, replacement, want string }{
		"negative seconds":  {`"seconds":90`, `"seconds":-90`, "records[0] (restic): trials[0]: seconds: -90 is not between 0 and 1e+10"},
		"infinite":          {`"excess":0.5,"bad"`, `"excess":1e999,"bad"`, "1e999"},
		"absurd excess":     {`"excess":0.5,"bad"`, `"excess":-1000,"bad"`, "trials[0]: excess: -1000"},
		"negative use":      {`"cpu":1`, `"cpu":-1`, "trials[0]: used.cpu: -1 is not between 0 and 1e+18"},
		"more than all bad": {`"bad":0.1`, `"bad":1.1`, "trials[0]: bad: 1.1 is not between 0 and 1"},
		"ends before":       {`"end":200`, `"end":99`, "trials[0]: from 100 to 99 is no time"},
		"no date":           {`"end":400`, `"end":9000000000000`, "trials[1]: from 300 to 9000000000000 is no time"},
		"before all":        {`"start":100`, `"start":-1`, "trials[0]: from -1"},
		"the same run":      {`"w2"`, `"w1"`, `trials[1]: window "w1" is there twice`},
		"in no order":       {`"start":300`, `"start":99`, `trials[1]: window "w2" is not after the one before it`},
		"twice":             {`"host":"b"`, `"host":"a"`, `records[1]: restic on "a" is not after the one before it`},
		"too many runs":     {`"trials":[]}]}`, many, "records[1] (restic): trials: too many"},
		"too many":          {`"records":[`, `"records":[` + strings.Repeat(`{},`, 512), "records: too many"},
		"no hour":           {`"hour":4`, `"hour":24`, "baselines[0] (shop): hours[1].hour: 24 is not between 4 and 23"},
		"hour twice":        {`"hour":4`, `"hour":3`, "hours[1].hour: 3 is not between 4 and 23"},
		"absurd hour":       {`"excess":-0.5,"seconds":25200`, `"excess":-1e9,"seconds":25200`, "hours[1].excess: -1e+09"},
		"long hour":         {`25200`, `25201`, "hours[1].seconds: 25201 is not between 0 and 25200"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(record, tt.old, tt.replacement, 1)
			require.NotEqual(t, record, bad)
			e := newEngine(t, nil)
			run(t, e, nightly(0, 0.2, 0.010).facts(300))
			before := remember(t, e)
			require.ErrorContains(t, e.Recall([]byte(bad)), tt.want)
			require.Equal(t, before, remember(t, e))
		})
	}
}

// 512 backups with 64 runs each are more than fits: the newest runs are kept.
func TestRecordsAreBounded(t *testing.T) {
	e := newEngine(t, nil)
	const used = `{"cpu":0.12345,"disk":1.2345e6,"network":1.2345e6,"memory":1.2345e6,"page_cache":1.2345e6}`
	for part := range 32 {
		var records []string
		for i := range 16 {
			var trials []string
			for n := range 64 {
				trials = append(trials, fmt.Sprintf(`{"window":"%016d","start":%d,"end":%d,"seconds":3000,"used":%s,"excess":0.12345,"bad":0.12345}`, n, 1000*n, 1000*n+900, used))
			}
			records = append(records, fmt.Sprintf(`{"host":"host%04d","workload":"restic","tool":"restic","service":"shop","trials":[%s]}`, 16*part+i, strings.Join(trials, ",")))
		}
		require.NoError(t, e.Recall([]byte(`{"version":1,"records":[`+strings.Join(records, ",")+`]}`)))
	}
	run(t, e, []fact.Fact{fact.Tick{At: time.Unix(1_790_000_000, 0)}})
	run(t, e, newWorld(1).facts(60))
	state := remember(t, e)
	require.LessOrEqual(t, len(state), rootcause.MaxMemory)
	require.Greater(t, len(state), rootcause.MaxMemory-2000)
	require.Contains(t, state, `"service":"shop","host":"web1"`, "baselines come first")
	records := recorded(t, e)
	require.Len(t, records, 512)
	for _, r := range records {
		newest := r.Trials[len(r.Trials)-1]
		require.EqualValues(t, 63_000, newest.Start)
		require.Less(t, len(r.Trials), 64)
	}
	again := newEngine(t, nil)
	require.NoError(t, again.Recall([]byte(state)))
	require.Equal(t, state, remember(t, again))
}

func TestANameThatIsCutOffWithinALetter(t *testing.T) {
	e := newEngine(t, nil)
	facts := nightly(0, 0.2, 0.010).facts(300)
	for i, f := range facts {
		if d, ok := f.(fact.Described); ok && d.Command == "restic" {
			d.Workload = fact.Workload{Type: "unit", Name: "sauvegarde-\xc3"}
			facts[i] = d
		}
	}
	run(t, e, facts)
	require.Len(t, recorded(t, e), 1)
	require.NoError(t, newEngine(t, nil).Recall([]byte(remember(t, e))))
}

// five earlier nights with the same use, and then one whose reason is weakly seen.
func TestEarlierNightsChangeTheProbability(t *testing.T) {
	for seed := range 5 {
		first := 10 * (seed + 1)
		tonight := func(e *rootcause.Engine) rootcause.Suspect {
			return suspected(t, run(t, e, dawn(hurting(first+5), 220)))
		}
		harmless, harmful := newEngine(t, nil), newEngine(t, nil)
		for i := range 5 {
			run(t, harmless, dawn(nightly(first+i, 0.2, 0.010), 320))
			run(t, harmful, dawn(hurting(first+i), 320))
		}
		without := newEngine(t, nil)
		for i := range 5 {
			quiet := nightly(first+i, 0.2, 0.010)
			quiet.jobs = nil // the same baseline
			run(t, without, dawn(quiet, 320))
		}
		none := tonight(without).Probability
		require.Less(t, tonight(harmless).Probability, none)
		require.Greater(t, tonight(harmful).Probability, none)
	}
}
