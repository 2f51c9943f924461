// SPDX-License-Identifier: BSD-2-Clause
// The learning switch: who gets which frame, who is believed, and what is forgotten.
#include "devices/backend/net_switch.h"
#include "tests/net_frames.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"

#define PORTS 4U

static uint64_t now;
static unsigned handed; /* what the last sending returned */
static struct net_switch *sw;
static struct test_frame t;
static struct port {
	struct net_port port;
	unsigned frames, large, open;
	uint32_t len; /* of the last one */
	bool right;   /* its checksum */
	bool refuses;
} ports[NET_SWITCH_PORTS];

static uint64_t clock_now_ns(void)
{
	return now;
}

static bool receive(struct net_port *port, const struct net_frame *f)
{
	struct port *p = container_of(port, struct port, port);
	static uint8_t flat[TEST_FRAME_MAX];

	flatten(f, flat);
	p->frames++;
	p->large += f->mss != 0;
	p->open += f->csum_open;
	p->len = f->len;
	p->right = ref_l4_sum(flat, t.l3, t.l4, f->len) == 0xffff;
	return !p->refuses;
}

static const struct net_port_ops ops = {.receive = receive};

static uint64_t mac_of(unsigned i)
{
	return 0x020000000001 + i;
}

static void world(unsigned n)
{
	net_switch_reset();
	memset(ports, 0, sizeof(ports));
	now = 1000;
	sw = net_switch_make("sw", clock_now_ns);
	for (unsigned i = 0; i < n; i++) {
		ports[i].port = (struct net_port){
		        .ops = &ops, .owner = "vm", .number = i, .mac = mac_of(i)};
		ck_assert_int_eq(net_switch_attach(sw, &ports[i].port), 0);
	}
}

static void send(unsigned from, uint64_t src, uint64_t dst)
{
	make_frame(&t, 0, 100);
	net_mac_bytes(dst, t.bytes);
	net_mac_bytes(src, t.bytes + 6);
	lay_out(&t, 64);
	for (unsigned i = 0; i < NET_SWITCH_PORTS; i++) {
		ports[i].frames = 0;
	}
	handed = net_switch_send(&ports[from].port, &t.frame);
}

/* Bit n: port n got it. */
static unsigned got(void)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < PORTS; i++) {
		mask |= (ports[i].frames != 0) << i;
	}
	return mask;
}

START_TEST(forwarding)
{
	world(PORTS);
	send(0, mac_of(0), mac_of(2));
	ck_assert_uint_eq(got(), 1 << 2);
	ck_assert_uint_eq(ports[2].len, t.len);
	send(0, mac_of(0), NET_BROADCAST);
	ck_assert_uint_eq(got(), 0xe);
	ck_assert_uint_eq(handed, 3);
	send(1, mac_of(1), 0x01005e000001); /* a group */
	ck_assert_uint_eq(got(), 0xd);
	send(1, mac_of(1), 0x02ffffffff01); /* nobody knows it */
	ck_assert_uint_eq(got(), 0xd);
	send(1, mac_of(1), mac_of(1)); /* to itself */
	ck_assert_uint_eq(got(), 0);
	ck_assert_uint_eq(ports[1].port.stats.in_frames, 3);
	ck_assert_uint_eq(ports[1].port.stats.flooded, 2);
	ck_assert_uint_eq(ports[2].port.stats.out_frames, 4);
	ck_assert_uint_eq(ports[2].port.stats.out_bytes, 4 * t.len);
	ports[2].refuses = true;
	send(0, mac_of(0), mac_of(2));
	ck_assert_uint_eq(ports[2].port.stats.out_frames, 4);
	ck_assert_uint_eq(ports[2].port.stats.lost, 1);
}
END_TEST

