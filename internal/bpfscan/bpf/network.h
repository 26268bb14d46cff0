// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The bytes that go over sockets.
#pragma once

#define MSG_PEEK 2
#define MSG_ERRQUEUE 0x2000

// flight is how long what is sent now takes to be acknowledged, as far as the
// connection knows: bytes times ms. Multipath TCP has no such time of its own.
static __always_inline __u64 flight(struct sock *sk, __u16 protocol, int bytes)
{
	if (protocol != IPPROTO_TCP)
		return 0;
	return (__u64)bytes * (BPF_CORE_READ((struct tcp_sock *)sk, srtt_us) >> 3) / 1000;
}

// count adds to the traffic of the process that made the call.
static __always_inline int count(struct sock *sk, int bytes, _Bool received)
{
	struct networked *n;
	__u16 protocol;

	if (bytes <= 0 || (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6))
		return 0;
	protocol = sk->sk_protocol;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_MPTCP && protocol != IPPROTO_UDPLITE)
		return 0;
	n = bpf_task_storage_get(&traffics, bpf_get_current_task_btf()->group_leader, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!n)
		return 0;
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) {
		__sync_fetch_and_add(received ? &n->traffic.tcp_received : &n->traffic.tcp_transmitted, bytes);
		if (!received)
			__sync_fetch_and_add(&n->traffic.flight, flight(sk, protocol, bytes));
	} else {
		__sync_fetch_and_add(received ? &n->traffic.udp_received : &n->traffic.udp_transmitted, bytes);
	}
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(socket_sent, struct sock *sk, int bytes, int flags)
{
	return count(sk, bytes, 0);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(socket_received, struct sock *sk, int bytes, int flags)
{
	// A peek is read again, and the error queue holds what was sent.
	if (flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	return count(sk, bytes, 1);
}
