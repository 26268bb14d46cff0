package evaluate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// Recording is a journal of an incident of known cause, as it is kept in a folder
// of labelled incidents. Its name is <scenario>-<seed>.
type Recording struct {
	Scenario string
	Seed     uint64
	Truth    Truth
	Packing  journal.Packing // what of the journal is for others
	Journals []string        // files of it, oldest first
}

// packedSuffix is that of the journals which Keep writes.
const packedSuffix = ".journal.gz"

// Keep packs a recording into a folder and adds its line to the folder's list,
// and gives the path of the packed journal. It refuses a recording whose packed
// journal does not lead an engine to what the whole one leads it to: something that
// was not to be told had a say in it.
func Keep(dir string, r Recording, engine NewEngine) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // recordings are for all to read
		return "", err
	}
	c, err := r.caseIn(dir)
	if err != nil {
		return "", err
	}
	line, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, c.Journal)
	if err := journal.Pack(path, r.Packing, r.Journals...); err != nil {
		return "", err
	}
	if err := sameEvents(engine, r.Journals, path); err != nil {
		return "", errors.Join(fmt.Errorf("recording %s: %w", c.ID, err), os.Remove(path))
	}
	return path, appendLine(filepath.Join(dir, casesFile), line)
}

// recordingLine is the line of a recording in the folder's list.
type recordingLine struct {
	ID       string `json:"id"`
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Half     string `json:"half"`
	Journal  string `json:"journal"`
	Truth    Truth  `json:"truth"`
}

// caseIn is the recording as a case of a folder; a run with the seed of another
// gets a number.
func (r Recording) caseIn(dir string) (recordingLine, error) {
	id := fmt.Sprintf("%s-%d", r.Scenario, r.Seed)
	l := recordingLine{ID: id, Scenario: r.Scenario, Seed: r.Seed, Half: HalfOf(r.Scenario, r.Seed), Truth: r.Truth}
	for n := 2; ; n++ {
		l.Journal = l.ID + packedSuffix
		if err := (caseLine{ID: l.ID, Journal: l.Journal, Truth: l.Truth}).check(); err != nil {
			return l, fmt.Errorf("recording %s: %w", l.ID, err)
		}
		switch _, err := os.Stat(filepath.Join(dir, l.Journal)); {
		case errors.Is(err, fs.ErrNotExist):
			return l, nil
		case err != nil:
			return l, err
		}
		l.ID = fmt.Sprintf("%s-%d", id, n)
	}
}

func appendLine(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644) //nolint:gosec // recordings are for all to read
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// sameEvents fails if two journals lead an engine to different events, apart from
// the names of hosts and strangers, and sentences in which they may be.
func sameEvents(engine NewEngine, whole []string, packed string) error {
	want, err := eventsOf(engine(), whole...)
	if err != nil {
		return err
	}
	got, err := eventsOf(engine(), packed)
	if err != nil {
		return err
	}
	if len(want) != len(got) {
		return fmt.Errorf("packed, it gives %d events instead of %d: another process of the host had a say in it; run it again while the host is quiet", len(got), len(want))
	}
	for i := range want {
		if want[i] != got[i] {
			return fmt.Errorf("packed, it gives %s instead of %s: another process of the host had a say in it; run it again while the host is quiet", got[i], want[i])
		}
	}
	return nil
}

func eventsOf(engine *rootcause.Engine, paths ...string) ([]string, error) {
	var list []string
	for event, err := range rootcause.Replay(engine, journal.Whole(journal.Open(paths...))) {
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(bare(event))
		if err != nil {
			return nil, err
		}
		list = append(list, string(text))
	}
	return list, nil
}

// bare is an event without the words that packing may change: its numbers, who
// was named and of what, and what was found of each backup. IDs are made of names.
func bare(event rootcause.Event) any {
	switch e := event.(type) {
	case rootcause.Window:
		e.Window.ID, e.Window.Workload.Host = "", ""
		return e
	case rootcause.Episode:
		e.ID, e.Victim.Host = "", ""
		return e
	case rootcause.Verdict:
		return bareVerdict(e)
	default:
		return event
	}
}

func bareVerdict(v rootcause.Verdict) any {
	type suspect struct {
		Name        string `json:"name,omitzero"`
		Cause       rootcause.Cause
		Resource    rootcause.Shared
		PID         int64 `json:"pid,omitzero"`
		Probability float64
	}
	suspects := make([]suspect, len(v.Suspects))
	for i, s := range v.Suspects {
		suspects[i] = suspect{Cause: s.Cause, Resource: s.Resource, PID: s.Workload.PID, Probability: s.Probability}
		if v.State != rootcause.StateUnknown && (i == 0 || s.Together) {
			suspects[i].Name = s.Workload.Name
		}
	}
	type finding struct {
		Workload string
		PID      int64
		Finding  rootcause.Finding
	}
	findings := make([]finding, len(v.Backups))
	for i, b := range v.Backups {
		findings[i] = finding{b.Window.Workload.Name, b.Window.Workload.PID, b.Finding}
	}
	return struct {
		Service  string
		Phase    rootcause.Phase
		At       string
		State    rootcause.State
		Suspects []suspect
		Findings []finding
	}{v.Victim.Service, v.Phase, v.At.String(), v.State, suspects, findings}
}
