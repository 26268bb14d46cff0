// Package procscan reads the processes of a proc file system, fast enough to do
// it every second on a host with thousands of them.
//
// A scan costs one directory listing and, for each process, one to four small
// files, each read whole by one read into a buffer that is used again. In the
// steady state a scan allocates nothing. What a process is (command line,
// cgroup, executable, CPUs it may use) is read once, again after an exec, and
// now and then in case somebody moved it.
//
// Guaranteed: a process is its PID and its start, so a reused PID is a new
// process, and what is read in a scan is all of the same process; its start
// never moves, whatever happens to the host's clock; a counter never goes
// backwards, also if the process could not be read for a while. Without file
// descriptors or memory a scan is an error and never an empty list.
//
// Not guaranteed: a process that lived and died between two scans is not seen
// (its parent inherits its bytes in /proc/PID/io). Processes that end during a
// scan and files that may not be read are normal: they are counted, and the
// fields in question are marked unknown.
//
// Only Linux has such a file system; the package builds nowhere else.
package procscan
