// Package labscore counts how good the verdicts on the lab's runs were, scenario by
// scenario: how often the cause was right, how often a backup was blamed for
// nothing, how sure and how fast the verdicts were.
//
// Guaranteed: scenarios are never pooled, but for one line over all that are guilty
// and one over all that are innocent; void runs are counted, and in no figure; a
// figure of which nothing is known is NaN. Not guaranteed: that runs of a scenario
// are independent, which the intervals take them to be.
package labscore
