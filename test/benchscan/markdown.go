package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What is between the markers in a page is generated.
const (
	markerBegin = "<!-- benchscan: generated, do not edit -->"
	markerEnd   = "<!-- benchscan: end -->"
)

// table shows the figures as Markdown, a row for each subject, with
// the reason if it did not run, or not to the end.
func table(figures []figure, all []subject) string {
	var populations []int
	for _, f := range figures {
		populations = append(populations, f.Procs)
	}
	slices.Sort(populations)
	populations = slices.Compact(populations)

	var b strings.Builder
	b.WriteString("| collector | version | what it reads, and where that goes |")
	for _, n := range populations {
		fmt.Fprintf(&b, " %d idle: µs |", n)
	}
	b.WriteString(" marginal µs | ms a scrape | RSS MiB, median (most) | scrapes |\n| --- | --- | --- |")
	b.WriteString(strings.Repeat(" ---: |", len(populations)+4) + "\n")
	for _, s := range all {
		row := rowOf(figures, s.name)
		fmt.Fprintf(&b, "| %s | %s | %s |", s.name, cell(s.version), reads(s))
		for _, n := range populations {
			fmt.Fprintf(&b, " %s |", whole(row, n))
		}
		b.WriteString(largestPopulation(row) + "\n")
	}
	return b.String()
}

// reads says what a subject reads, or why it was not measured.
func reads(s subject) string {
	if s.skipped == "" {
		return cell(s.metrics)
	}
	return cell(s.metrics) + "; not measured: " + cell(s.skipped)
}

func rowOf(figures []figure, name string) []figure {
	var out []figure
	for _, f := range figures {
		if f.Collector == name {
			out = append(out, f)
		}
	}
	return out
}

// whole is the main figure with n idle processes, and its spread.
func whole(row []figure, n int) string {
	for _, f := range row {
		if f.Procs == n {
			return fmt.Sprintf("%s (%s-%s)", short(f.Whole), short(f.WholeMin), short(f.WholeMax))
		}
	}
	return ""
}

// largestPopulation are the other columns, of the most idle processes.
func largestPopulation(row []figure) string {
	if len(row) == 0 {
		return " | | | |"
	}
	f := slices.MaxFunc(row, func(a, b figure) int { return a.Procs - b.Procs })
	marginal := ""
	if f.Marginal != nil {
		marginal = short(*f.Marginal)
	}
	return fmt.Sprintf(" %s | %s | %.0f (%.0f) | %d of %d |", marginal, short(f.Scrape/1000), f.RSS, f.RSSMax, f.Scrapes, f.Expected)
}

// short writes a number with about three digits.
func short(v float64) string {
	switch size := max(v, -v); {
	case size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// cell makes text fit for a cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// machine is what a reader must know of the host to use the figures.
type machine struct {
	cpu    string
	cores  int
	kernel string
	golang string
	date   string
	others float64 // CPUs that others used during the measurement, the most
}

// facts are the lines below the table.
func facts(m machine, args []string) string {
	return fmt.Sprintf("\n%s, %d logical CPUs, Linux %s, %s, %s. Other programs used up to %s CPUs meanwhile. To repeat it:\n\n```\nmake build\n%s\n```\n",
		m.cpu, m.cores, m.kernel, m.golang, m.date, short(m.others), shellLine(append([]string{"go", "run", "./test/benchscan"}, args...)))
}

// shellLine quotes words for a shell.
func shellLine(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if w == "" || strings.ContainsFunc(w, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		out[i] = w
	}
	return strings.Join(out, " ")
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:+%@"

// replaceBetween puts text between the markers of a page.
func replaceBetween(old []byte, text string) ([]byte, error) {
	before, rest, found := bytes.Cut(old, []byte(markerBegin))
	_, after, closed := bytes.Cut(rest, []byte(markerEnd))
	if !found || !closed {
		return nil, errors.New("the page does not have both markers, " + markerBegin + " and " + markerEnd)
	}
	return bytes.Join([][]byte{before, []byte(markerBegin + "\n" + text + markerEnd), after}, nil), nil
}

// replaceGenerated writes the generated part of a file, all of it or nothing.
func replaceGenerated(file, text string) error {
	old, err := os.ReadFile(file) //nolint:gosec // the file that the user named
	if err != nil {
		return err
	}
	page, err := replaceBetween(old, text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".benchscan-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // gone already if all went well
	_, err = temp.Write(page)
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.Rename(temp.Name(), file)
}
