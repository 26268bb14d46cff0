package backup_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/backup"
)

var (
	start = time.Unix(1_790_000_000, 0)
	job   = backup.Workload{Host: "web1", Name: "restic", PID: 7, Start: 1}
)

func at(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }

// until is a host known up to a time.
func until(known time.Time) func(string) time.Time {
	return func(string) time.Time { return known }
}

func newTracker() *backup.Tracker { return backup.NewTracker(5*time.Second, 5*time.Minute, 2) }

func TestAWindowOpensOnceAndEndsWhenLastSeen(t *testing.T) {
	tr := newTracker()
	w, opened, ok := tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(10), Started: at(8)})
	require.True(t, ok)
	require.True(t, opened)
	require.Equal(t, at(8), w.Start, "it began when its process did")
	for second := 11; second < 20; second++ {
		again, opened, ok := tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(second), Started: at(8)})
		require.True(t, ok)
		require.False(t, opened)
		require.Equal(t, w.ID, again.ID)
		require.Empty(t, tr.Expire(until(at(second))))
	}
	require.Empty(t, tr.Expire(until(at(24))), "within the grace")
	closed := tr.Expire(until(at(25)))
	require.Len(t, closed, 1)
	require.Equal(t, at(19), closed[0].End)
	require.Equal(t, w.ID, closed[0].ID)
	require.Empty(t, tr.Active())
}

func TestAnotherRunIsAnotherWindow(t *testing.T) {
	tr := newTracker()
	first, _, _ := tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(0)})
	tr.Expire(until(at(60)))
	second, opened, _ := tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(100)})
	require.True(t, opened)
	require.NotEqual(t, first.ID, second.ID)
}

func TestSinceRemembersWhatEnded(t *testing.T) {
	tr := newTracker()
	tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(0)})
	tr.Expire(until(at(60)))
	require.Len(t, tr.Since("web1", at(0)), 1)
	require.Len(t, tr.Since("", at(0)), 1)
	require.Empty(t, tr.Since("web2", at(0)))
	require.Empty(t, tr.Since("web1", at(1)), "it ended before")
	tr.Expire(until(at(0).Add(6 * time.Minute)))
	require.Empty(t, tr.Since("web1", at(0)), "forgotten")
}

func TestWindowsAreBounded(t *testing.T) {
	tr := newTracker()
	for pid := range int64(5) {
		w := job
		w.PID = pid
		_, _, ok := tr.Seen(backup.Sign{Workload: w, Tool: "restic", At: at(0)})
		require.Equal(t, pid < 2, ok)
	}
	require.Len(t, tr.Active(), 2)
}

func TestAWindowOutlivesTheIntervalBetweenReadings(t *testing.T) {
	tr := newTracker()
	for minute := range 5 {
		_, opened, _ := tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(60 * minute), Every: time.Minute})
		require.Equal(t, minute == 0, opened)
		require.Empty(t, tr.Expire(until(at(60*minute+59))))
	}
	require.Len(t, tr.Expire(until(at(240+151))), 1)
}
