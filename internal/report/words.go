package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/otel-culprit/culprit/internal/backup"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// nbsp keeps a number and its unit on one line.
const nbsp = "\u00a0"

// The lengths to which texts from a journal are cut, in characters.
const (
	nameLength     = 60
	sentenceLength = 400
	commandLength  = 600
)

// Clean makes a text that anybody may have chosen fit to be shown: no control
// or formatting characters (a right-to-left override would turn the sentence
// around), and not longer than limit characters.
func Clean(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r):
			return '\uFFFD'
		default:
			return r
		}
	}, text)
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:limit-1])) + "…"
}

// Sentence cleans a clause of the engine and makes it stand alone. Where it
// begins with a name, the name is left as it is.
func Sentence(text string, names ...string) string {
	text = Clean(text, sentenceLength)
	if text == "" {
		return ""
	}
	named := false
	for _, n := range names {
		named = named || (n != "" && strings.HasPrefix(text, n))
	}
	if !named {
		r, size := utf8.DecodeRuneInString(text)
		text = string(unicode.ToUpper(r)) + text[size:]
	}
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return text
}

// name words a workload; its host is told only if there are several.
func name(w backup.Workload, withHost bool) string {
	n := Clean(rootcause.NameOf(w), nameLength)
	if n == "" {
		n = "a process without a name"
	}
	if withHost && w.Host != "" {
		n += " on " + Clean(w.Host, nameLength)
	}
	return n
}

func victimName(v rootcause.Victim) string {
	n := Clean(v.Service, nameLength)
	if n == "" {
		n = "a service without a name"
	}
	return n
}

// digits formats with three significant digits and without an exponent.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	decimals := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	text := strconv.FormatFloat(v, 'f', min(max(decimals, 0), 6), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

func known(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Seconds words a latency: 340 µs, 85 ms, 1.2 s, 2 min 5 s.
func Seconds(v float64) string {
	switch a := math.Abs(v); {
	case !known(v):
		return "unknown"
	case a == 0:
		return "0" + nbsp + "s"
	case a < 0.0009995:
		return digits(v*1e6) + nbsp + "µs"
	case a < 0.9995:
		return digits(v*1e3) + nbsp + "ms"
	case a < 119.5:
		return digits(v) + nbsp + "s"
	default:
		return Duration(time.Duration(v * float64(time.Second)))
	}
}

// Duration words a length of time in its two largest units.
func Duration(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	two := func(big time.Duration, bigName string, small time.Duration, smallName string) string {
		text := fmt.Sprintf("%d%s%s", d/big, nbsp, bigName)
		if rest := d % big / small; rest > 0 {
			text += fmt.Sprintf(" %d%s%s", rest, nbsp, smallName)
		}
		return text
	}
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d%ss", d/time.Second, nbsp)
	case d < time.Hour:
		return two(time.Minute, "min", time.Second, "s")
	case d < 48*time.Hour:
		return two(time.Hour, "h", time.Minute, "min")
	default:
		return two(24*time.Hour, "days", time.Hour, "h")
	}
}

// bytes words an amount of data in decimal units.
func bytes(v float64) string {
	if !known(v) {
		return "unknown"
	}
	units := [...]string{"B", "kB", "MB", "GB", "TB", "PB"}
	i := 0
	for math.Abs(v) >= 999.5 && i < len(units)-1 {
		v /= 1000
		i++
	}
	if i == 0 {
		v = math.Round(v)
	}
	return digits(v) + nbsp + units[i]
}

// Percent words a part of one, never as a certainty.
func Percent(p float64) string {
	switch {
	case !known(p):
		return "unknown"
	case p > 0.99:
		return "over 99" + nbsp + "%"
	case p < 0.01:
		return "under 1" + nbsp + "%"
	default:
		return fmt.Sprintf("%.0f%s%%", 100*p, nbsp)
	}
}

// Quantity words a value with its UCUM unit.
func Quantity(v float64, unit string) string {
	if !known(v) {
		return "unknown"
	}
	switch unit {
	case "s":
		if math.Abs(v) >= 1 && v == math.Trunc(v) {
			return strconv.FormatFloat(v, 'f', -1, 64) + nbsp + "s"
		}
		return Seconds(v)
	case "By":
		return bytes(v)
	case "By/s":
		return bytes(v) + "/s"
	case "%":
		return digits(v) + nbsp + "%"
	case "", "1":
		return digits(v)
	case "{cpu}":
		return digits(v) + nbsp + "CPUs"
	default:
		unit = strings.NewReplacer("{request}", "requests", "{error}", "errors", "{", "", "}", "").Replace(Clean(unit, 20))
		return digits(v) + nbsp + unit
	}
}

