// Package experiment plans a test of what a backup does to a web site, and
// decides from its figures what the two contend for and what helps. It measures
// nothing itself: package trial does.
//
// An experiment is made of blocks. In each the site is measured for a while: with
// no backup (the baseline), with the backup as it is (plain), or with the backup
// and one remedy. All of these are played once in each repeat, in random order,
// so that what drifts does not count for or against one of them. Figures are
// compared within a repeat; intervals come from drawing repeats again and again
// with replacement, so that a block counts as one observation, however many
// requests it had.
package experiment
