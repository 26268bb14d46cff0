package params_test

import (
	"bytes"
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

var update = flag.Bool("update", false, "write default.yaml anew, as Write words it")

func TestTheShippedFileIsAsWriteWordsIt(t *testing.T) {
	p, provenance := params.Shipped()
	var text bytes.Buffer
	require.NoError(t, params.Write(&text, p, provenance))
	if *update {
		require.NoError(t, os.WriteFile("default.yaml", text.Bytes(), 0o600))
	}
	shipped, err := os.ReadFile("default.yaml")
	require.NoError(t, err)
	require.Equal(t, string(shipped), text.String(), "go test ./internal/params -update writes it anew")
	require.NotEmpty(t, provenance.How)
	require.Equal(t, p, params.Default())
}

// Each number of the engine must have a key, or a file could not set it.
func TestEveryNumberIsWrittenAndRead(t *testing.T) {
	p := params.Default()
	for name, field := range fields(reflect.ValueOf(&p).Elem()) {
		before := field.Interface()
		require.NotZero(t, before, "%s has no shipped value: give it a key in numbers.go and a value in default.yaml", name)
		change(field)
		var text bytes.Buffer
		require.NoError(t, params.Write(&text, p, params.Provenance{}), name)
		again, _, err := params.Read(&text)
		require.NoError(t, err)
		require.Equal(t, p, again, "%s is not read back: give it a key in numbers.go", name)
		field.Set(reflect.ValueOf(before))
	}
}

// fields are the numbers in a struct and in those within it, by name.
func fields(v reflect.Value) map[string]reflect.Value {
	all := map[string]reflect.Value{}
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		switch field.Kind() {
		case reflect.Struct:
			for inner, f := range fields(field) {
				all[name+"."+inner] = f
			}
		case reflect.Map: // the weights; services and objectives are the user's
		default:
			all[name] = field
		}
	}
	return all
}

// change makes a number a little less.
func change(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		v.SetInt(v.Int() / 2)
	case v.CanInt() && v.Int() == 1:
		v.SetInt(2)
	case v.CanInt():
		v.SetInt(v.Int() - 1)
	default:
		v.SetFloat(v.Float() * 0.999)
	}
}

// A term without a weight would be evidence that can never count.
func TestEveryTermHasAShippedWeight(t *testing.T) {
	sources, err := filepath.Glob("../rootcause/*.go")
	require.NoError(t, err)
	terms := map[rootcause.Term]bool{}
	for _, path := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Term" {
				return true
			}
			for _, value := range spec.Values {
				literal, ok := value.(*ast.BasicLit)
				require.True(t, ok, path)
				term, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				terms[rootcause.Term(term)] = true
			}
			return true
		})
	}
	weights := params.Default().Weights
	require.NotEmpty(t, terms)
	for term := range terms {
		require.Contains(t, weights, term, "give it a weight in default.yaml")
	}
	for term := range weights {
		require.Contains(t, terms, term, "default.yaml weighs what the engine does not know")
	}
}

func TestAFileHoldsOnlyWhatDiffers(t *testing.T) {
	p, provenance, err := params.Read(strings.NewReader(`
provenance:
  how: fitted by logistic regression
  date: 2026-11-22
  sets:
    - {name: lab, cases: 420, scores: {top1: 0.96, brier: 0.04}}
    - {name: recordings, cases: 7}
weights: {shift: 0.1234567890123456, onset_late: -1e-3}
verdict: {temperature: 1.5}
bounds: {backup_grace: 2.5}
`))
	require.NoError(t, err)
	want := params.Default()
	want.Weights[rootcause.TermShift], want.Weights[rootcause.TermOnsetLate] = 0.1234567890123456, -0.001
	want.Temperature, want.BackupGrace = 1.5, 2500*time.Millisecond
	require.Equal(t, want, p)
	require.Equal(t, "fitted by logistic regression, 2026-11-22, fitted on lab (420 cases: brier 0.04, top1 0.96), recordings (7 cases)", provenance.String())

	var text bytes.Buffer
	require.NoError(t, params.Write(&text, p, provenance))
	again, rests, err := params.Read(&text)
	require.NoError(t, err)
	require.Equal(t, p, again)
	require.Equal(t, provenance, rests)

	remark, err := params.Remark(p, "/etc/culprit/params.yaml")
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{12} /etc/culprit/params.yaml$", remark)
	require.True(t, params.Remarked(remark, p))
	require.False(t, params.Remarked(remark, params.Default()))
	remark, err = params.Remark(params.Default(), "/etc/culprit/params.yaml")
	require.NoError(t, err)
	require.Empty(t, remark, "a file that changes nothing")
	require.NotEqual(t, want.Weights, params.Default().Weights, "the shipped numbers are nobody's to change")
}

