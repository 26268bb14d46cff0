// Package trial plays an experiment for real: it loads the user's site, runs the
// user's backup beside it block by block, measures both, and undoes what it
// changed. Linux only.
//
// Guarantees: the site is on the loopback interface or was named as the user's
// own; the whole ends in bounded time; at most one backup runs at a time, and none
// after Run returned. A backup that escapes from its session (by setsid) escapes
// from this, too.
package trial
