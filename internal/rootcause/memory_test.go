package rootcause_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

func remember(tb testing.TB, e *rootcause.Engine) string {
	tb.Helper()
	state, err := e.Remember()
	require.NoError(tb, err)
	return string(state)
}

// reborn is an engine that knows what another one learned, at a time.
func reborn(tb testing.TB, old *rootcause.Engine, at time.Time) *rootcause.Engine {
	tb.Helper()
	e := newEngine(tb, nil)
	run(tb, e, []fact.Fact{fact.Tick{At: at}, fact.Recalled{At: at, State: []byte(remember(tb, old))}})
	return e
}

func episodes(events []rootcause.Event) (list []rootcause.Episode) {
	for _, ev := range events {
		if ep, ok := ev.(rootcause.Episode); ok {
			list = append(list, ep)
		}
	}
	return list
}

// usualLatency is the baseline of the only victim, seconds.
func usualLatency(tb testing.TB, e *rootcause.Engine) float64 {
	tb.Helper()
	victims := e.Snapshot().Victims
	require.Len(tb, victims, 1)
	return victims[0].Baseline
}

func TestWhatIsRememberedIsRecalled(t *testing.T) {
	w := newWorld(21)
	old := newEngine(t, nil)
	run(t, old, w.facts(200))
	state := remember(t, old)
	require.Equal(t, state, remember(t, old))

	e := reborn(t, old, w.start.Add(200*time.Second))
	require.Equal(t, state, remember(t, e), "nothing is lost and nothing is added")
	require.Empty(t, e.Snapshot().Victims, "what was not heard yet is not shown")

	e = newEngine(t, nil)
	require.NoError(t, e.Recall([]byte(state)), "an engine without a time")
	require.Equal(t, state, remember(t, e))
}

func TestARestartInAnIncidentDoesNotLearnIt(t *testing.T) {
	for name, gap := range map[string]time.Duration{"at once": 0, "hours later": 5 * time.Hour, "eight days later": 8 * 24 * time.Hour, "the clock went back": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(22)
			w.latency = during(200, 1<<30, 0.010, 0.080)
			old := newEngine(t, nil)
			require.Len(t, episodes(run(t, old, w.facts(260))), 1)
			usual := usualLatency(t, old)

			after := newWorld(23)
			after.start = w.start.Add(260*time.Second + gap)
			after.latency = always(0.080)
			e := reborn(t, old, after.start)
			events := episodes(run(t, e, after.facts(120)))
			require.Len(t, events, 1, "it is bad, and stays so")
			require.Equal(t, rootcause.Opened, events[0].Phase)
			require.LessOrEqual(t, events[0].At.Sub(after.start), 10*time.Second)
			require.InEpsilon(t, usual, events[0].Baseline, 0.06)
			require.InEpsilon(t, usual, usualLatency(t, e), 0.05)
		})
	}
}

// What was there all the time looks like a rise to who saw nothing before: nobody
// is suspected for that.
func TestNobodyIsSuspectedRightAfterARestart(t *testing.T) {
	w := newWorld(33)
	old := newEngine(t, nil)
	run(t, old, w.facts(200))
	after := newWorld(34)
	after.start = w.start.Add(time.Hour)
	after.latency = always(0.080)
	after.jobs = []job{
		{pid: 700, command: "compile", to: 1 << 30, cpu: 0.5},
		{pid: 500, command: "tar", args: xz.args, to: 1 << 30, cpu: 0.3},
	}
	told := verdicts(run(t, reborn(t, old, after.start), after.facts(100)))
	require.NotEmpty(t, told)
	for _, v := range told {
		require.Equal(t, rootcause.StateUnknown, v.State)
		require.Len(t, v.Suspects, 1)
		require.Contains(t, v.Missing, "only 0 s before the onset were seen")
		require.Len(t, v.Backups, 1)
		require.Equal(t, rootcause.Undecided, v.Backups[0].Finding)
		require.Equal(t, "what it used before the latency rose was not seen", v.Backups[0].Sentence)
	}
}

func TestASiteThatAnswersNothingAfterARestartIsBad(t *testing.T) {
	w := newWorld(24)
	old := newEngine(t, nil)
	run(t, old, w.facts(200))
	after := newWorld(25)
	after.start = w.start.Add(time.Hour)
	after.rate = always(0)
	events := episodes(run(t, reborn(t, old, after.start), after.facts(60)))
	require.Len(t, events, 1)
	require.Equal(t, rootcause.ReasonRequestsStalled, events[0].Reason)
}