// clock words a moment; the date only where the period spans several days.
func (s span) clock(t time.Time) string {
	t = t.UTC()
	if t.IsZero() {
		return "an unknown time"
	}
	if s.start.Format(time.DateOnly) == s.end.Format(time.DateOnly) && t.Format(time.DateOnly) == s.start.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("Jan 2, 15:04:05")
}

// factor words how many times something is another.
func factor(v float64) string {
	if v >= 9.5 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " times"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " times"
}

// count words a number of things.
func count(n int, one, many string) string {
	switch n {
	case 0:
		return "no " + many
	case 1:
		return "one " + one
	default:
		return strconv.Itoa(n) + " " + many
	}
}

// Explanation is a suspect in a few words.
func Explanation(s rootcause.Suspect, service string, withHost bool) string {
	switch s.Cause {
	case rootcause.Contention:
		text := name(s.Workload, withHost)
		if s.Resource != rootcause.NoResource {
			text += ", " + s.Resource.String()
		}
		return text
	case rootcause.TrafficSurge:
		return "Traffic surge"
	case rootcause.OwnWork:
		return "More work per request in " + service
	case rootcause.FaultyDisk:
		return "Faulty disk"
	case rootcause.Upstream:
		if s.Resource == rootcause.SharedNetwork {
			return "The way to " + service + ", or something it calls"
		}
		return "Something " + service + " calls, or a lock"
	default:
		return "Something not seen here"
	}
}

// Claim is the verdict as the sentence one would say aloud.
func Claim(v rootcause.Verdict, withHost bool) string {
	service := victimName(v.Victim)
	if len(v.Suspects) == 0 || v.State == rootcause.StateUnknown {
		return service + " was slow, and no cause stands out"
	}
	sure := v.State == rootcause.StateNamed
	pick := func(certain, likely string) string {
		if sure {
			return certain
		}
		return likely
	}
	top := v.Top()
	switch top.Cause {
	case rootcause.Contention:
		who := []string{name(top.Workload, withHost)}
		for _, s := range v.Others() {
			who = append(who, name(s.Workload, withHost))
		}
		return fmt.Sprintf("%s %s %s by %s", strings.Join(who, " and "), pick("slowed", "probably slowed"), service, taking(top.Resource))
	case rootcause.TrafficSurge:
		return fmt.Sprintf("More traffic than usual %s %s", pick("slowed", "probably slowed"), service)
	case rootcause.OwnWork:
		return fmt.Sprintf("%s %s itself: it works more for each request", service, pick("slowed", "probably slowed"))
	case rootcause.FaultyDisk:
		return fmt.Sprintf("A faulty disk %s %s", pick("slowed", "probably slowed"), service)
	case rootcause.Upstream:
		if top.Resource == rootcause.SharedNetwork {
			return fmt.Sprintf("The way to %s, or something it calls, %s it", service, pick("slowed", "probably slowed"))
		}
		return fmt.Sprintf("%s %s for something it calls, or for a lock", service, pick("waited", "probably waited"))
	default:
		return service + " was slow, and no cause stands out"
	}
}

func taking(r rootcause.Shared) string {
	switch r {
	case rootcause.SharedCPU:
		return "taking CPU time"
	case rootcause.SharedDisk:
		return "keeping the disk busy"
	case rootcause.SharedNetwork:
		return "filling the network link"
	case rootcause.SharedMemory:
		return "taking memory"
	case rootcause.SharedCache:
		return "pushing its files out of the page cache"
	case rootcause.SharedSpace:
		return "filling the file system"
	case rootcause.SharedLock:
		return "holding a lock that it needs"
	default:
		return "using what it needs"
	}
}

// Transition words why a verdict changed.
func Transition(r rootcause.Reason) string {
	switch r {
	case rootcause.ReasonCauseNamed:
		return "cause named"
	case rootcause.ReasonCauseProbable:
		return "a cause became probable"
	case rootcause.ReasonNoCause:
		return "no cause stood out"
	case rootcause.ReasonCauseChanged:
		return "another cause became stronger"
	case rootcause.ReasonFindingChanged:
		return "the finding on a backup changed"
	case rootcause.ReasonLatencyRecovered:
		return "latency recovered"
	case rootcause.ReasonVictimVanished:
		return "the service vanished"
	default:
		return strings.ReplaceAll(Clean(string(r), nameLength), "_", " ")
	}
}

// Answer words whether a remedy can have an effect on the host.
func Answer(w rootcause.Works) string {
	switch w {
	case rootcause.DoesWork:
		return "works here"
	case rootcause.DoesNotWork:
		return "no use here"
	default:
		return "may work"
	}
}
