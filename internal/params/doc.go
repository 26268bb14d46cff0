// Package params keeps the engine's numbers in files: the shipped ones, with
// what they rest on, in default.yaml, and those that somebody fitted elsewhere.
//
// A file is YAML. It may hold only what differs from the shipped numbers:
//
//	provenance:
//	  how: fitted by logistic regression
//	  date: 2026-11-21
//	  sets: [{name: injected incidents, cases: 420, scores: {top1: 0.96, brier: 0.04}}]
//	weights:
//	  shift: 2.31
//	verdict:
//	  temperature: 1.4
//
// What is promised: what Write wrote is read back equal, to the last bit; what
// is misspelled, stands there twice, is no number or out of its range is an error
// that names the line, the key and the cure. What is not: that numbers within
// their range make sense together.
package params
