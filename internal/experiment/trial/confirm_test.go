package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/experiment"
)

// usualP95 is that of each arm, in milliseconds.
var usualP95 = map[string]float64{experiment.Baseline: 10, experiment.Without: 80, "nice": 10, "cpu_limit_4": 12}

// fed is a trial that has played so many repeats, without a site: nice is what it
// chooses, and cpu_limit_4 would do, too.
func fed(t *testing.T, repeats int) *trial {
	t.Helper()
	tr := &trial{
		Options: Options{Repeats: repeats, Confirm: 5, Say: t.Logf}, random: rand.New(rand.NewPCG(1, 1)),
		remedies: []experiment.Remedy{{ID: "nice", Class: experiment.CPU, Yields: true}, {ID: "cpu_limit_4", Class: experiment.CPU}},
	}
	for repeat := range repeats {
		for arm := range usualP95 {
			failure, err := tr.feed(t.Context(), arm, repeat)
			require.NoError(t, errors.Join(failure, err))
		}
	}
	return tr
}

// feed is a player that notes the usual p95.
func (t *trial) feed(_ context.Context, arm string, repeat int) (failure, err error) {
	work := experiment.Work{Seconds: 1, CPU: 1}
	if arm == "cpu_limit_4" {
		work.CPU = 0.25
	}
	p95 := usualP95[arm]
	t.blocks = append(t.blocks, experiment.Block{Arm: arm, Repeat: repeat, Quantiles: experiment.Quantiles{P50: 1, P95: p95, P99: p95}, Backup: work, Requests: 100})
	return nil, nil
}

func TestRoundsConfirmWhatIsChosen(t *testing.T) {
	for _, repeats := range []int{2, 6} {
		tr := fed(t, repeats)
		before := len(tr.blocks)
		require.NoError(t, tr.confirm(t.Context(), tr.feed))
		played := map[string]int{}
		for i, b := range tr.blocks[before:] {
			require.Equal(t, repeats+i/3, b.Repeat)
			played[b.Arm]++
		}
		require.Equal(t, map[string]int{experiment.Baseline: 5, experiment.Without: 5, "nice": 5}, played, "whatever --repeats is")
		d := tr.report(experiment.Done, "").Decision
		require.True(t, d.Sure, d.Why)
		require.Equal(t, 5, d.Confirmed.Repeats)
	}
}

func TestWithoutRoundsNothingIsSure(t *testing.T) {
	tr := fed(t, 6)
	tr.Confirm = 0
	before := len(tr.blocks)
	require.NoError(t, tr.confirm(t.Context(), tr.feed))
	require.Len(t, tr.blocks, before)
	d := tr.report(experiment.Done, "").Decision
	require.Equal(t, "nice", d.Remedy)
	require.False(t, d.Sure)
	require.Contains(t, d.Why, "no round has confirmed it since; --confirm 5 can")
}

func TestWhereNothingIsChosenNothingIsConfirmed(t *testing.T) {
	tr := fed(t, 2)
	tr.remedies = nil
	before := len(tr.blocks)
	require.NoError(t, tr.confirm(t.Context(), tr.feed))
	require.Len(t, tr.blocks, before)
}

func TestTheBackupFailsInAConfirmingRound(t *testing.T) {
	refused := errors.New("the backup ended with exit status 9")
	failing := func(tr *trial, arm string, from int) player {
		return func(ctx context.Context, played string, repeat int) (failure, err error) {
			if played == arm && repeat >= from {
				return refused, nil
			}
			return tr.feed(ctx, played, repeat)
		}
	}
	tr := fed(t, 2)
	require.NoError(t, tr.confirm(t.Context(), failing(tr, "nice", 3)))
	for _, b := range tr.blocks {
		require.LessOrEqual(t, b.Repeat, 3, "no more rounds are played")
	}
	r := tr.report(experiment.Done, "")
	require.Empty(t, r.Decision.Remedy, "the next best was not confirmed")
	require.Contains(t, r.Decision.Why, "the backup failed with it in a confirming round; to choose among the others, repeat it with --skip nice")
	require.Equal(t, []string{"the chosen remedy failed in a confirming round: the backup ended with exit status 9"}, r.Notes)

	tr = fed(t, 2)
	require.ErrorIs(t, tr.confirm(t.Context(), failing(tr, experiment.Without, 2)), refused, "as it is, it must work")

	tr = fed(t, 2)
	ended := func(context.Context, string, int) (failure, err error) { return nil, errInterrupted }
	require.ErrorIs(t, tr.confirm(t.Context(), ended), errInterrupted)
}

func TestNoConfirmingRoundPassesTheTime(t *testing.T) {
	tr := fed(t, 2)
	tr.longest = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	before := len(tr.blocks)
	require.NoError(t, tr.confirm(ctx, tr.feed))
	require.Equal(t, []string{"0 of 5 confirming rounds were played: another would have passed --limit-time"}, tr.notes)
	require.Len(t, tr.blocks, before)
}

// TestWhatIsChosenIsConfirmed for real: the backup harms only while it writes the
// file; the level that the rule of gzip sets keeps it from that. The site's two
// paces lie far apart, for a busy host's delays not to matter.
func TestWhatIsChosenIsConfirmed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tool, harms := filepath.Join(dir, "gzip"), filepath.Join(dir, "harms")
	require.NoError(t, os.WriteFile(tool, []byte("#!/bin/sh\nfor a; do [ $a = --help ] && exec echo none; [ $a = -1 ] && exec sleep 100; done\ntouch "+harms+"; exec sleep 100\n"), 0o700))
	o := options(t, served(t, harms, 200*time.Millisecond, 3*time.Second), tool, "file")
	o.Skip, o.Confirm, o.Cleanup = all, 1, "rm -f "+harms
	var said []string
	o.Say = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, experiment.Done, r.State)
	require.Equal(t, "compress_less", r.Decision.Remedy, r.Text())
	require.Len(t, r.Blocks, 2*3+3)
	require.Equal(t, 2, r.Blocks[len(r.Blocks)-1].Repeat)
	require.Contains(t, r.Decision.Why, "In the confirming round p95 was")
	require.False(t, r.Decision.Sure, "one round is few")
	require.Contains(t, strings.Join(said, "\n"), "Rounds that confirm the remedy that is chosen: up to 1")
	nothingLeft(t, o)
}
