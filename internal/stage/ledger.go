package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const ledgerName = "ledger.jsonl"

// thing is what the ledger says of something that was made: enough to undo it.
type thing interface {
	kind() string
	String() string // for a person
	// undo is idempotent; it returns whether there was anything to undo.
	undo(ctx context.Context) (bool, error)
}

// resumer is a thing that may hold up processes: it is let go before anything else.
type resumer interface{ resume(ctx context.Context) }

// killer is a thing with processes that use others: they end before those are undone.
type killer interface {
	kill(ctx context.Context) (bool, error)
}

type line struct {
	Kind  string          `json:"kind"`
	Thing json.RawMessage `json:"thing"`
}

// ledger is the file in a run's directory that says what was made, in order.
type ledger struct{ file *os.File }

func newLedger(dir string) (*ledger, error) {
	file, err := os.OpenFile(filepath.Join(dir, ledgerName), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the ledger: %w", err)
	}
	return &ledger{file: file}, nil
}

// write returns when the thing is on disk.
func (l *ledger) write(t thing) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	text, err := json.Marshal(line{Kind: t.kind(), Thing: body})
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// readLedger reads what a run made. Where there is no ledger, nothing was made.
func readLedger(dir string) ([]thing, error) {
	text, err := os.ReadFile(filepath.Join(dir, ledgerName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return parseLedger(text)
}

// parseLedger returns all that it can read, and an error for each line that it
// cannot. A last line without its end is none: the thing was not made yet.
func parseLedger(text []byte) ([]thing, error) {
	var things []thing
	var failed []error
	for number := 1; ; number++ {
		row, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return things, errors.Join(failed...)
		}
		text = rest
		t, err := parseLine(row)
		if err != nil {
			failed = append(failed, fmt.Errorf("line %d of the ledger cannot be read, so what it says is not undone: %w", number, err))
			continue
		}
		things = append(things, t)
	}
}

func parseLine(row []byte) (thing, error) {
	var l line
	if err := json.Unmarshal(row, &l); err != nil {
		return nil, err
	}
	switch l.Kind {
	case owner{}.kind():
		return parseThing[owner](l.Thing)
	case process{}.kind():
		return parseThing[process](l.Thing)
	case controlGroup{}.kind():
		return parseThing[controlGroup](l.Thing)
	case controller{}.kind():
		return parseThing[controller](l.Thing)
	case loop{}.kind():
		return parseThing[loop](l.Thing)
	case mount{}.kind():
		return parseThing[mount](l.Thing)
	case diskServer{}.kind():
		return parseThing[diskServer](l.Thing)
	case link{}.kind():
		return parseThing[link](l.Thing)
	default:
		return nil, fmt.Errorf("unknown kind %q", l.Kind)
	}
}

func parseThing[T thing](text []byte) (thing, error) {
	var t T
	err := json.Unmarshal(text, &t)
	return t, err
}
