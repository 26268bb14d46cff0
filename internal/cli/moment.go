package cli

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/fact"
)

// covered is the time that a journal covers: from its first tick to its last.
type covered struct{ from, to time.Time }

// coveredBy reads a journal for its times. One that ends in the middle of a line
// covers what was before.
func coveredBy(facts iter.Seq2[fact.Fact, error]) (covered, error) {
	var c covered
	for f, err := range facts {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return covered{}, err
		}
		if tick, ok := f.(fact.Tick); ok {
			if c.from.IsZero() || tick.At.Before(c.from) {
				c.from = tick.At
			}
			if tick.At.After(c.to) {
				c.to = tick.At
			}
		}
	}
	if c.from.IsZero() {
		return covered{}, errors.New("no moment can be asked for: no time passes in the journal")
	}
	return c, nil
}

// String is such as "2026-11-21 02:00:01 to 2026-11-21 02:05:00 UTC".
func (c covered) String() string {
	return fmt.Sprintf("%s to %s %s", stamp(c.from), stamp(c.to), zone(c.to))
}

// zone names the local time zone at a moment.
func zone(t time.Time) string {
	name, offset := t.Local().Zone()
	if offset == 0 {
		return name
	}
	return fmt.Sprintf("%s (UTC%s)", name, t.Local().Format("-07:00"))
}

const momentForms = `2026-11-21T02:10:00Z, "2026-11-21 02:10:00", 02:10, 02:10:30, +90 (seconds after the journal's start) or -90 (before its end)`

// moment reads a time as a person writes it; flag is where it was written.
func (c covered) moment(flag, text string) (time.Time, error) {
	at, ok := c.parse(strings.TrimSpace(text))
	switch {
	case !ok:
		return time.Time{}, usageError{fmt.Errorf("--%s: %q is no time such as %s; the journal covers %s", flag, text, momentForms, c)}
	case at.Before(c.from.Truncate(time.Second)) || at.After(c.to):
		return time.Time{}, fmt.Errorf("--%s: the journal does not cover %s: it covers %s", flag, stamp(at), c)
	default:
		return at, nil
	}
}

func (c covered) parse(text string) (at time.Time, ok bool) {
	if text == "" {
		return time.Time{}, false
	}
	if text[0] == '+' || text[0] == '-' {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(math.Abs(seconds) < 1e9) {
			return time.Time{}, false
		}
		after := time.Duration(seconds * float64(time.Second))
		if text[0] == '-' {
			return c.to.Add(after), true
		}
		return c.from.Add(after), true
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if whole, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return whole, true
		}
	}
	for _, layout := range []string{time.TimeOnly, "15:04"} {
		clock, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		begin := c.from.Truncate(time.Second).Local()
		onDay := func(day int) time.Time {
			return time.Date(begin.Year(), begin.Month(), day, clock.Hour(), clock.Minute(), clock.Second(), 0, time.Local)
		}
		at = onDay(begin.Day())
		if next := onDay(begin.Day() + 1); at.Before(begin) && !next.After(c.to) {
			at = next // a night has two days
		}
		return at, true
	}
	return time.Time{}, false
}
