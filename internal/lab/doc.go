// Package lab makes an incident for real and watches whether it is explained: a
// small web site, an open-loop load on it, real backups beside it, and a plan
// that plays them in order. It runs on Linux only, and stays on the loopback
// interface and in networks of its own. The demo needs no root.
package lab
