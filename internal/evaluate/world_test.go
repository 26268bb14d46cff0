package evaluate

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// shippedEngine makes engines with the shipped parameters.
func shippedEngine(t *testing.T) NewEngine {
	t.Helper()
	catalog, err := files.Default()
	require.NoError(t, err)
	return func() *rootcause.Engine { return rootcause.New(params.Default(), catalog) }
}

// zip writes a packed file.
func zip(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	packed := gzip.NewWriter(file)
	_, err = packed.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, packed.Close())
	require.NoError(t, file.Close())
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// rows makes a CSV file of n rows; value gives that of a column in a row.
func rows(n int, columns []string, value func(row int, column string) string) string {
	var b strings.Builder
	b.WriteString("t," + strings.Join(columns, ",") + "\n")
	for row := range n {
		fmt.Fprint(&b, row)
		for _, c := range columns {
			b.WriteString("," + value(row, c))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// wobble is a little noise that is the same each time.
func wobble(row int) float64 { return float64(row*7919%13) / 100 }

const rankMapping = `
protocol: rank
host: h
cores: 4
period_s: 1
rank: {before_s: 120, after_s: 60, late_s: 10, drop_constant: true}
victim: {service: shop, latency: '{sli}', latency_else: lat, requests: '^load$'}
entity: [{match: '-db$', with: ''}]
columns:
  - {match: '^(.+)_cpu$', to: use.cpu, name: $1, as: rate, scale: 0.01}
`

// rankSet is a set of two cases: in the first "b-db" takes a CPU from row 150 on, in
// the second "c" does.
func rankSet(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.Mkdir(dir, 0o700))
	write(t, filepath.Join(dir, mappingFile), rankMapping)
	write(t, filepath.Join(dir, casesFile),
		`{"id":"one","file":"one.csv.gz","onset_row":150,"truth":{"entity":"b","metric":"cpu"}}`+"\n\n"+
			`{"id":"two","file":"two.csv.gz","onset_row":150,"truth":{"entity":"c","metric":"cpu"},"sli":"lat"}`+"\n")
	for file, guilty := range map[string]string{"one": "b-db_cpu", "two": "c_cpu"} {
		zip(t, filepath.Join(dir, file+tableSuffix), rows(220, []string{"a_cpu", "b-db_cpu", "c_cpu", "load", "lat"}, func(row int, column string) string {
			switch bad := row >= 150; {
			case column == "load":
				return "50"
			case column == "lat" && bad:
				return fmt.Sprint(0.4 + wobble(row))
			case column == "lat":
				return fmt.Sprint(0.1 + wobble(row)/10)
			case column == guilty && bad:
				return fmt.Sprint(90 + wobble(row))
			default:
				return fmt.Sprint(10 + wobble(row))
			}
		}))
	}
	return dir
}
