package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
)

// judged evaluates a folder and gives the figures as they are in JSON.
func judged(t *testing.T, dir string) (sets, baselines map[string]any, text string) {
	t.Helper()
	found, err := Open(dir)
	require.NoError(t, err)
	report, err := Evaluate(t.Context(), found, Options{Engine: shippedEngine(t), Resamples: 200})
	require.NoError(t, err)
	var out, table bytes.Buffer
	require.NoError(t, report.WriteJSON(&out))
	require.NoError(t, report.WriteText(&table))
	var all struct {
		Sets      map[string]map[string]any `json:"sets"`
		Baselines map[string]map[string]any `json:"baselines"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &all))
	name := filepath.Base(dir)
	return all.Sets[name], all.Baselines[name], table.String()
}

func TestRank(t *testing.T) {
	dir := rankSet(t)
	ours, theirs, text := judged(t, dir)
	require.InDelta(t, 1.0, ours["top1"], 0)
	require.InDelta(t, 1.0, ours["avg5"], 0)
	require.Equal(t, []any{1.0, 1.0}, ours["top1_ci"])
	require.InDelta(t, 2.0, ours["top1_n"], 0)
	for _, key := range []string{"top1_late10", "avg5_late10", "top1_among_all"} {
		require.Contains(t, ours, key)
	}
	require.InDelta(t, 1.0, theirs["baro"].(map[string]any)["top1"], 0)
	require.Contains(t, text, "top1_late10")
	require.Contains(t, text, "cpi2_like")

	again, _, sameText := judged(t, dir)
	require.Equal(t, ours, again)
	require.Equal(t, text, sameText)
}

func TestCasesGiveVerdicts(t *testing.T) {
	sets, err := Open(rankSet(t))
	require.NoError(t, err)
	var ids []string
	for j, err := range sets[0].Cases(t.Context(), shippedEngine(t)) {
		require.NoError(t, err)
		ids = append(ids, j.Set+" "+j.ID+" "+j.Group+" "+filepath.Base(j.Path))
		right := 0
		for _, s := range j.Verdict.Suspects {
			if j.Right(s) {
				right++
			}
		}
		require.Equal(t, 1, right, "one suspect is the cause")
	}
	require.Equal(t, []string{"shop one b one.csv.gz", "shop two c two.csv.gz"}, ids)
}

func TestFaultsAreJudgedApart(t *testing.T) {
	dir := rankSet(t)
	write(t, filepath.Join(dir, mappingFile), strings.Replace(rankMapping, "late_s: 10", "by_fault: {cpu: [hog, steal]}", 1))
	write(t, filepath.Join(dir, casesFile),
		`{"id":"one","file":"one.csv.gz","onset_row":150,"truth":{"entity":"b","fault":"hog"}}`+"\n"+
			`{"id":"two","file":"two.csv.gz","onset_row":150,"truth":{"entity":"c","fault":"steal"}}`+"\n"+
			`{"id":"three","file":"two.csv.gz","onset_row":150,"truth":{"entity":"a","fault":"delay"}}`+"\n")
	ours, _, text := judged(t, dir)
	require.InDelta(t, 1.0, ours["cpu_top1"], 0)
	require.InDelta(t, 2.0, ours["cpu_top1_n"], 0)
	require.InDelta(t, 0.0, ours["delay_top1"], 0)
	require.Contains(t, text, "wrong top1: a delay, said c: 1 (three)")
}

const detectMapping = `
protocol: detect
host: h
cores: 4
period_s: 1
detect: {answer_s: 10, causes: {Load: [workload], Full Disk: [disk], Bad Query: []}}
victim: {service: db, units: [mysqld], latency: '{sli}', requests: '^{throughput}$'}
columns:
  - {match: '^cpu$', to: use.cpu, name: mysqld, as: rate, scale: 0.01}
  - {match: '^written$', to: disk.write_bytes, as: counter}
`

func TestDetect(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	require.NoError(t, os.Mkdir(dir, 0o700))
	write(t, filepath.Join(dir, mappingFile), detectMapping)
	write(t, filepath.Join(dir, casesFile),
		`{"id":"surge","file":"surge.csv.gz","truth":{"cause":"Load + Bad Query"},"abnormal":[100,139],"sli":"lat","throughput":"done","warmup_rows":5}`+"\n"+
			`{"id":"stall","file":"stall.csv.gz","truth":{"cause":"Bad query"},"abnormal":[100,139],"sli":"lat","throughput":"done","warmup_rows":5}`+"\n"+
			`{"id":"neither","file":"early.csv.gz","truth":{"cause":"Bad Query"},"abnormal":[100,139],"normal":[20,59],"sli":"lat","throughput":"done","warmup_rows":5}`+"\n"+
			`{"id":"early","file":"early.csv.gz","truth":{"cause":"Bad Query"},"abnormal":[100,139],"sli":"lat","throughput":"done","warmup_rows":5}`+"\n")
	columns := []string{"lat", "done", "cpu", "written"}
	file := func(bad, from int) string {
		return rows(160, columns, func(row int, column string) string {
			wrong := row >= from && row < 140
			switch {
			case column == "lat" && row < 5, column == "done" && row < 5:
				return "0" // the warm-up
			case column == "written":
				return strconv.Itoa(1000 * row)
			case column == "lat" && wrong && bad == 0:
				return "0" // nothing completes
			case column == "done" && wrong:
				return strconv.Itoa(bad)
			case column == "lat" && wrong:
				return fmt.Sprint(0.5 + wobble(row))
			case column == "lat":
				return fmt.Sprint(0.1 + wobble(row)/10)
			case column == "done":
				return strconv.Itoa(50 + row%3)
			case wrong:
				return strconv.Itoa(min(390, 100*bad/50))
			default:
				return "100"
			}
		})
	}
	zip(t, filepath.Join(dir, "surge.csv.gz"), file(200, 100))
	zip(t, filepath.Join(dir, "stall.csv.gz"), file(0, 100))
	zip(t, filepath.Join(dir, "early.csv.gz"), file(0, 60))

	ours, theirs, _ := judged(t, dir)
	require.InDelta(t, 4.0, ours["cases"], 0)
	require.InDelta(t, 4.0, ours["detected"], 0, "rows that are neither are left out")
	require.InDelta(t, 1.0, ours["false_alarm_cases"], 0)
	require.InDelta(t, 1.0, ours["resource_cases"], 0)
	require.InDelta(t, 1.0, ours["resource_top1"], 0)
	require.Less(t, ours["delay_p90_s"], 20.0)
	require.Contains(t, theirs, "nsigma")
}

const pairMapping = `
protocol: pairs
host: web
cores: 4
period_s: 10
pairs: {load: users, neighbour: other, gap_s: 30, min_rows: 4, symptom: 1.3, limit: 50}
victim: {service: site, units: [web], latency: ms, latency_scale: 0.001, requests: '^rate$', requests_per_second: true}
columns:
  - {match: '^host_cpu$', to: cpu.busy, as: rate, scale: 0.04}
  - {match: '^web_cpu$', to: use.cpu, name: web, as: rate, scale: 0.04}
`

// pairSet has quiet runs at two loads and one beside a neighbour, again and again.
func pairSet(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "site")
	require.NoError(t, os.Mkdir(dir, 0o700))
	write(t, filepath.Join(dir, mappingFile), pairMapping)
	var b strings.Builder
	b.WriteString("t,users,other,rate,web_cpu,host_cpu,ms\n")
	at := 1_700_000_000
	for range 4 {
		for _, kind := range []string{"100,0,100,10,12,20", "100,0,100,10,12,20", "200,0,300,30,32,60", "200,0,300,30,32,60", "100,5,100,10,70,60"} {
			for range 8 {
				fmt.Fprintf(&b, "%d,%s\n", at, kind)
				at += 10
			}
			at += 100
		}
	}
	zip(t, filepath.Join(dir, "night"+tableSuffix), b.String())
	return dir
}

func TestPairs(t *testing.T) {
	ours, theirs, text := judged(t, pairSet(t))
	night := ours["night"].(map[string]any)
	// 4 of the 8 quiet runs at each load are for asking: 4 x 4 surges, and 4 x 4 pairs with a neighbour.
	require.InDelta(t, 16.0, night["surge_pairs"], 0)
	require.InDelta(t, 16.0, night["neighbour_pairs"], 0)
	require.NotContains(t, night, "nothing_pairs", "without a symptom nobody asks")
	require.InDelta(t, 0.0, night["false_blame"], 0)
	require.Contains(t, night, "unknown")
	require.Contains(t, night, "top1")
	naive := theirs["night"].(map[string]any)["host_busier"].(map[string]any)
	require.InDelta(t, 1.0, naive["false_blame"], 0)
	require.InDelta(t, 0.5, naive["top1"], 0)
	require.Contains(t, text, "site / night")
}

func TestPairsAreDrawn(t *testing.T) {
	dir := pairSet(t)
	write(t, filepath.Join(dir, mappingFile), strings.Replace(pairMapping, "limit: 50", "limit: 7", 1))
	sets, err := Open(dir)
	require.NoError(t, err)
	one, err := sets[0].trials(t.Context(), shippedEngine(t))
	require.NoError(t, err)
	require.Len(t, one, 7)
}

func TestJournals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nights")
	require.NoError(t, os.Mkdir(dir, 0o700))
	const start = 1_700_000_000
	writeNight := func(name string, bad bool) {
		file, err := os.Create(filepath.Join(dir, name))
		require.NoError(t, err)
		w := journal.NewWriter(file)
		process := func(pid int64) fact.Process { return fact.Process{Host: "web", PID: pid, Start: 1} }
		say := func(f fact.Fact) { require.NoError(t, w.Write(f)) }
		for i := range 400 {
			at := unixTime(start + float64(i))
			trouble := bad && i >= 300
			latency, delay := 0.02, 0.0
			if trouble {
				latency, delay = 0.2, 0.6
			}
			if i == 0 {
				say(fact.Service{At: at, Name: "shop", Processes: []string{"nginx"}})
				say(fact.Described{At: at, Process: process(1), Command: "nginx", Cgroup: "/system.slice/nginx.service"})
			}
			amounts := fact.Unknown()
			amounts[fact.CPU], amounts[fact.RunDelay] = 0.2, delay
			say(fact.Use{At: at, Over: 1e9, Process: process(1), Amounts: amounts})
			if trouble {
				say(fact.Described{At: at, Process: process(9), Command: "tar", Args: []string{"tar", "-czf", "b.tgz", "/srv"}, Group: 9})
				amounts = fact.Unknown()
				amounts[fact.CPU] = 0.9
				say(fact.Use{At: at, Over: 1e9, Process: process(9), Amounts: amounts})
			}
			say(fact.Latency{At: at, Over: 1e9, Service: "shop", Host: "web", Signal: "server", Count: 50, Buckets: []fact.Bucket{{Low: latency, High: latency, Count: 50}}})
			say(fact.Tick{At: at})
		}
		require.NoError(t, w.Flush())
		require.NoError(t, file.Close())
	}
	writeNight("bad.journal", true)
	writeNight("calm.journal", false)
	write(t, filepath.Join(dir, casesFile),
		fmt.Sprintf(`{"id":"bad","journal":"bad.journal","truth":{"cause":"contention","workload":"tar","resource":"cpu","onset_unix":%d,"service":"shop","innocent":["restic"]}}`+"\n", start+300)+
			`{"id":"calm","journal":"calm.journal","truth":{"cause":"none","service":"shop","innocent":["tar"]}}`+"\n")

	ours, theirs, _ := judged(t, dir)
	require.InDelta(t, 2.0, ours["cases"], 0)
	require.InDelta(t, 1.0, ours["top1"], 0)
	require.InDelta(t, 0.0, ours["unknown"], 0)
	require.InDelta(t, 0.0, ours["false_blame"], 0)
	require.InDelta(t, 0.0, ours["false_alarms"], 0)
	require.Less(t, ours["brier"], 0.1)
	require.InDelta(t, 10, ours["verdict_median_s"], 10)
	require.InDelta(t, 1.0, theirs["running_backup"].(map[string]any)["top1"], 0)
}

func TestErrorsNameTheCure(t *testing.T) {
	const header = "t,a_cpu,lat\n"
	many := strings.Repeat("1,2,3\n", 3)
	tests := []struct {
		name, mapping, cases, csv string
		plain                     bool
		want                      string
	}{
		{name: "not gzip", plain: true, csv: header + many, want: "one.csv.gz: it must be CSV packed with gzip"},
		{name: "empty", want: "one.csv.gz: it is empty"},
		{name: "no rows", csv: header, want: "it has no rows"},
		{name: "no t", csv: "time,a\n1,2\n", want: `one.csv.gz:1: the first column is "time": it must be t`},
		{name: "ragged", csv: header + "1,2,3\n2,3\n", want: "record on line 3: wrong number of fields: each line must have the fields of the header"},
		{name: "no number", csv: header + "1,2,3\n2,x,3\n", want: `one.csv.gz:3: a_cpu is "x": it must be a number, or blank if it is missing`},
		{name: "no time", csv: header + ",2,3\n", want: "one.csv.gz:2: t is missing"},
		{name: "no latency", csv: "t,a_cpu\n1,2\n2,3\n", want: `latency: ` + "%s" + `: there is no column "lat"`},
		{name: "no onset", csv: header + many, cases: `{"id":"one","file":"one.csv.gz"}`, want: "set onset_row within the file, or onset_unix"},
		{name: "onset at the start", csv: header + many, cases: `{"id":"one","file":"one.csv.gz","onset_row":0}`, want: "no rows before or after the onset of case one"},
		{name: "no period", csv: header + many, mapping: strings.Replace(rankMapping, "period_s: 1", "", 1), want: "set period_s in the case or the mapping"},
		{name: "no JSON", csv: header + many, cases: "{", want: "cases.jsonl:1: it must be one JSON object a line"},
		{name: "no id", csv: header + many, cases: "{}", want: "cases.jsonl:1: a case needs id, and file or journal"},
		{name: "outside", csv: header + many, cases: `{"id":"one","file":"../one.csv.gz"}`, want: "must be within the folder"},
		{name: "no file", csv: header + many, cases: `{"id":"one","file":"two.csv.gz"}`, want: "two.csv.gz: no such file"},
		{name: "no case", csv: header + many, cases: "\n", want: "there is no case"},
		{name: "wrong protocol", csv: header + many, mapping: "protocol: guess", want: `protocol: "guess" is none of rank, detect, pairs and journals`},
		{name: "wrong key", csv: header + many, mapping: "speed: 1", want: "field speed not found"},
		{name: "wrong field", csv: header + many, mapping: strings.Replace(rankMapping, "use.cpu", "use.fuel", 1), want: `to: "use.fuel" is no fact and field; they are cpu.busy,`},
		{name: "wrong kind", csv: header + many, mapping: strings.Replace(rankMapping, "as: rate", "as: often", 1), want: `as: "often" is none of rate, total, counter and level`},
		{name: "wrong pattern", csv: header + many, mapping: strings.Replace(rankMapping, "'^(.+)_cpu$'", "'('", 1), want: "columns: (: error parsing regexp"},
		{name: "nobody's use", csv: header + many, mapping: strings.Replace(rankMapping, "name: $1, ", "", 1), want: "name: say whose use it is"},
		{name: "unknown set", csv: header + many, mapping: "-", want: "no mapping fits its columns: write "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.mapping == "" {
				tt.mapping = rankMapping
			}
			if tt.mapping != "-" {
				write(t, filepath.Join(dir, mappingFile), tt.mapping)
			}
			if tt.cases == "" {
				tt.cases = `{"id":"one","file":"one.csv.gz","onset_row":1}`
			}
			write(t, filepath.Join(dir, casesFile), tt.cases)
			path := filepath.Join(dir, "one.csv.gz")
			if tt.plain {
				write(t, path, tt.csv)
			} else {
				zip(t, path, tt.csv)
			}
			sets, err := Open(dir)
			if err == nil {
				_, err = Evaluate(t.Context(), sets, Options{Engine: shippedEngine(t), Resamples: 1})
			}
			require.ErrorContains(t, err, strings.Replace(tt.want, "%s", path, 1))
		})
	}
}

func TestOpenChooses(t *testing.T) {
	dir := filepath.Dir(rankSet(t))
	sets, err := Open(dir, "shop")
	require.NoError(t, err)
	require.Len(t, sets, 1)
	_, err = Open(dir, "nezha")
	require.ErrorContains(t, err, `has no set "nezha": there are shop`)
	_, err = Open(t.TempDir())
	require.ErrorContains(t, err, "holds no labelled incidents")
}

func TestMissingValues(t *testing.T) {
	tab, err := parseTable("x.csv", strings.NewReader("t,a,b\n1,,NaN\n2,+Inf,4\n"))
	require.NoError(t, err)
	require.Equal(t, []float64{1, 2}, tab.t)
	require.True(t, math.IsNaN(tab.values[0][0]) && math.IsNaN(tab.values[0][1]) && math.IsNaN(tab.values[1][0]))
	require.InDelta(t, 4.0, tab.values[1][1], 0)
}
