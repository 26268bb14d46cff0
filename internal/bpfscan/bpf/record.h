// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What the programs hand to user space. record.go reads it: change both.
// All fields have their natural alignment, so there are no gaps.
#pragma once

enum kind {
	KIND_BEGIN = 1,  // struct begin: the first of a list
	KIND_THREAD = 2, // struct thread
	KIND_LEADER = 3, // struct leader: the thread whose ID is the process's
	KIND_END = 4,    // struct end: the last of a list
	KIND_EXIT = 5,   // struct exit: a process ends
	KIND_FREE = 6,   // struct free: it is gone
	KIND_SAME = 7,   // struct head: what was told of this thread before still holds
	KIND_PATHS = 8,  // struct paths
	KIND_RETRANSMITS = 9, // struct retransmits
};

enum flag {
	FLAG_KERNEL = 1,    // a thread of the kernel
	FLAG_TTY = 2,       // has a controlling terminal
	FLAG_DELAYS = 4,    // the delays are accounted
	FLAG_RUN_DELAY = 8, // run_delay means something
	FLAG_IO = 16,       // read and written mean something
	FLAG_DISCARDED = 32, // the parent wants no news of its end
};

struct head {
	__u16 kind;
	__u16 size; // of the record, the head included
	__u32 id;   // of the thread; the main thread's is the process's
};

struct begin {
	struct head head;
	__u64 now;   // ns since boot
	__u64 level; // of the reader's PID namespace; 0 is the initial one
};

struct end {
	struct head head;
	__u64 lost; // messages that did not fit into the ring, since it was made
};

// What threads use: one of them, or the ones of a process that ended.
struct usage {
	__u64 run; // ns
	__u64 user; // ns
	__u64 system; // ns
	__u64 read; // bytes
	__u64 written; // bytes
	__u64 voluntary;
	__u64 involuntary;
	__u64 minor;
	__u64 major;
};

struct thread {
	struct head head;
	__u32 process;
	__u32 flags;
	__u64 start; // ns since boot
	struct usage usage;
	__u64 run_delay; // ns
	__u64 block_delay; // ns
	__u64 swap_delay; // ns
	__u64 thrashing_delay; // ns
	__s32 nice;
	__u32 io_priority;
};

struct traffic {
	__u64 tcp_received;
	__u64 tcp_transmitted;
	__u64 udp_received;
	__u64 udp_transmitted;
	__u64 flight; // TCP bytes sent, each times the ms of the smoothed round trip then
};

struct leader {
	struct thread thread;
	struct usage ended; // its threads that ended; read and written of its children, too
	__u64 children_user; // ns
	__u64 children_system; // ns
	__u64 told_user;   // ns, as the proc file system told last
	__u64 told_system; // ns
	struct traffic traffic;
	__u64 resident; // pages
	__u64 total; // pages
	__u64 cgroup; // ID in the unified hierarchy
	__u64 cpu_cgroup; // ID in the hierarchy of the cpu controller
	__u64 execs;
	__u64 cpus; // the first of those it may run on
	__u32 cpu_count;
	__u32 parent;
	__u32 group;
	__u32 session;
	__u32 user;
	__u32 threads;
	char name[16];
};

struct exit {
	struct leader leader;
	__u64 at; // ns since boot
};

struct free {
	struct head head;
	__u64 start;
	struct usage ended;
	__u64 children_user;
	__u64 children_system;
};

// What is known of the TCP sockets of a process.
struct paths {
	struct head head;
	__u64 start;       // of the process, ns since boot
	__u64 srtt;        // us / 8, sum over the established ones that carried data
	__u32 established; // how many those are
	__u32 listening;
};

// A socket that had to send again.
struct retransmits {
	struct head head;
	__u64 inode;
	__u64 count;
};