func TestASignalKeepsWhatHasMoreWeight(t *testing.T) {
	fast, slow := newWorld(26), newWorld(27)
	slow.latency = always(0.100)
	fast.start = fast.start.Add(240 * time.Second) // both end in the same second
	little, much := newEngine(t, nil), newEngine(t, nil)
	run(t, little, fast.facts(60))
	run(t, much, slow.facts(300))
	more, less := remember(t, much), remember(t, little)

	require.NoError(t, much.Recall([]byte(less)))
	require.Equal(t, more, remember(t, much))
	require.NoError(t, little.Recall([]byte(more)))
	require.Equal(t, more, remember(t, little))
}

func TestMemoryOfSignalsThatFellSilentIsKept(t *testing.T) {
	w := newWorld(28)
	old := newEngine(t, nil)
	run(t, old, w.facts(200))
	after := newWorld(29)
	after.start, after.probe = w.start.Add(time.Hour), true
	e := reborn(t, old, after.start)
	run(t, e, after.facts(60))
	state := remember(t, e)
	require.Contains(t, state, `{"name":"probe"`)
	require.Contains(t, state, `{"name":"server"`)
	require.Len(t, e.Snapshot().Victims, 1)
}

func TestMemoryIsBounded(t *testing.T) {
	const services, nameSize = 100, 20_000
	at := time.Unix(1_790_000_000, 0)
	name := func(i int) string { return fmt.Sprintf("%0*d", nameSize, i) }
	e := newEngine(t, nil)
	for second := range 30 {
		now := at.Add(time.Duration(second) * time.Second)
		for i := range services {
			run(t, e, []fact.Fact{fact.Latency{
				At: now.Add(-time.Duration(services-i) * time.Second), Over: time.Second, Service: name(i), Signal: "server",
				Count: 50, Buckets: []fact.Bucket{{Low: 0.01, High: 0.01, Count: 50}},
			}})
		}
	}
	state := remember(t, e)
	require.LessOrEqual(t, len(state), rootcause.MaxMemory)
	require.Greater(t, len(state), rootcause.MaxMemory-2*nameSize)
	require.Contains(t, state, name(services-1), "the one that was heard last is there")
	require.NotContains(t, state, name(0))
	require.NoError(t, newEngine(t, nil).Recall([]byte(state)))
	small := newEngine(t, func(p *rootcause.Params) { p.MaxVictims = 10 })
	require.ErrorIs(t, small.Recall([]byte(state)), rootcause.ErrBound)
	require.JSONEq(t, `{"version":1,"baselines":[]}`, remember(t, small))
}

func TestABadStateChangesNothing(t *testing.T) {
	const good = `{"version":1,"baselines":[{"service":"a","heard":1790000000,"signals":[]},{"service":"shop","host":"web1","heard":1790000000,"signals":[` +
		`{"name":"server","until":1790000000,"rate":60,"seconds":120,"bins":[{"rate":5,"max_rate":80,"first":140,"weights":[10,30,10]}]}]}]}`
	require.NoError(t, newEngine(t, nil).Recall([]byte(good)))
	section := strings.Replace(good, `"version":1`, `"version":1,"windows":[{"new":true}]`, 1)
	require.NoError(t, newEngine(t, nil).Recall([]byte(section)), "a section of a newer program is ignored")

	tests := map[string]struct{ old, replacement, want string }{
		"nothing":         {good, "", "recall: the state is no JSON of this form: unexpected end"},
		"cut off":         {`]}]}]}]}`, "", "unexpected end of JSON"},
		"other version":   {`"version":1`, `"version":2`, "the state has version 2, but this program reads version 1"},
		"no version":      {`"version":1,`, ``, "the state has version 0"},
		"infinite":        {`"rate":60`, `"rate":1e999`, "1e999"},
		"negative weight": {`[10,30,10]`, `[10,-30,10]`, "baselines[1] (shop): signals[0] (server): bins[0].weights[1]: -30 is not between 0 and 1e+12"},
		"too much weight": {`[10,30,10]`, `[1e300]`, "bins[0].weights[0]: 1e+300"},
		"no such rate":    {`"rate":5`, `"rate":48`, "bins[0].rate: 48 is not between 0 and 47"},
		"no such bucket":  {`"first":140`, `"first":378`, "bins[0].first: 3 weights from bucket 378 on are not within 380 buckets"},
		"before all":      {`"first":140`, `"first":-1`, "bins[0].first"},
		"absurd rate":     {`"max_rate":80`, `"max_rate":-1`, "bins[0].max_rate: -1"},
		"absurd usual":    {`"seconds":120`, `"seconds":121`, "seconds: 121 is not between 0 and 120"},
		"no date":         {`"until":1790000000`, `"until":1790000000000000000`, "until: 1790000000000000000 is no time"},
		"not heard":       {`"heard":1790000000,"signals":[{`, `"heard":-1,"signals":[{`, "heard: -1 is no time"},
		"twice":           {`"service":"shop","host":"web1"`, `"service":"a"`, `baselines[1]: "a" on "" is not after the one before it`},
		"too long":        {good, strings.Repeat(" ", rootcause.MaxMemory) + good, "more than 1048576"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, tt.old, tt.replacement, 1)
			require.NotEqual(t, good, bad)
			e := newEngine(t, nil)
			run(t, e, newWorld(30).facts(100))
			before := remember(t, e)
			require.ErrorContains(t, e.Recall([]byte(bad)), tt.want)
			require.Equal(t, before, remember(t, e))
		})
	}
}

