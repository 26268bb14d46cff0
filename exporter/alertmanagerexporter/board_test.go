package alertmanagerexporter

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/event"
)

// step is an event in the life of a verdict, in minutes after the onset, and
// what must stand on the board after it: "workload", or "workload until m".
type step struct {
	id       string
	minute   int
	phase    event.Phase
	state    event.State
	workload string
	outcome  application
	want     []string
}

func TestBoard(t *testing.T) {
	const opened, updated, closed = event.Opened, event.Updated, event.Closed
	tests := map[string][]step{
		"opens, updates, closes": {
			{"v1", 1, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v1", 2, updated, event.Named, "borg", applied, []string{"borg"}},
			{"v1", 9, closed, event.Named, "borg", applied, []string{"borg until 9"}},
			{"v1", 9, closed, event.Named, "borg", applied, []string{"borg until 9"}},
		},
		"another cause": {
			{"v1", 1, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v1", 2, updated, event.Named, "rsync", applied, []string{"borg until 2", "rsync"}},
			{"v1", 3, updated, event.Named, "borg", applied, []string{"rsync until 3", "borg"}},
			{"v1", 9, closed, event.Named, "borg", applied, []string{"rsync until 3", "borg until 9"}},
		},
		"another cause only at the close": {
			{"v1", 1, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v1", 9, closed, event.Unknown, "", applied, []string{"borg until 9"}},
		},
		"no longer sure": {
			{"v1", 1, opened, event.Probable, "borg", applied, []string{"borg"}},
			{"v1", 2, updated, event.Unknown, "", applied, []string{"borg until 2"}},
			{"v1", 3, updated, event.Probable, "borg", applied, []string{"borg"}},
			{"v1", 4, updated, event.Unknown, "", applied, []string{"borg until 4"}},
			{"v1", 9, closed, event.Unknown, "", applied, []string{"borg until 4"}},
		},
		"surer: the severity is part of the identity": {
			{"v1", 1, opened, event.Probable, "borg", applied, []string{"borg"}},
			{"v1", 2, updated, event.Named, "borg", applied, []string{"borg until 2", "borg"}},
		},
		"late events": {
			{"v1", 5, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v1", 4, updated, event.Named, "rsync", stale, []string{"borg"}},
			{"v1", 9, closed, event.Named, "borg", applied, []string{"borg until 9"}},
			{"v1", 9, updated, event.Named, "borg", stale, []string{"borg until 9"}},
		},
		"the clock went back before the end": {
			{"v1", 5, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v1", 2, closed, event.Named, "borg", applied, []string{"borg until 2"}},
			{"v1", 2, closed, event.Named, "borg", applied, []string{"borg until 2"}},
			{"v1", 1, closed, event.Named, "borg", stale, []string{"borg until 2"}},
			{"v1", 6, updated, event.Named, "borg", stale, []string{"borg until 2"}},
		},
		"the clock went back before the onset": {
			{"v1", 5, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v1", -60, closed, event.Named, "borg", applied, []string{"borg until 0"}},
		},
		"the clock went back, of an incident that is no alert": {
			{"v1", 5, opened, event.Unknown, "", applied, nil},
			{"v1", 2, closed, event.Unknown, "", applied, nil},
			{"v1", 6, updated, event.Named, "borg", stale, nil},
		},
		"closed before a restart could see it open": {
			{"v1", 9, closed, event.Named, "borg", applied, []string{"borg until 9"}},
		},
		"the same again the next minute": {
			{"v1", 1, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v1", 2, closed, event.Named, "borg", applied, []string{"borg until 2"}},
			{"v2", 3, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v1", 4, closed, event.Named, "borg", applied, []string{"borg"}},
		},
		"two verdicts with one identity": {
			{"v1", 1, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v2", 2, opened, event.Named, "borg", applied, []string{"borg"}},
			{"v1", 3, closed, event.Named, "borg", applied, []string{"borg"}},
			{"v2", 4, closed, event.Named, "borg", applied, []string{"borg until 4"}},
		},
		"full": {
			{"v1", 1, opened, event.Named, "a", applied, []string{"a"}},
			{"v2", 2, opened, event.Named, "b", applied, []string{"a", "b"}},
			{"v3", 3, opened, event.Named, "c", applied, []string{"a", "b", "c"}},
			{"v4", 4, opened, event.Named, "d", dropped, []string{"a", "b", "c"}},
			{"v1", 5, closed, event.Named, "a", applied, []string{"b", "c", "a until 5"}},
			{"v4", 6, updated, event.Named, "d", applied, []string{"b", "c", "d"}},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBoard(3)
			for i, s := range steps {
				now := onset.Add(time.Duration(s.minute) * time.Minute)
				got := b.apply(s.news(event.Probable), now)
				require.Equal(t, s.outcome, got, "step %d", i)
				require.Empty(t, cmp.Diff(s.want, summary(b)), "step %d", i)

				// A restart between two events changes nothing.
				data, err := b.marshal()
				require.NoError(t, err)
				b = newBoard(3)
				require.NoError(t, b.unmarshal(data))
				require.Empty(t, cmp.Diff(s.want, summary(b)), "step %d, restored", i)
			}
		})
	}
}

func (s step) verdict() event.Verdict {
	v := nightly()
	v.ID, v.Phase, v.State, v.Cause.Workload = s.id, s.phase, s.state, s.workload
	v.At = onset.Add(time.Duration(s.minute) * time.Minute)
	if s.phase == event.Closed {
		v.End = v.At
	}
	return v
}

func (s step) news(least event.State) news {
	return newNews(config(func(c *Config) { c.MinState = least }), s.verdict())
}

func summary(b *board) []string {
	var out []string
	for _, p := range b.snapshot() {
		text := p.Alert.Labels["workload"]
		if !p.open() {
			text += fmt.Sprintf(" until %.0f", p.EndsAt.Sub(onset).Minutes())
		}
		out = append(out, text)
	}
	return out
}

func TestBoardForgets(t *testing.T) {
	b := newBoard(10)
	apply := func(s step) {
		require.Equal(t, applied, b.apply(s.news(event.Unknown), onset))
	}
	apply(step{id: "v1", minute: 1, phase: event.Opened, state: event.Named, workload: "borg"})
	apply(step{id: "v2", minute: 1, phase: event.Closed, state: event.Named, workload: "rsync"})
	require.Zero(t, b.prune(time.Hour, onset.Add(15*time.Minute)))
	require.Len(t, b.snapshot(), 2)
	require.Zero(t, b.prune(time.Hour, onset.Add(16*time.Minute)))
	require.Equal(t, []string{"borg"}, summary(b))
	require.Equal(t, 1, b.prune(time.Hour, onset.Add(61*time.Minute)))
	require.Empty(t, b.snapshot())
	require.Empty(t, b.verdicts)
}

func TestBoardIsBounded(t *testing.T) {
	b := newBoard(5)
	for i := range 1000 {
		s := step{id: fmt.Sprint("v", i), minute: i, phase: event.Opened, state: event.Unknown, workload: fmt.Sprint("w", i)}
		if i%3 == 0 {
			s.state = event.Named
		}
		b.apply(s.news(event.Named), onset)
		require.LessOrEqual(t, len(b.alerts), 5)
		require.LessOrEqual(t, len(b.verdicts), 5)
	}
}

func TestBoardRefusesWhatIsNotABoard(t *testing.T) {
	require.ErrorContains(t, newBoard(1).unmarshal([]byte("{")), "stored alerts")
	b := newBoard(1)
	require.NoError(t, b.unmarshal([]byte(`{"alerts":[null,{}],"verdicts":{"v1":null}}`)))
	require.Empty(t, b.snapshot())
}
