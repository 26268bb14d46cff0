// Package output is what a person sees of a run while it goes on, and how numbers
// that may be unknown are told to programs.
package output