func TestReadNamesTheMistake(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":              {"", "the file is empty: it must hold at least one"},
		"nothing":            {"# only this\n", "the file is empty"},
		"no yaml":            {"weights: [", "line 1"},
		"no mapping":         {"- 1", `line 1: a file of parameters must be keys with values, such as "weights: {shift: 2}"`},
		"two documents":      {"weights: {}\n---\nweights: {}", "several YAML documents: keep one"},
		"too long":           {strings.Repeat("#\n", 1<<20), "this is no file of parameters"},
		"key":                {"verdict:\n  names_at: 1", "line 2: verdict.names_at is no key: did you mean named_at?"},
		"key far off":        {"zebra: 1", "line 1: zebra is no key: remove it, or use one of bounds, compare, latency, provenance, verdict, weights"},
		"term":               {"weights:\n  shft: 2", "line 2: weights.shft is no term that the engine weighs: did you mean shift?"},
		"part of a term":     {"weights: {wai: 2}", "weights.wai is no term that the engine weighs: did you mean lock_wait or no_wait or nothing_waits or wait?"},
		"term far off":       {"weights: {zebra: 2}", "remove it, or use one of alibi, array_rebuild, calls"},
		"twice":              {"weights:\n  shift: 2\n  share: 1\n  shift: 3", "line 4: weights.shift stands in line 2 too: keep one"},
		"section twice":      {"weights: {}\nweights: {}", "line 2: weights stands in line 1 too"},
		"no number":          {"weights: {shift: much}", "weights.shift must be a number from -100 to 100, not much"},
		"quoted":             {"weights: {shift: '2'}", "weights.shift must be a number from -100 to 100, not 2"},
		"nothing there":      {"weights: {shift: }", "weights.shift must be a number from -100 to 100, not nothing"},
		"a list":             {"weights: {shift: [2]}", "weights.shift must be a number from -100 to 100, not something else"},
		"not a number":       {"weights: {shift: .nan}", "weights.shift must be a number from -100 to 100, not .nan"},
		"infinite":           {"verdict: {temperature: .inf}", "verdict.temperature must be a number from 0.01 to 100, not .inf"},
		"out of range":       {"latency:\n  hold: 3\n  quantile: 95", "line 3: latency.quantile must be a number from 0.5 to 0.999, not 95"},
		"half":               {"compare: {before: 12.5}", "compare.before must be a whole number from 10 to 300, not 12.5"},
		"section":            {"weights: 3", "line 1: weights must be keys with values"},
		"order":              {"verdict: {probable_at: 0.9}", "verdict.named_at is 0.8 and less than verdict.probable_at, 0.9"},
		"provenance":         {"provenance: {hwo: x}", "provenance.hwo is no key: did you mean how?"},
		"half a provenance":  {"provenance: {how: x}", "provenance.how and provenance.date must both be set"},
		"how":                {"provenance: {how: [x], date: 2026-11-21}", "provenance.how must be text"},
		"date":               {"provenance: {how: x, date: yesterday}", "provenance.date must be a day such as 2026-11-21, not yesterday"},
		"sets":               {"provenance: {how: x, date: 2026-11-21, sets: lab}", "provenance.sets must be a list, such as"},
		"set without name":   {"provenance: {how: x, date: 2026-11-21, sets: [{cases: 1}]}", "provenance.sets[0]: name and cases must be set"},
		"score":              {"provenance: {how: x, date: 2026-11-21, sets: [{name: a, cases: 1, scores: {top1: high}}]}", "provenance.sets[0].scores.top1 must be a number"},
		"several, all named": {"weights: {shft: 2}\nverdict: {margin: 2}", "\nline 2: verdict.margin must be a number from 0 to 1, not 2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := params.Read(strings.NewReader(tt.text))
			require.ErrorContains(t, err, tt.want)
		})
	}
	broken := errors.New("the disk is gone")
	_, _, err := params.Read(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
}

func TestWriteRefusesWhatReadWould(t *testing.T) {
	for want, change := range map[string]func(*rootcause.Params){
		"weights.shift must be a number":               func(p *rootcause.Params) { p.Weights[rootcause.TermShift] = math.NaN() },
		"verdict.temperature must be a number":         func(p *rootcause.Params) { p.Temperature = math.Inf(1) },
		"weights.zebra is no term":                     func(p *rootcause.Params) { p.Weights["zebra"] = 1 },
		"latency.threshold must be a number from 0.1 ": func(p *rootcause.Params) { p.Latency.Threshold = -1 },
	} {
		p := params.Default()
		change(&p)
		var text bytes.Buffer
		require.ErrorContains(t, params.Write(&text, p, params.Provenance{}), want)
		require.Zero(t, text.Len())
	}
	p := params.Default()
	p.Temperature = 0
	var text bytes.Buffer
	require.NoError(t, params.Write(&text, p, params.Provenance{}))
	require.Contains(t, text.String(), "temperature: 1 #", "which is what zero means")
}

func TestOpenNamesTheFile(t *testing.T) {
	p, provenance, err := params.Open("")
	require.NoError(t, err)
	require.Equal(t, params.Default(), p)
	require.Contains(t, provenance.String(), "set by hand")
	require.Equal(t, "where they come from is not said", params.Provenance{}.String())

	path := filepath.Join(t.TempDir(), "params.yaml")
	_, _, err = params.Open(path)
	require.ErrorContains(t, err, path)
	require.NoError(t, os.WriteFile(path, []byte("weights: {shft: 2}"), 0o600))
	_, _, err = params.Open(path)
	require.ErrorContains(t, err, path+": line 1: weights.shft")
}
