// Package experiment plans a test of what a backup does to a web site, and
// decides from its figures what the two contend for and what helps. It measures
// nothing itself: package trial does.
//
// An experiment is made of blocks. In each the site is measured for a while: with
// no backup (the baseline), with the backup as it is (plain), or with the backup
// and one remedy. All of these are played once in each repeat, in random order,
// so that what drifts does not count for or against one of them. Figures are
// compared within a repeat, and a block counts as one observation, however many
// requests it had: an interval is a range of the repeats, with the probability
// that it holds the true median.
//
// The remedy to take is chosen by these repeats, and so its own range in them is
// too good. Then it is played some rounds more, beside the baseline and the plain
// backup alone. These are what makes it sure: in each of at least five, p95 must
// stay within the bound.
package experiment
