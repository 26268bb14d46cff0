// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The way through the descriptors of a process to its TCP sockets.
#pragma once

#define S_IFMT 0xf000
#define S_IFSOCK 0xc000
#define TCP_ESTABLISHED 1
#define TCP_LISTEN 10
#define WORD 64
#define MAX_WORDS 16384

// walk is the way through the descriptors of a process.
struct walk {
	struct seq_file *seq;
	struct file **files;
	unsigned long *open;
	struct paths paths;
	unsigned long bits; // the open ones of a word that are still to be visited
	__u32 word;
	__u32 retransmits; // records written
	long failed;       // a record did not fit
};

// So many sockets with retransmits of a process are told of, at most: a record
// of one process must fit into the kernel's buffer.
#define MAX_RETRANSMITS 256

static __always_inline void visit(struct walk *w, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct retransmits r = {.head = {KIND_RETRANSMITS, sizeof(r), w->paths.head.id}};
	struct socket *socket;
	struct tcp_sock *tcp;
	struct sock *sk;
	__u16 family, protocol;
	__u8 state;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	protocol = BPF_CORE_READ(sk, sk_protocol);
	if ((family != AF_INET && family != AF_INET6) || (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP))
		return;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN) {
		w->paths.listening++;
		return;
	}
	if (protocol == IPPROTO_MPTCP) {
		// Of several paths the first stands for all.
		if (!bpf_core_type_exists(struct mptcp_sock))
			return;
		sk = BPF_CORE_READ((struct mptcp_sock *)sk, first);
		if (!sk)
			return;
	}
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	tcp = (struct tcp_sock *)sk;
	if (state == TCP_ESTABLISHED && BPF_CORE_READ(tcp, bytes_received) + BPF_CORE_READ(tcp, bytes_acked) > 1) {
		w->paths.established++;
		w->paths.srtt += BPF_CORE_READ(tcp, srtt_us);
	}
	r.count = BPF_CORE_READ(tcp, total_retrans);
	if (r.count && w->retransmits < MAX_RETRANSMITS) {
		w->retransmits++;
		r.inode = BPF_CORE_READ(inode, i_ino);
		w->failed |= bpf_seq_write(w->seq, &r, sizeof(r));
	}
}

static __always_inline int lowest_bit(unsigned long bits)
{
	int n = 0;

#pragma unroll
	for (int half = WORD / 2; half; half /= 2) {
		if (!(bits & ((1UL << half) - 1))) {
			bits >>= half;
			n += half;
		}
	}
	return n;
}

// visit_bit visits the lowest open descriptor of the word and takes it away.
static long visit_bit(__u32 index, struct walk *w)
{
	struct file *file;
	int lowest;

	if (!w->bits)
		return 1;
	lowest = lowest_bit(w->bits);
	w->bits &= w->bits - 1;
	if (bpf_probe_read_kernel(&file, sizeof(file), &w->files[w->word * WORD + lowest]) == 0 && file)
		visit(w, file);
	return 0;
}

static long visit_word(__u32 word, struct walk *w)
{
	w->word = word;
	if (bpf_probe_read_kernel(&w->bits, sizeof(w->bits), &w->open[word]) == 0 && w->bits)
		bpf_loop(WORD, visit_bit, w, 0);
	return 0;
}

// look sums up the TCP sockets of a process.
static __always_inline void look(struct walk *w, struct seq_file *seq, struct task_struct *t)
{
	struct files_struct *files = t->files;
	struct fdtable *table;
	__u32 words;

	w->paths.head.kind = KIND_PATHS;
	w->paths.head.size = sizeof(w->paths);
	w->paths.head.id = t->tgid;
	w->paths.start = t->start_boottime;
	if (!files)
		return;
	table = files->fdt;
	words = table->max_fds / WORD;
	w->seq = seq;
	w->files = table->fd;
	w->open = table->open_fds;
	bpf_loop(words < MAX_WORDS ? words : MAX_WORDS, visit_word, w, 0);
}
