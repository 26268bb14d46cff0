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

// said is a message of restic on web1.
func said(second int, change func(*backup.Message)) backup.Message {
	m := backup.Message{Host: "web1", Tool: "restic", At: at(second), Sure: true}
	change(&m)
	return m
}

var (
	begins = func(m *backup.Message) { m.Begins, m.Phase = true, "scan" }
	ends   = func(m *backup.Message) { m.Ends, m.Outcome = true, backup.OutcomeOK }
)

func TestAnEndMessageEndsAWindowWithItsOutcome(t *testing.T) {
	tr := newTracker()
	seen := func(second int) (backup.Window, bool) {
		w, opened, ok := tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(second), Started: at(8)})
		require.True(t, ok)
		return w, opened
	}
	w, _ := seen(10)
	told, opened := tr.Told(said(11, begins))
	require.False(t, opened, "its process was seen")
	require.Equal(t, w.ID, told.ID)
	require.Equal(t, "scan", told.Phase)
	tr.Told(said(15, func(m *backup.Message) { m.Outcome = backup.OutcomePartial }))
	tr.Told(said(20, ends))
	closed := tr.Expire(until(at(20)))
	require.Len(t, closed, 1)
	require.Equal(t, at(20), closed[0].End)
	require.Equal(t, backup.OutcomePartial, closed[0].Outcome, "done, but not all of it")

	again, opened := seen(21)
	require.False(t, opened, "its process takes a second to exit")
	require.Equal(t, w.ID, again.ID)
	_, opened, _ = tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(30), Started: at(29)})
	require.True(t, opened, "another run of the same job")
}

func TestAStartMessageOpensAWindow(t *testing.T) {
	tr := newTracker()
	_, opened := tr.Told(said(10, func(m *backup.Message) { begins(m); m.Sure = false }))
	require.False(t, opened, "who said it is not known")
	_, opened = tr.Told(said(10, func(m *backup.Message) { begins(m); m.Host = "" }))
	require.False(t, opened, "where it runs is not known")
	w, opened := tr.Told(said(10, func(m *backup.Message) { begins(m); m.Unit = "restic.service" }))
	require.True(t, opened)
	require.Equal(t, backup.Workload{Host: "web1", Name: "restic.service"}, w.Workload)
	require.Empty(t, tr.Expire(until(at(3600))), "no process is waited for")

	adopted, opened, _ := tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(3600)})
	require.False(t, opened)
	require.Equal(t, w.ID, adopted.ID)
	require.Equal(t, job, adopted.Workload, "its process tells more")
	require.Len(t, tr.Expire(until(at(3700))), 1)

	tr.Told(said(5000, begins))
	require.Empty(t, tr.Expire(until(at(5000).Add(11*time.Hour))))
	require.Len(t, tr.Expire(until(at(5000).Add(13*time.Hour))), 1, "no window is for ever")
}

func TestAMessageFindsItsWindow(t *testing.T) {
	tr := newTracker()
	unit := backup.Workload{Host: "web1", Name: "restic@home.service"}
	tr.Seen(backup.Sign{Workload: job, Tool: "restic", At: at(0)})
	tr.Seen(backup.Sign{Workload: unit, Tool: "restic", At: at(0)})
	w, _ := tr.Told(said(5, func(m *backup.Message) { ends(m); m.Unit, m.Sure = unit.Name, false }))
	require.Equal(t, unit, w.Workload)
	require.Len(t, tr.Expire(until(at(5))), 1)
	_, opened := tr.Told(said(5, func(m *backup.Message) { ends(m); m.Sure = false }))
	require.False(t, opened)
	require.Empty(t, tr.Expire(until(at(5))), "nobody knows whose words these are")
	tr.Told(said(5, func(m *backup.Message) { ends(m); m.Host = "web2" }))
	require.Empty(t, tr.Expire(until(at(5))))

	tr.Expire(until(at(60)))
	tr.Told(said(2, func(m *backup.Message) { m.Ends, m.Outcome = true, backup.OutcomeFailed }))
	list := tr.Since("web1", at(0))
	require.Len(t, list, 2)
	require.Equal(t, backup.OutcomeFailed, list[1].Outcome, "the message came after the process was gone")
}
