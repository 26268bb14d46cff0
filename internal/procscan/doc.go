// Package procscan reads the processes of a proc file system, fast enough to do
// it every second on a host with tens of thousands of them.
//
// A scan costs one directory listing and, for each process, the question whether
// it ran since the last scan: a system call that reads its CPU clock, or a small
// file that is kept open. One that did not is as it was. Of one that ran the
// counters are read, one to four files, each whole by one read into a buffer that
// is used again; files of those that run often are kept open, within a bound. In
// the steady state a scan allocates nothing. What a process is (command line,
// cgroup, executable, user, priorities, CPUs it may use) is read when it is new,
// after an exec, and now and then in case somebody moved it.
//
// Guaranteed: a process is its PID and its start, so a reused PID is a new
// process, and what is read in a scan is all of the same process; its start
// never moves, whatever happens to the host's clock; a counter never goes
// backwards, also if the process could not be read for a while or is a zombie.
// Without file descriptors or memory a scan first gives back what it kept open;
// if that does not help it is an error and never an empty list.
//
// Not guaranteed: a process that lived and died between two scans is not seen
// (its parent inherits its bytes in /proc/PID/io and its CPU time). The memory of
// a process that does not run, and what others change of it, such as its
// priority, is up to half a minute old at one scan a second; its parent is not.
// What a process did since the kernel's last tick shows in the scan after.
// Processes that end during a scan and files that may not be read are normal:
// they are counted, and the fields in question are marked unknown.
//
// Only Linux has such a file system; the package builds nowhere else.
package procscan
