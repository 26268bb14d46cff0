// Package lab plays scenarios for real and judges what the collector says of them:
// a site, an open-loop load on it, real backups beside it, and a plan that plays
// them in order. It runs on Linux only, and stays on the loopback interface and in
// networks of its own.
package lab
