// SPDX-License-Identifier: MIT OR GPL-2.0-only
// From the kernel's structures to records.
#pragma once

#define PF_KTHREAD 0x00200000
#define MAX_RT_PRIO 100
#define PIDTYPE_PGID 2
#define PIDTYPE_SID 3

static __always_inline void read_usage(struct usage *u, struct task_struct *t)
{
	u->run = t->se.sum_exec_runtime;
	u->user = t->utime;
	u->system = t->stime;
	if (bpf_core_field_exists(struct task_io_accounting, read_bytes)) {
		u->read = t->ioac.read_bytes;
		u->written = t->ioac.write_bytes;
	}
	u->voluntary = t->nvcsw;
	u->involuntary = t->nivcsw;
	u->minor = t->min_flt;
	u->major = t->maj_flt;
}

static __always_inline void read_ended(struct usage *u, struct signal_struct *s)
{
	u->run = s->sum_sched_runtime;
	u->user = s->utime;
	u->system = s->stime;
	if (bpf_core_field_exists(struct task_io_accounting, read_bytes)) {
		u->read = s->ioac.read_bytes;
		u->written = s->ioac.write_bytes;
	}
	u->voluntary = s->nvcsw;
	u->involuntary = s->nivcsw;
	u->minor = s->min_flt;
	u->major = s->maj_flt;
}

static __always_inline void read_thread(struct thread *r, struct task_struct *t)
{
	struct task_delay_info *d = t->delays;
	struct io_context *io = t->io_context;
	__u32 flags = 0;

	r->head.id = t->pid;
	r->process = t->tgid;
	r->start = t->start_boottime;
	read_usage(&r->usage, t);
	if (bpf_core_field_exists(struct task_io_accounting, read_bytes))
		flags |= FLAG_IO;
	if (bpf_core_field_exists(struct sched_info, run_delay)) {
		r->run_delay = t->sched_info.run_delay;
		flags |= FLAG_RUN_DELAY;
	}
	if (d) {
		r->block_delay = d->blkio_delay;
		r->swap_delay = d->swapin_delay;
		if (bpf_core_field_exists(struct task_delay_info, thrashing_delay))
			r->thrashing_delay = d->thrashing_delay;
		flags |= FLAG_DELAYS;
	}
	if (t->flags & PF_KTHREAD)
		flags |= FLAG_KERNEL;
	r->flags = flags;
	r->nice = t->static_prio - MAX_RT_PRIO - 20;
	if (io)
		r->io_priority = io->ioprio;
}

static __always_inline __u64 resident(struct mm_struct *mm)
{
	__s64 files, anonymous, shared;

	if (bpf_core_type_exists(struct mm_rss_stat)) {
		struct mm_struct___atomic *old = (void *)mm;

		files = old->rss_stat.count[0].counter;
		anonymous = old->rss_stat.count[1].counter;
		shared = old->rss_stat.count[3].counter;
	} else {
		files = mm->rss_stat[0].count;
		anonymous = mm->rss_stat[1].count;
		shared = mm->rss_stat[3].count;
	}
	// They may be below zero for a moment.
	return (files > 0 ? files : 0) + (anonymous > 0 ? anonymous : 0) + (shared > 0 ? shared : 0);
}

static __always_inline void read_cgroups(struct leader *r, struct task_struct *t)
{
	struct css_set *set = t->cgroups;
	struct cgroup_subsys_state *css;

	r->cgroup = set->dfl_cgrp->kn->id;
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, cpu_cgrp_id))
		return;
	if (bpf_core_read(&css, sizeof(css), &set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id)]) == 0)
		r->cpu_cgroup = BPF_CORE_READ(css, cgroup, kn, id);
}

static __always_inline void read_leader(struct leader *r, struct task_struct *t)
{
	struct signal_struct *s = t->signal;
	struct mm_struct *mm = t->mm;

	read_thread(&r->thread, t);
	read_ended(&r->ended, s);
	r->children_user = s->cutime;
	r->children_system = s->cstime;
	if (bpf_core_field_exists(struct signal_struct, prev_cputime)) {
		r->told_user = s->prev_cputime.utime;
		r->told_system = s->prev_cputime.stime;
	}
	if (mm) {
		r->resident = resident(mm);
		r->total = mm->total_vm;
	}
	read_cgroups(r, t);
	r->execs = t->self_exec_id;
	r->cpus = t->cpus_ptr->bits[0];
	r->cpu_count = t->nr_cpus_allowed;
	r->parent = t->real_parent->tgid;
	r->group = s->pids[PIDTYPE_PGID]->numbers[0].nr;
	r->session = s->pids[PIDTYPE_SID]->numbers[0].nr;
	r->user = t->real_cred->euid.val;
	r->threads = s->nr_threads;
	if (s->tty)
		r->thread.flags |= FLAG_TTY;
	__builtin_memcpy(r->name, t->comm, sizeof(r->name));
}
