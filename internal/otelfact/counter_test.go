package otelfact

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestIncrease(t *testing.T) {
	type step struct {
		start, at, value float64
		amount, over     float64 // over 0: nothing
	}
	tests := map[string]struct {
		delta bool
		known float64
		steps []step
	}{
		"cumulative": {steps: []step{
			{0, 10, 5, 0, 0}, {0, 11, 7, 2, 1}, {0, 13, 7, 0, 2},
		}},
		"the same reading twice": {steps: []step{
			{0, 10, 5, 0, 0}, {0, 10, 5, 0, 0}, {0, 11, 6, 1, 1},
		}},
		"born since the last scrape": {known: 9, steps: []step{
			{9.5, 10, 5, 5, 1}, {9.5, 11, 6, 1, 1},
		}},
		"born before the last scrape": {known: 9, steps: []step{
			{8, 10, 5, 0, 0}, {8, 11, 6, 1, 1},
		}},
		"started again": {steps: []step{
			{0, 10, 5, 0, 0}, {10.5, 11, 3, 3, 1}, {10.5, 12, 4, 1, 1},
		}},
		"went back": {steps: []step{
			{0, 10, 5, 0, 0}, {0, 11, 3, 0, 0}, {0, 12, 4, 1, 1},
		}},
		"a start that wobbles": {steps: []step{
			{1, 10, 5, 0, 0}, {1.1, 11, 6, 1, 1}, {0.9, 12, 7, 1, 1},
		}},
		"a clock that went back": {steps: []step{
			{0, 1000, 5, 0, 0}, {0, 10, 6, 0, 0}, {0, 11, 7, 1, 1},
		}},
		"a reading that was overtaken": {steps: []step{
			{0, 10, 5, 0, 0}, {0, 12, 9, 4, 2}, {0, 11, 7, 0, 0}, {0, 13, 10, 1, 1},
		}},
		"a first reading that was overtaken": {steps: []step{
			{0, 12, 9, 0, 0}, {0, 11, 7, 0, 0}, {0, 13, 10, 1, 1},
		}},
		"overtaken by a minute": {steps: []step{
			{0, 100, 5, 0, 0}, {0, 40, 2, 0, 0}, {0, 101, 7, 2, 1},
		}},
		"overtaken across a restart": {steps: []step{
			{1, 10, 50, 0, 0}, {10.5, 11, 3, 3, 1}, {1, 10.2, 51, 0, 0}, {10.5, 12, 4, 1, 1},
		}},
		"a clock that went back by more than a minute": {steps: []step{
			{0, 100, 5, 0, 0}, {0, 39, 6, 0, 0}, {0, 40, 7, 1, 1},
		}},
		"a long pause": {steps: []step{
			{0, 10, 5, 0, 0}, {0, 611, 6, 0, 0}, {0, 612, 7, 1, 1},
		}},
		"ten minutes": {steps: []step{
			{0, 10, 5, 0, 0}, {0, 610, 6, 1, 600},
		}},
		"delta": {delta: true, steps: []step{
			{9, 10, 5, 5, 1}, {10, 11, 3, 3, 1}, {8, 11, 1, 1, 3},
		}},
		"delta without start": {delta: true, steps: []step{
			{11, 10, 5, 0, 0}, {12, 11, 3, 3, 1},
		}},
		"delta without start that was overtaken": {delta: true, steps: []step{
			{11, 10, 5, 0, 0}, {13, 12, 3, 3, 2}, {12, 11, 3, 0, 0}, {14, 13, 3, 3, 1},
		}},
		"delta over too long": {delta: true, steps: []step{{1, 1000, 5, 0, 0}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var c counter
			for i, s := range tt.steps {
				temporality := pmetric.AggregationTemporalityCumulative
				if tt.delta {
					temporality = pmetric.AggregationTemporalityDelta
				}
				when, ok := newInstant(stamp(s.at), stamp(s.start), temporality)
				require.True(t, ok)
				known := stamp(tt.known)
				if tt.known == 0 {
					known = 0
				}
				amount, from, ok := c.increase(number{when, s.value}, known)
				require.Equal(t, s.over > 0, ok, "step %d", i)
				if ok {
					require.InDelta(t, s.amount, amount, 0, "step %d", i)
					require.Equal(t, stamp(s.at-s.over), from, "step %d", i)
				}
			}
		})
	}
}