START_TEST(learning)
{
	const uint64_t bridged = 0x02aaaaaaaa01;

	world(PORTS);
	send(3, bridged, mac_of(0)); /* something behind port 3 */
	ck_assert_uint_eq(got(), 1);
	send(0, mac_of(0), bridged);
	ck_assert_uint_eq(got(), 1 << 3);
	send(3, mac_of(3), bridged); /* where it came from */
	ck_assert_uint_eq(got(), 0);
	send(2, bridged, mac_of(0)); /* it has moved */
	send(0, mac_of(0), bridged);
	ck_assert_uint_eq(got(), 1 << 2);
	now += NET_SWITCH_AGE_NS;
	send(0, mac_of(0), bridged);
	ck_assert_uint_eq(got(), 1 << 2);
	now++;
	send(0, mac_of(0), bridged); /* forgotten */
	ck_assert_uint_eq(got(), 0xe);
}
END_TEST

/* Nobody draws a neighbour's frames to himself. */
START_TEST(forgery)
{
	world(PORTS);
	send(1, mac_of(0), NET_BROADCAST);
	ck_assert_uint_eq(got(), 0);
	ck_assert_uint_eq(ports[1].port.stats.forged, 1);
	send(2, mac_of(2), mac_of(0));
	ck_assert_uint_eq(got(), 1);
	send(1, NET_BROADCAST, mac_of(0));
	ck_assert_uint_eq(got(), 0);
	send(1, 0, mac_of(0));
	ck_assert_uint_eq(got(), 0);
	ck_assert_uint_eq(ports[1].port.stats.forged, 3);
}
END_TEST

/* One guest sends from ever new addresses: the table stays what it is, the others are served. */
START_TEST(flood_of_addresses)
{
	world(PORTS);
	for (uint64_t i = 0; i < 100000; i++) {
		send(1, 0x020000000000 + i * 0x10001 + 0x100, mac_of(0));
		now++;
	}
	send(2, mac_of(2), mac_of(0));
	ck_assert_uint_eq(got(), 1);
	send(2, mac_of(2), 0x020000000000 + 99999ULL * 0x10001 + 0x100);
	ck_assert_uint_eq(got(), 1 << 1);
	/* The oldest of a set makes room: five that share one. */
	world(PORTS);
	for (uint64_t i = 0; i < NET_SWITCH_WAYS + 1; i++) {
		send(1, 0x020000000000 + (i << 24), mac_of(0));
		now++;
	}
	send(2, mac_of(2), 0x020000000000 + (1ULL << 24));
	ck_assert_uint_eq(got(), 1 << 1);
	send(2, mac_of(2), 0x020000000000);
	ck_assert_uint_eq(got(), 0xb);
}
END_TEST

START_TEST(own_address)
{
	world(PORTS);
	ck_assert_int_eq(net_switch_set_mac(&ports[0].port, mac_of(1)), -EEXIST);
	ck_assert_int_eq(net_switch_set_mac(&ports[0].port, 0), -EINVAL);
	ck_assert_int_eq(net_switch_set_mac(&ports[0].port, NET_BROADCAST), -EINVAL);
	ck_assert_int_eq(net_switch_set_mac(&ports[0].port, mac_of(0)), 0);
	send(1, 0x02bbbbbbbb01, mac_of(0)); /* learned at port 1 ... */
	ck_assert_int_eq(net_switch_set_mac(&ports[0].port, 0x02bbbbbbbb01), 0);
	send(2, mac_of(2), 0x02bbbbbbbb01); /* ... and now port 0's */
	ck_assert_uint_eq(got(), 1);
	send(1, 0x02bbbbbbbb01, mac_of(2));
	ck_assert_uint_eq(got(), 0);
	/* Without a cable any address will do. */
	ports[5].port = (struct net_port){.ops = &ops, .mac = 1};
	ck_assert_int_eq(net_switch_set_mac(&ports[5].port, mac_of(1)), 0);
	net_switch_send(&ports[5].port, &t.frame);
	ck_assert_uint_eq(ports[5].port.stats.in_frames, 1);
}
END_TEST

