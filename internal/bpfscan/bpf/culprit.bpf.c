// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "record.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP 262

// lost counts the messages that did not fit into the ring.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

// networked is what is kept of a process that used a socket.
struct networked {
	struct traffic traffic;
	__u64 looked; // the number of the list for which its sockets were looked at
};

// traffics hangs what went over the sockets of a process on its main thread,
// and goes with it.
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct networked);
} traffics SEC(".maps");

// These use the maps above.
#include "read.h"
#include "paths.h"
#include "list.h"
#include "end.h"
#include "network.h"

SEC("iter/task")
int list_tasks(struct bpf_iter__task *ctx)
{
	return list(ctx, 0);
}

SEC("iter/task")
int list_tasks_traffic(struct bpf_iter__task *ctx)
{
	return list(ctx, 1);
}

// list_paths looks at the TCP sockets of all processes, in all network
// namespaces.
SEC("iter/task")
int list_paths(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *t = ctx->task;
	struct walk w = {};

	if (!t) {
		write_end(seq);
		return 0;
	}
	if (t->pid != t->tgid)
		return 0;
	look(&w, seq, t);
	if (w.paths.listening || w.paths.established)
		bpf_seq_write(seq, &w.paths, sizeof(w.paths));
	return 0;
}
