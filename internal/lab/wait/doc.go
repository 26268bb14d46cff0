// Package wait waits, never longer than its context lasts.
package wait
