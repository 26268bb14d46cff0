package rootcause_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// What tells one explanation from another is found in the nights that are made for
// it, at the suspect whom it concerns, and not in one that is much like it.
func TestTermsThatDecide(t *testing.T) {
	for _, test := range []struct {
		term    rootcause.Term
		night   string // where it is
		other   string // a night much like it, where it is not
		cause   rootcause.Cause
		suspect string // empty if the cause is no workload
		against bool   // it speaks against the suspect
	}{
		{rootcause.TermLockWait, "lock held by a dump", "two backups together", rootcause.Contention, "pg_dump", false},
		{rootcause.TermWorksAlone, "more work per request", "traffic surge", rootcause.OwnWork, "", false},
		{rootcause.TermSlowByItself, "slow disk beside a gentle backup on it", "two backups together", rootcause.Contention, "restic", true},
		{rootcause.TermRoundTrip, "clients far away", "link filled by a backup", rootcause.Upstream, "", false},
	} {
		t.Run(string(test.term), func(t *testing.T) {
			strongest := func(night string) (rootcause.Suspect, rootcause.Evidence) {
				var most rootcause.Evidence
				var of rootcause.Suspect
				for _, s := range lastOf(t, night).Suspects {
					for _, ev := range s.Evidence {
						if ev.Term == test.term && math.Abs(ev.Weight) > math.Abs(most.Weight) {
							of, most = s, ev
						}
					}
				}
				return of, most
			}
			of, most := strongest(test.night)
			require.Equal(t, test.cause, of.Cause)
			require.Equal(t, test.suspect, of.Workload.Name)
			require.Equal(t, test.against, most.Weight < 0)
			require.Greater(t, math.Abs(most.Weight), 1.0, "it decides")
			require.NotEmpty(t, most.Sentence)

			_, most = strongest(test.other)
			require.Zero(t, most.Weight, most.Sentence)
		})
	}
}

// lastOf is the last verdict on a night of a promised case.
func lastOf(t *testing.T, name string) rootcause.Verdict {
	t.Helper()
	for _, c := range cases {
		if c.name == name {
			in := newIncident(1000, 1)
			c.make(in)
			return last(t, run(t, newEngine(t, nil), in.facts()))
		}
	}
	require.Fail(t, "there is no such case", name)
	return rootcause.Verdict{}
}

// Two backups that start at once and take the same are named together.
func TestTwoThatTakeTheSameAreNamedTogether(t *testing.T) {
	in := newIncident(1000, 1)
	for i, command := range []string{"restic backup /srv", "borg create /mnt/repo::now /srv"} {
		in.job(int64(500+i), command, in.from, in.to, uses{fact.CPU: always(0.05), fact.DiskRead: always(60e6)})
	}
	in.slow(0.3)
	in.host().pressure[shopUnit+" io"], in.host().pressure["io"] = in.while(0.01, 0.7), in.while(0.02, 0.7)
	in.shop().use[fact.BlockDelay] = in.while(0.01, 0.6)
	v := last(t, run(t, newEngine(t, nil), in.facts()))
	require.Equal(t, rootcause.StateNamed, v.State)
	require.Len(t, v.Others(), 1)
	require.ElementsMatch(t, []string{"restic", "borg"}, []string{v.Top().Workload.Name, v.Others()[0].Workload.Name})
	require.Greater(t, v.Probability(), v.Top().Probability)
	for _, b := range v.Backups {
		require.Equal(t, rootcause.Charged, b.Finding, b.Window.Workload.Name)
	}
	rival, ok := v.Rival()
	require.True(t, ok)
	require.NotContains(t, []string{"restic", "borg"}, rival.Workload.Name)
}
