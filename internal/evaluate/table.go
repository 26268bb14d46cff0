package evaluate

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

// table is a file of readings, one row for each moment.
type table struct {
	path    string
	columns []string // without t
	t       []float64
	values  [][]float64 // by row; NaN stands for "missing"
}

// maxRows bounds what is read of a file.
const maxRows = 1_000_000

// readTable reads a gzip CSV file. Errors name the file, the line and
// the cure.
func readTable(path string) (*table, error) {
	file, err := os.Open(path) //nolint:gosec // reading the folder that the user named is the purpose
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	zipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: it must be CSV packed with gzip: %w", path, err)
	}
	return parseTable(path, zipped)
}

func parseTable(path string, r io.Reader) (*table, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: it is empty: the first line must be t and the names of the columns", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if header[0] != "t" {
		return nil, fmt.Errorf("%s:1: the first column is %q: it must be t, in Unix seconds or the number of the row", path, header[0])
	}
	tab := &table{path: path, columns: slices.Clone(header[1:])}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := in.FieldPos(0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: each line must have the fields of the header", path, err)
		}
		row := make([]float64, len(record))
		for i, text := range record {
			if row[i], err = number(text); err != nil {
				name := "t"
				if i > 0 {
					name = tab.columns[i-1]
				}
				return nil, fmt.Errorf("%s:%d: %s is %q: it must be a number, or blank if it is missing", path, line, name, text)
			}
		}
		if math.IsNaN(row[0]) {
			return nil, fmt.Errorf("%s:%d: t is missing", path, line)
		}
		tab.t, tab.values = append(tab.t, row[0]), append(tab.values, row[1:])
		if len(tab.t) > maxRows {
			return nil, fmt.Errorf("%s: more than %d rows: split the file", path, maxRows)
		}
	}
	if len(tab.t) == 0 {
		return nil, fmt.Errorf("%s: it has no rows", path)
	}
	return tab, nil
}

// number reads a value; blank is missing. What is not finite is missing as well.
func number(text string) (float64, error) {
	if text == "" {
		return math.NaN(), nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, err
	}
	if math.IsInf(x, 0) {
		x = math.NaN()
	}
	return x, nil
}

// column is the place of a column.
func (t *table) column(name string) (int, error) {
	i := slices.Index(t.columns, name)
	if i < 0 {
		return 0, fmt.Errorf("%s: there is no column %q: name one of its columns in the mapping or the case", t.path, name)
	}
	return i, nil
}

// epoch is the time of row 0 where t is the number of the row: any will do.
var epoch = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()

// times are the ends of the rows in Unix seconds.
func (t *table) times(byRows bool, period float64) []float64 {
	start := t.t[0]
	if start < 1e9 {
		start += float64(epoch)
	}
	list := make([]float64, len(t.t))
	for i := range list {
		list[i] = start + t.t[i] - t.t[0]
		if byRows {
			list[i] = start + float64(i)*period
		}
	}
	return list
}

func unixTime(seconds float64) time.Time {
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
}
