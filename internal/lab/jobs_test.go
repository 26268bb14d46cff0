package lab

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/wait"
	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
)

func TestAJobThatFailsEndsTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		job  scenario.Job
		want string // of the error
	}{
		"fails":         {scenario.Job{Run: "echo no repository; exit 4"}, "backup ended early (exit status 4); the last it wrote:\nno repository"},
		"fails later":   {scenario.Job{Run: "test ! -e again || exit 5; touch again", Repeat: true}, "exit status 5"},
		"fails rightly": {scenario.Job{Run: "touch done; exit 4", MayFail: true}, ""},
		"ends":          {scenario.Job{Run: "touch done"}, ""},
		"is ended":      {scenario.Job{Run: "touch done; exec sleep 60"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, fail := context.WithCancelCause(t.Context())
			defer fail(nil)
			j := jobsOnAStage(t, fail)
			c.job.Name = "backup"
			c.job.Run = "cd " + j.scene.stage.Dir() + "\n" + c.job.Run
			require.NoError(t, j.prepare(ctx, []scenario.Job{c.job}))
			require.NoError(t, j.start(ctx, c.job))
			if c.want != "" {
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Second):
				}
				require.ErrorContains(t, context.Cause(ctx), c.want)
				return
			}
			require.NoError(t, wait.Until(t.Context(), 20*time.Second, func(context.Context) error {
				_, missing := os.Stat(j.scene.file("done"))
				return missing
			}))
			j.stop()
			require.NoError(t, context.Cause(ctx))
		})
	}
}

// jobsOnAStage are ended and undone with the test.
func jobsOnAStage(t *testing.T, fail context.CancelCauseFunc) *jobs {
	t.Helper()
	st, err := stage.New(stage.Options{Base: t.TempDir()})
	require.NoError(t, err)
	j := &jobs{scene: &scene{stage: st, fail: fail}}
	t.Cleanup(func() {
		j.stop()
		require.NoError(t, st.Close())
	})
	return j
}

func TestAJobThatCannotBeWrittenDownDoesNotRunOn(t *testing.T) {
	j := jobsOnAStage(t, func(error) {})
	job := scenario.Job{Name: "backup", Run: "exec sleep 60"}
	require.NoError(t, j.prepare(t.Context(), nil))
	log := t.TempDir() + "/log"
	require.NoError(t, j.scene.stage.Close())
	c, err := child.Start(t.Context(), child.Spec{Name: job.Name, Argv: []string{"sh", "-c", job.Run}, Log: log})
	require.NoError(t, err)
	require.ErrorContains(t, j.scene.adopt(c), "is closed")
	require.True(t, c.Ended())
	require.NoError(t, j.scene.adopt(c), "it is no error that it ended before")
}

func TestHostsLackDisks(t *testing.T) {
	require.ErrorContains(t, onDevice("/dev/shm/not/there/yet"), "/dev/shm/not/there/yet is on no disk")
	require.ErrorContains(t, onDevice("/dev/shm/not/there/yet"), "--base")
}
