package event

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sentence says in one sentence what the verdict is.
func (v Verdict) Sentence() string {
	who := victim(v.Service, v.Host)
	if v.Phase == Closed {
		return fmt.Sprintf("%s recovered after %s; %s.", who, span(v.Onset, v.End), v.past())
	}
	return fmt.Sprintf("%s %s; %s.", who, slowness(v.Latency, v.Baseline), v.present())
}

// present is the clause on the cause of an open verdict.
func (v Verdict) present() string {
	switch v.State {
	case Named:
		return "the cause is " + v.causes() + sureness(v.Cause)
	case Probable:
		return "the cause is probably " + v.causes() + sureness(v.Cause)
	case Unknown:
		return "no cause stands out"
	default:
		return "no cause stands out"
	}
}

// past is the clause on the cause of a closed verdict.
func (v Verdict) past() string {
	switch v.State {
	case Named:
		return "the cause was " + v.causes() + sureness(v.Cause)
	case Probable:
		return "the cause was probably " + v.causes() + sureness(v.Cause)
	case Unknown:
		return "no cause stood out"
	default:
		return "no cause stood out"
	}
}

// causes names the cause, with all that are named together with it.
func (v Verdict) causes() string {
	all := []string{v.Cause.Phrase()}
	for _, j := range v.Together {
		all = append(all, job(j.Workload, j.PID))
	}
	return strings.Join(all, " and ")
}

// Sentence says in one sentence what happened to the backup.
func (w Window) Sentence() string {
	who := job(w.Workload, w.PID)
	if w.Tool != "" {
		who = strings.TrimSpace(w.Tool + " backup " + parenthesised(who))
	}
	if who == "" {
		who = "A backup"
	}
	if w.Host != "" {
		who += " on " + w.Host
	}
	switch w.Phase {
	case Opened:
		return who + " started."
	case Updated:
		return who + " is running."
	case Closed:
		return fmt.Sprintf("%s ended after %s.", who, span(w.Start, w.End))
	default:
		return who + " changed."
	}
}

// Sentence says in one sentence how the service's latency is.
func (e Episode) Sentence() string {
	who := victim(e.Service, e.Host)
	if e.Phase == Closed {
		if e.Latency > 0 {
			return fmt.Sprintf("%s recovered after %s; at worst it took %s.", who, span(e.Onset, e.End), Seconds(e.Latency))
		}
		return fmt.Sprintf("%s recovered after %s.", who, span(e.Onset, e.End))
	}
	return fmt.Sprintf("%s %s.", who, slowness(e.Latency, e.Baseline))
}

// Phrase names the explanation for use inside a sentence, such as "disk
// contention by borg.service" or "disk contention by restic (PID 4711)".
func (s Suspect) Phrase() string {
	switch s.Kind {
	case "contention":
		phrase := strings.TrimSpace(strings.ReplaceAll(s.Resource, "_", " ") + " contention")
		switch s.Workload {
		case "":
		case "unseen":
			phrase += " by something unseen"
		default:
			phrase += " by " + job(s.Workload, s.PID)
		}
		return phrase
	case "traffic_surge":
		return "a surge of traffic"
	case "own_work":
		return "more work for each request by the service itself"
	case "faulty_disk":
		return "a faulty disk"
	case "upstream":
		return "something the service waits for"
	case "unknown", "":
		return "unknown"
	default:
		return s.Kind
	}
}

// Job names the workload of the backup for people, such as "borg.service" or
// "restic (PID 4711)".
func (b Backup) Job() string { return job(b.Workload, b.PID) }

// job adds the PID to the name of a job, unless the name has it already.
func job(workload string, pid int64) string {
	if workload == "" || pid <= 0 {
		return workload
	}
	suffix := fmt.Sprintf("(PID %d)", pid)
	if strings.Contains(strings.ToUpper(workload), suffix) {
		return workload
	}
	return workload + " " + suffix
}

// Seconds writes a duration in seconds for people: "120 ms", "1.3 s".
func Seconds(s float64) string {
	if s < 1 {
		return strconv.FormatFloat(s*1000, 'g', 3, 64) + " ms"
	}
	if s < 1000 {
		return strconv.FormatFloat(s, 'g', 3, 64) + " s"
	}
	return strconv.FormatFloat(s, 'f', 0, 64) + " s"
}

func victim(service, host string) string {
	if host == "" {
		return service
	}
	return service + " on " + host
}

func slowness(latency, baseline float64) string {
	switch {
	case latency > 0 && baseline > 0:
		return fmt.Sprintf("takes %s instead of %s", Seconds(latency), Seconds(baseline))
	case latency > 0:
		return "takes " + Seconds(latency)
	default:
		return "is slower than usual"
	}
}

func sureness(s Suspect) string {
	return fmt.Sprintf(" (%.0f %%)", 100*s.Confidence)
}

func parenthesised(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// span is the time between two moments in whole seconds.
func span(from, to time.Time) string {
	return max(to.Sub(from), 0).Round(time.Second).String()
}
