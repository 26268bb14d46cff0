// Package collector is how the lab deals with otelcol-culprit: it finds the
// program, sends it marks and receives its findings.
package collector