func TestHostileFactsDoNotSpoilTheMemory(t *testing.T) {
	e := newEngine(t, nil)
	at := time.Unix(1_790_000_000, 0)
	for i, n := range []float64{math.NaN(), math.Inf(1), 1e300, -1, 50} {
		run(t, e, []fact.Fact{fact.Latency{
			At: at.Add(time.Duration(i) * 20 * time.Second), Over: 20 * time.Second, Service: "s", Signal: "server", Oldest: 0.1,
			Count: n, Buckets: []fact.Bucket{{Low: 0.01, High: 0.02, Count: n}},
		}})
	}
	require.NoError(t, newEngine(t, nil).Recall([]byte(remember(t, e))))
}

func FuzzRecall(f *testing.F) {
	old := newEngine(f, nil)
	run(f, old, newWorld(31).facts(100))
	f.Add([]byte(remember(f, old)))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(record))
	f.Fuzz(func(t *testing.T, state []byte) {
		e := newEngine(t, nil)
		if e.Recall(state) != nil {
			return
		}
		once := remember(t, e)
		again := newEngine(t, nil)
		require.NoError(t, again.Recall([]byte(once)))
		require.Equal(t, once, remember(t, again))
		run(t, again, newWorld(32).facts(5))
	})
}

// BenchmarkRemember is a full memory: 200 services whose requests come at rates of
// four bins.
func BenchmarkRemember(b *testing.B) {
	e := newEngine(b, nil)
	at := time.Unix(1_790_000_000, 0)
	for second := range 400 {
		at = at.Add(time.Second)
		run(b, e, []fact.Fact{fact.Tick{At: at}})
		n := math.Pow(10, 0.5*float64(second%4))
		seconds := 0.010 * math.Exp(float64(second%40)/20)
		for i := range 200 {
			run(b, e, []fact.Fact{fact.Latency{
				At: at, Over: time.Second, Service: strconv.Itoa(i), Signal: "server",
				Count: n, Buckets: []fact.Bucket{{Low: seconds, High: seconds, Count: n}},
			}})
		}
	}
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		size = len(remember(b, e))
	}
	b.ReportMetric(float64(size), "bytes")
}

// A journal that goes on over a restart replays as the two runs that it was.
func TestWhatARunBeforeSawIsNotSeen(t *testing.T) {
	before, after := newWorld(5), newWorld(6)
	before.jobs = []job{{pid: 500, command: "tar", args: strings.Fields("tar -cJf b.txz /srv"), from: 50, to: 400, cpu: 0.5}}
	before.latency = during(250, 400, 0.010, 0.100)
	after.start = before.start.Add(410 * time.Second)
	after.jobs = []job{{pid: 500, command: "tar", args: strings.Fields("tar -cJf b.txz /srv"), from: 200, to: 260, cpu: 0.5}}
	after.latency, after.runDelay = during(200, 260, 0.010, 0.100), during(200, 260, 0.15, 0.7)
	first := newEngine(t, nil)
	run(t, first, before.facts(400))
	begin := []fact.Fact{fact.Tick{At: after.start}, fact.Recalled{At: after.start, State: []byte(remember(t, first))}}
	second := slices.Concat(begin, after.facts(400))
	alone := run(t, newEngine(t, nil), second)
	require.NotEmpty(t, verdicts(alone))
	require.Equal(t, alone, run(t, first, second))
}
