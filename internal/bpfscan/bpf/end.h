// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The ends of processes.
#pragma once

#define SIGCHLD 17
#define SA_NOCLDWAIT 2

static __always_inline void lose(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&lost, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
}

// discarded tells that the kernel will not keep a zombie for the parent.
static __always_inline _Bool discarded(struct task_struct *leader)
{
	struct sighand_struct *h = leader->real_parent->sighand;

	if (leader->exit_signal != SIGCHLD || !h)
		return 0;
	return (unsigned long)h->action[SIGCHLD - 1].sa.sa_handler == 1 ||
	       (h->action[SIGCHLD - 1].sa.sa_flags & SA_NOCLDWAIT);
}

static __always_inline int ended(struct task_struct *t, _Bool with_traffic)
{
	struct task_struct *leader = t->group_leader;
	struct exit *e;

	// Only the last thread: it may not be the main one.
	if (t->signal->live.counter > 0)
		return 0;
	e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e) {
		lose();
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->leader.thread.head.kind = KIND_EXIT;
	e->leader.thread.head.size = sizeof(*e);
	e->at = bpf_ktime_get_boot_ns();
	read_leader(&e->leader, leader);
	if (t->pid != leader->pid) {
		struct usage *u = &e->leader.ended;

		u->run += t->se.sum_exec_runtime;
		u->user += t->utime;
		u->system += t->stime;
		u->voluntary += t->nvcsw;
		u->involuntary += t->nivcsw;
		u->minor += t->min_flt;
		u->major += t->maj_flt;
		if (bpf_core_field_exists(struct task_io_accounting, read_bytes)) {
			u->read += t->ioac.read_bytes;
			u->written += t->ioac.write_bytes;
		}
	}
	if (with_traffic) {
		struct networked *n = bpf_task_storage_get(&traffics, leader, 0, 0);

		if (n)
			e->leader.traffic = n->traffic;
	}
	if (discarded(leader))
		e->leader.thread.flags |= FLAG_DISCARDED;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *t)
{
	return ended(t, 0);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit_traffic, struct task_struct *t)
{
	return ended(t, 1);
}

// process_free sees the totals that the exit could not: the time slice in which
// the process ended, and what closing its files wrote.
SEC("tp_btf/sched_process_free")
int BPF_PROG(process_free, struct task_struct *t)
{
	struct signal_struct *s = t->signal;
	struct free *f;

	if (t->pid != t->tgid)
		return 0;
	f = bpf_ringbuf_reserve(&ring, sizeof(*f), 0);
	if (!f) {
		lose();
		return 0;
	}
	__builtin_memset(f, 0, sizeof(*f));
	f->head.kind = KIND_FREE;
	f->head.size = sizeof(*f);
	f->head.id = t->tgid;
	f->start = t->start_boottime;
	read_ended(&f->ended, s);
	f->children_user = s->cutime;
	f->children_system = s->cstime;
	bpf_ringbuf_submit(f, BPF_RB_NO_WAKEUP);
	return 0;
}