START_TEST(limits)
{
	struct net_port one = {.ops = &ops, .owner = "vm"};
	char name[8] = "sw00";

	world(NET_SWITCH_PORTS);
	one.mac = 0x02cccccccc01;
	ck_assert_int_eq(net_switch_attach(sw, &one), -ENOSPC);
	send(0, mac_of(0), NET_BROADCAST);
	for (unsigned i = 1; i < NET_SWITCH_PORTS; i++) {
		ck_assert_uint_eq(ports[i].frames, 1);
	}
	world(1);
	one.mac = mac_of(0);
	ck_assert_int_eq(net_switch_attach(sw, &one), -EEXIST);
	ck_assert_ptr_eq(net_switch_make("sw", clock_now_ns), sw);
	for (unsigned i = 1; i < MAX_SWITCHES; i++) {
		name[3] = (char)('a' + i);
		ck_assert_ptr_nonnull(net_switch_make(name, clock_now_ns));
	}
	ck_assert_ptr_null(net_switch_make("one more", clock_now_ns));
	ck_assert_ptr_eq(net_switch_make("sw", clock_now_ns), sw);
}
END_TEST

/* Large frames and open checksums, to those who take them and to those who do not. */
START_TEST(offload)
{
	static const struct net_request cut = {.mss = 1000}, csum = {.tcp_csum = true};

	world(PORTS);
	ports[2].port.takes_large = true;
	make_frame(&t, 0, 3500);
	memset(t.bytes, 0xff, 6);
	net_mac_bytes(mac_of(0), t.bytes + 6);
	lay_out(&t, 1024);
	ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &cut), 0);
	ck_assert_uint_eq(net_switch_send(&ports[0].port, &t.frame), 9);
	ck_assert_uint_eq(ports[1].frames, 4);
	ck_assert_uint_eq(ports[1].large + ports[1].open, 0);
	ck_assert_uint_eq(ports[1].len, t.payload + 500);
	ck_assert(ports[1].right);
	ck_assert_uint_eq(ports[2].frames, 1);
	ck_assert_uint_eq(ports[2].large, 1);
	ck_assert_uint_eq(ports[2].len, t.len);
	ck_assert(ports[2].right); /* the checksum, as for one who does not believe us */
	ck_assert_uint_eq(ports[0].port.stats.cut, 2);
	lay_out(&t, 1024);
	ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &csum), 0);
	net_switch_send(&ports[0].port, &t.frame);
	ck_assert_uint_eq(ports[1].frames, 5);
	ck_assert_uint_eq(ports[1].open, 0);
	ck_assert(ports[1].right);
	ck_assert_uint_eq(ports[2].frames, 2);
	ck_assert_uint_eq(ports[2].open, 0);
	ck_assert(ports[2].right);
}
END_TEST

static char text[4096];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

START_TEST(dump)
{
	struct out out = {.write = write_text};

	net_switch_reset();
	net_switch_dump(&out);
	ck_assert_ptr_nonnull(strstr(text, "no switch"));
	world(2);
	send(0, mac_of(0), mac_of(1));
	send(1, 0x02aaaaaaaa01, mac_of(0));
	net_switch_dump(&out);
	ck_assert_ptr_nonnull(strstr(text, "sw: 2 ports\n  vm/0 02:00:00:00:00:01\n"));
	ck_assert_ptr_nonnull(strstr(text, "learned 02:aa:aa:aa:aa:01 at vm/1\n"));
	free_frame(&t);
}
END_TEST

UNIT_MAIN("net_switch", tcase_add_test(tc, forwarding); tcase_add_test(tc, learning);
          tcase_add_test(tc, forgery); tcase_add_test(tc, flood_of_addresses);
          tcase_add_test(tc, own_address); tcase_add_test(tc, limits); tcase_add_test(tc, offload);
          tcase_add_test(tc, dump);)
