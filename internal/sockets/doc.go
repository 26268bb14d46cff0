// Package sockets says how many bytes the TCP connections of each process
// carried, and which server process a client talks to, without BPF: the kernel
// lists its sockets over netlink (sock_diag), and /proc/PID/fd says who holds
// them.
//
// An update costs a list of the TCP sockets of each network namespace and, for
// sockets that nobody is known to hold, the descriptors of the processes that
// ran since they were last read: a bounded number of them, the rest at the next
// update. In the steady state it allocates nothing.
//
// Guaranteed: the counters of a process never go back while it lives; a byte is
// credited once to one process, or reported once as nobody's, never both. Both
// ends of a connection within the host count it: each process did it.
//
// Who owns a socket that several processes hold: the one with the lowest PID of
// those that were seen to hold it, until it closes its copy or ends; then the
// next. A listening socket makes servers of all that hold it.
//
// Not guaranteed: what a connection carried after the last update that saw it is
// lost when it is closed (closing takes a while if data are still to be
// acknowledged, and then counts), so connections that live shorter than the time
// between two updates are mostly missed. The bytes sent are those that were
// acknowledged, and how long those were under way is what the connection says when
// it is listed. The end of a connection counts as one byte received. Bytes of
// UDP, of the kernel's threads and of the kernel's own sockets (NFS, for instance) cannot be had in this
// way. A socket that was handed to another process is noticed within 64 updates.
//
// A network namespace that lost its last process lives on until the next update.
//
// Rights: the list needs none. The descriptors of another user's process need
// CAP_DAC_READ_SEARCH to be listed and CAP_SYS_PTRACE to be told apart; those of
// the same user need neither, unless the process holds more rights than the
// reader. Other network namespaces need CAP_SYS_ADMIN. What may not be read is
// counted, and the fields in question are marked unknown.
package sockets
