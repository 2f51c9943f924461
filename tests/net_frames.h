/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames as guests make them, in pieces of memory of exactly their size, so that ASan sees a step
 * past an end; and a checksum that was written without a look at the real one.
 */
#ifndef TESTS_NET_FRAMES_H
#define TESTS_NET_FRAMES_H

#include "devices/backend/net_offload.h"
#include <stdlib.h>
#include <string.h>

#define TEST_FRAME_MAX 70000U
#define TEST_SEGS 64U

enum test_frame_form {
	FORM_VLAN = 1,     /* a tag in the frame */
	FORM_V6 = 2,       /* else IPv4 */
	FORM_UDP = 4,      /* else TCP */
	FORM_OPTIONS = 8,  /* IPv4 options or IPv6 hop-by-hop header, and TCP options */
	FORM_FRAGMENT = 16 /* IPv4: more to come */
};

struct test_frame {
	uint8_t bytes[TEST_FRAME_MAX];
	uint32_t len, l3, l4, payload;
	unsigned form;
	uint8_t head[NET_HEAD_MAX]; /* the private copy */
	struct io_seg segs[TEST_SEGS];
	unsigned n_segs;
	struct net_frame frame;
};

static inline void be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint32_t rd16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* [RFC1071], by the letter: big-endian words, one after the other. */
static inline uint32_t ref_sum(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* What a receiver computes over all of it: 0xffff when the checksum in there is right. */
static inline uint32_t ref_l4_sum(const uint8_t *b, uint32_t l3, uint32_t l4, uint32_t len)
{
	bool v6 = b[l3] >> 4 == 6;
	uint32_t proto, sum;

	if (v6) {
		proto = b[l3 + 6] == 0 ? b[l3 + 40] : b[l3 + 6];
		sum = ref_sum(0, b + l3 + 8, 32);
	} else {
		proto = b[l3 + 9];
		sum = ref_sum(0, b + l3 + 12, 8);
	}
	sum += proto;
	sum += len - l4;
	sum = (sum & 0xffff) + (sum >> 16);
	return ref_sum(sum, b + l4, len - l4);
}

static inline void free_frame(struct test_frame *t)
{
	for (unsigned i = 0; i < t->n_segs; i++) {
		free(t->segs[i].hva);
	}
	t->n_segs = 0;
}

/* An IP packet with n bytes of payload. */
static inline void make_frame(struct test_frame *t, unsigned form, uint32_t n)
{
	uint8_t *b = t->bytes, *p = b + 12;
	bool v6 = form & FORM_V6;
	uint32_t l4_len;

	free_frame(t);
	memset(t, 0, sizeof(*t));
	t->form = form;
	memcpy(b, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01", 12);
	if (form & FORM_VLAN) {
		be16(p, 0x8100);
		be16(p + 2, 0x0123);
		p += 4;
	}
	be16(p, v6 ? 0x86dd : 0x0800);
	p += 2;
	t->l3 = (uint32_t)(p - b);
	t->l4 = t->l3 + (v6 ? 40 : 20) + (form & FORM_OPTIONS ? 8 : 0);
	l4_len = form & FORM_UDP ? 8 : form & FORM_OPTIONS ? 32 : 20;
	t->payload = t->l4 + l4_len;
	t->len = t->payload + n;
	if (v6) {
		p[0] = 0x60;
		be16(p + 4, t->len - t->l3 - 40);
		p[6] = form & FORM_OPTIONS ? 0 : form & FORM_UDP ? 17 : 6;
		p[7] = 64;
		memcpy(p + 8, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
		memcpy(p + 24, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
		if (form & FORM_OPTIONS) {
			memcpy(p + 40, "\x06\0\x01\x04\0\0\0\0", 8);
			p[40] = form & FORM_UDP ? 17 : 6;
		}
	} else {
		p[0] = form & FORM_OPTIONS ? 0x47 : 0x45;
		be16(p + 2, t->len - t->l3);
		be16(p + 4, 0xfffe); /* id: about to wrap */
		be16(p + 6, form & FORM_FRAGMENT ? 0x2000 : 0x4000);
		p[8] = 64;
		p[9] = form & FORM_UDP ? 17 : 6;
		memcpy(p + 12, "\x0a\0\0\x01\x0a\0\0\x02", 8);
		if (form & FORM_OPTIONS) {
			memset(p + 20, 1, 8);
		}
	}
	p = b + t->l4;
	be16(p, 1000);
	be16(p + 2, 2000);
	if (form & FORM_UDP) {
		be16(p + 4, n + 8);
		be16(p + 6, 0x1234);
	} else {
		memcpy(p + 4, "\xff\xff\xff\x00\x01\x02\x03\x04", 8); /* number: about to wrap */
		p[12] = form & FORM_OPTIONS ? 0x80 : 0x50;
		p[13] = 0x99; /* CWR, ACK, PSH, FIN */
		be16(p + 14, 512);
		be16(p + 16, 0xabcd);
		memset(p + 20, 1, l4_len - 20);
	}
	for (uint32_t i = 0; i < n; i++) {
		b[t->payload + i] = (uint8_t)(i * 7 + (i >> 8));
	}
}

/* As an adapter hands it over: the first 256 bytes copied, all of it in segments of 'piece' bytes.
 */
static inline void lay_out(struct test_frame *t, uint32_t piece)
{
	free_frame(t);
	for (uint32_t at = 0; at < t->len; at += piece) {
		uint32_t n =
		        t->len - at < piece || t->n_segs == TEST_SEGS - 1 ? t->len - at : piece;

		t->segs[t->n_segs].hva = malloc(n);
		memcpy(t->segs[t->n_segs].hva, t->bytes + at, n);
		t->segs[t->n_segs++].len = n;
		if (n != piece) {
			break;
		}
	}
	t->frame = (struct net_frame){
	        .head = t->head,
	        .head_len = t->len < NET_HEAD_MAX ? t->len : NET_HEAD_MAX,
	        .len = t->len,
	        .segs = t->segs,
	        .n_segs = t->n_segs,
	};
	t->frame.body_at = t->frame.head_len;
	memcpy(t->head, t->bytes, t->frame.head_len);
}

/* A frame's bytes, in one piece. */
static inline void flatten(const struct net_frame *f, uint8_t *to)
{
	for (uint32_t at = 0; at < f->len;) {
		uint32_t n = f->len - at;
		const uint8_t *run = net_frame_run(f, at, &n);

		if (n == 0) {
			abort();
		}
		memcpy(to + at, run, n);
		at += n;
	}
}

#endif
