package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/output"
	"github.com/otel-culprit/culprit/internal/lab/victim"
	"github.com/otel-culprit/culprit/internal/lab/wait"
	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
)

func TestARunIsBrokenOffWhileItsDiskStandsStill(t *testing.T) {
	if missing := stage.Probe().Missing(stage.NeedFaultyDisk); missing != "" {
		t.Skip(missing)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	j := jobsOnAStage(t, cancel)
	r := &runner{scene: j.scene, jobs: j}
	disk, err := j.scene.stage.FaultyDisk(ctx, stage.DiskSpec{Name: "site", SizeMiB: 32})
	require.NoError(t, err)
	j.scene.faulty = disk
	writer := scenario.Job{Name: "writer", Run: fmt.Sprintf("exec dd if=/dev/zero of=%s/file bs=64k count=1 oflag=direct", disk.Path), Repeat: true}
	require.NoError(t, j.prepare(ctx, []scenario.Job{writer}))
	require.NoError(t, disk.Pause())
	require.NoError(t, j.start(ctx, writer))
	for pid := range j.names {
		require.NoError(t, wait.Until(ctx, 10*time.Second, func(context.Context) error {
			proc, err := procfs.NewProc(int(pid))
			if err != nil {
				return err
			}
			stat, err := proc.Stat()
			if err == nil && stat.State != "D" {
				err = errors.New("it does not wait for the disk")
			}
			return err
		}))
	}

	cancel(errors.New("interrupted"))
	began := time.Now()
	require.NoError(t, r.close())
	require.Less(t, time.Since(began), 10*time.Second)
	require.NoDirExists(t, j.scene.stage.Dir())
}

func TestAnInterruptIsSaidOnceAndWhatIsUndone(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancelCause(t.Context())
	r := &runner{screen: output.New(&out, false)}
	said := r.onInterrupt(ctx)
	cancel(errors.New("interrupt signal received"))
	failed := errors.New("the run failed")
	require.Equal(t, failed, r.undo(failed, said))
	require.Equal(t, "interrupted (interrupt signal received): what was made is being undone\nall of it is undone\n", out.String())

	out.Reset()
	require.NoError(t, r.undo(nil, r.onInterrupt(t.Context())))
	require.Empty(t, out.String())
}

func TestUnreadableFindingsAreTold(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	r := &runner{inbox: collector.NewInbox(victim.Service), fail: cancel}
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetEventName(event.NameVerdict)
	r.inbox.Take(logs, time.Now())
	_, err := r.conclude()
	require.ErrorContains(t, wait.Cause(ctx, err), "the collector sent findings that cannot be read")
	require.NoError(t, ctx.Err(), "it is the only reason")
}

func TestAnUnknownChangeIsAnError(t *testing.T) {
	err := new(scene).change(t.Context(), scenario.Change{What: "weather", Value: 3})
	require.ErrorContains(t, err, `"weather"`)
}

func TestWhatIsNotUndoneIsTold(t *testing.T) {
	left := fmt.Errorf("scenario tar: %w", errors.Join(errors.New("interrupt signal received"), Leftover{errors.New("not all was undone")}))
	require.ErrorAs(t, left, new(Leftover))
}

func TestARunThatIsNotKeptIsTold(t *testing.T) {
	err := fmt.Errorf("scenario tar: %w", Blemish{errors.New("the recording is not kept")})
	require.ErrorAs(t, err, new(Blemish))
	require.EqualError(t, err, "scenario tar: the recording is not kept")
}
