// Package evaluate judges the engine on folders of labelled incidents: it turns
// each set's rows into facts, asks the engine for verdicts the way the product
// does, and counts how often they are right, with simpler methods beside it on
// the same cases. A set is described by a mapping, which is data; the engine
// knows nothing of it.
//
//	folder ── mapping ── facts ── rootcause.Engine ── verdicts ── measures
//	   └────────── columns ────── baselines ─────────────────────────┘
//
// Journals of the product, such as the lab's recordings, are sets too: they are
// replayed, and counted by scenario; those of one half are never fitted on.
//
// Guaranteed: the same folder, engine and options give the same report. Sets are
// never pooled. Not guaranteed: that a set's cases are independent of each other;
// the intervals take them to be so.
package evaluate
