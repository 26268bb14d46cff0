// Package rootcause turns facts into verdicts. It is a deterministic function
// of the facts and their order: it knows no clock, goroutine, lock, log or I/O.
package rootcause
