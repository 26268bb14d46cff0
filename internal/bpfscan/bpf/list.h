// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The list of all threads.
#pragma once

// What was told of a thread last.
struct told {
	__u64 task;
	__u64 run;
	__u64 parent;
	__u64 cgroups;
};

#define TOLD 65536

// tolds is a table with one place for all thread IDs that are equal modulo its
// size: who finds its place taken is told of in full each time. Whoever did not
// run since it was told of is what it was, but for what others did to it, and
// most threads of a host are such.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TOLD);
	__type(key, __u32);
	__type(value, struct told);
} tolds SEC(".maps");

// list_state counts the lists. User space clears whole when it has what went
// before, or sets it to be told of everything.
struct list_state {
	__u64 lists;
	__u64 whole; // the lists up to this one are to be whole
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct list_state);
} list_states SEC(".maps");

// Every thread is told of in full once in so many lists: its memory and its
// priorities change without its doing.
#define TURNS 32

static __always_inline _Bool same(struct told *told, struct list_state *state, struct task_struct *t)
{
	return told->task == (__u64)t && told->run == t->se.sum_exec_runtime &&
	       told->parent == (__u64)t->real_parent && told->cgroups == (__u64)t->cgroups &&
	       ((t->pid ^ state->lists) & (TURNS - 1)) && state->lists > state->whole;
}

static __always_inline void remember(struct told *told, struct task_struct *t, __u64 run)
{
	told->task = (__u64)t;
	told->run = run;
	told->parent = (__u64)t->real_parent;
	told->cgroups = (__u64)t->cgroups;
}

static __always_inline void write_begin(struct seq_file *seq, struct list_state *state)
{
	struct begin b = {.head = {KIND_BEGIN, sizeof(b)}};
	struct task_struct *reader = bpf_get_current_task_btf();

	state->lists++;
	b.head.id = reader->tgid;
	b.now = bpf_ktime_get_boot_ns();
	b.level = reader->thread_pid->level;
	bpf_seq_write(seq, &b, sizeof(b));
}

static __always_inline void write_end(struct seq_file *seq)
{
	struct end e = {.head = {KIND_END, sizeof(e)}};
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&lost, &zero);

	if (n)
		e.lost = *n;
	bpf_seq_write(seq, &e, sizeof(e));
}

// leaders has room for the record that is being made, which the stack has not.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct leader);
} leaders SEC(".maps");

// Of a process that goes on using sockets they are looked at once in so many
// lists.
#define LOOKS 5

// tell_paths looks at the sockets of a process, and reports whether all that was
// found could be told.
static __always_inline _Bool tell_paths(struct seq_file *seq, struct task_struct *t, struct list_state *state,
					struct networked *n)
{
	struct walk w = {};

	if (n->looked && state->lists > state->whole && state->lists - n->looked < LOOKS)
		return 1;
	look(&w, seq, t);
	if (w.failed || bpf_seq_write(seq, &w.paths, sizeof(w.paths)))
		return 0;
	n->looked = state->lists;
	return 1;
}

// tell writes the record of a main thread. It returns 1 if that holds as long as
// the thread does not run, 0 if not or if it did not fit.
static __always_inline int tell(struct seq_file *seq, struct task_struct *t, struct list_state *state, _Bool with_traffic)
{
	struct networked *n = 0;
	struct leader *r;
	__u32 key = 0;

	r = bpf_map_lookup_elem(&leaders, &key);
	if (!r)
		return 0;
	__builtin_memset(r, 0, sizeof(*r));
	r->thread.head.kind = KIND_LEADER;
	r->thread.head.size = sizeof(*r);
	read_leader(r, t);
	if (with_traffic) {
		n = bpf_task_storage_get(&traffics, t, 0, 0);
		if (n)
			r->traffic = n->traffic;
	}
	if (bpf_seq_write(seq, r, sizeof(*r)))
		return 0;
	if (n && !tell_paths(seq, t, state, n))
		return 0;
	// What other threads did and left would not show in the main thread.
	return r->threads == 1;
}

static __always_inline int list(struct bpf_iter__task *ctx, _Bool with_traffic)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *t = ctx->task;
	struct list_state *state;
	struct told *told;
	__u32 key = 0;
	__u64 run;

	if (!t) {
		write_end(seq);
		return 0;
	}
	state = bpf_map_lookup_elem(&list_states, &key);
	key = t->pid & (TOLD - 1);
	told = bpf_map_lookup_elem(&tolds, &key);
	if (!state || !told)
		return 0;
	if (ctx->meta->seq_num == 0)
		write_begin(seq, state);
	if (same(told, state, t)) {
		struct head r = {KIND_SAME, sizeof(r), t->pid};

		bpf_seq_write(seq, &r, sizeof(r));
		return 0;
	}
	// Where a record does not fit the program is run again for the same thread,
	// so that nothing may be remembered of it.
	told->task = 0;
	run = t->se.sum_exec_runtime;
	if (t->pid != t->tgid) {
		struct thread r = {.head = {KIND_THREAD, sizeof(r)}};

		read_thread(&r, t);
		if (bpf_seq_write(seq, &r, sizeof(r)) == 0)
			remember(told, t, run);
		return 0;
	}
	if (tell(seq, t, state, with_traffic) == 1)
		remember(told, t, run);
	return 0;
}
