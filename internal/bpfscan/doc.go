// Package bpfscan has the kernel list the processes of a host: eBPF programs
// write what the files of a proc file system say, and more, as compact records.
// It yields the same values as package procscan at a small part of its cost.
//
// # What it reads
//
// An iterator over all threads writes a record for each: its CPU time, bytes to
// and from storage, waits, faults and context switches; that of a main thread
// says the same of the threads of its process that ended, and parents, groups,
// memory and cgroups. A thread that did not run since it was last told of is one
// word. Threads are summed here.
//
// Two tracepoints, one where a process ends and one where it is freed, put its
// last totals into a ring, which is emptied once a scan: processes that lived for
// milliseconds are known, with their bytes and all but a hundredth of their CPU
// time. Two at the sockets count the bytes of TCP (MPTCP included) and UDP, on
// whichever network namespace and by whichever system call, but for what a
// process takes off a socket by splice or a mapping, and how long what is sent
// over TCP is under way, as far as its connection knows. Round trip times, retransmits
// and listening sockets are found by looking through the open descriptors: of a
// process that goes on using sockets every five scans, of all every sixty.
//
// Command lines, executables and the paths of cgroups come from the proc file
// system, by procscan, once for a process and again when something about it
// changed, or after thirty scans if it ran.
//
// # What it costs
//
// 0.2 to 0.3 us for each idle thread and scan, of which the kernel's own iterator
// takes 0.15 (0.4 without leaving out what did not change, 8 for procfs); half a
// microsecond more for one that ran, 1.3 us for a process that ends, and 0.07 us
// for each call that sends or receives. A scan allocates nothing in the steady
// state. Opening takes 0.3 s, most of it to read the kernel's types. The maps take
// 3 MiB of the kernel's memory, the ring that is mapped twice two more of RSS.
//
// # What it needs
//
// Linux 5.15 or newer with BTF, CAP_BPF and CAP_PERFMON (tested as a user without
// any other right), and the host's PID namespace. Network bytes need Linux 6.3,
// the look at sockets 5.17; without them these parts are off, and Missing tells.
// It was run on Linux 6.18; what older kernels lack is found by trying. To
// describe processes of other users it needs CAP_SYS_PTRACE and
// CAP_DAC_READ_SEARCH, as procscan does; their bytes need neither.
//
// # Guaranteed
//
// A process is its PID and its start. A counter never goes backwards; the CPU
// time is exact, and divided into user and system as the kernel does it. A
// process is listed as long as it can be waited for; a scan that does not list it
// any more tells of its end, once, with totals no smaller than the last ones, in
// the order of ends. Messages that did not fit into the ring are counted; a
// process that was seen before is told of all the same.
//
// # Not guaranteed
//
// What others do to a process that sleeps (its memory, niceness, I/O priority,
// CPUs) shows after up to 32 scans; a new parent or cgroup at once. Waits
// of threads that ended between two scans are lost since the last one, as in the
// kernel. The CPU time of a process that ended within some 20 ms before the scan
// lacks its last slice of up to a tick. The counters of traffic begin when the
// scanner is opened. Retransmits of connections that live for less than five
// scans are not seen.
//
// # Changing the programs
//
// The C sources are in the folder bpf; bpf/record.h and records.go say the same.
// The compiled programs are committed, so that a build needs no clang; go generate
// needs clang 14 or newer and the headers of libbpf.
package bpfscan

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package bpfscan -tags linux -target bpfel -no-global-types -cflags "-O2 -g -mcpu=v3 -Wall -Werror" kernel bpf/culprit.bpf.c
