// SPDX-License-Identifier: BSD-2-Clause
// The adapters of VMs as the configuration names them: addresses, switches, cables.
#include "tests/net_world.h"
#include "tests/unit.h"
#include "vmbus/nics.h"

struct guest guests[GUESTS];

static struct vmbus_channel *added[8];
static unsigned n_added, allocs_left;
static int add_error;
static void *memory[8];

/* Before the real one, in vmbus/vmbus.c. */
int vmbus_channel_add(struct vmbus *bus, struct vmbus_channel *ch)
{
	(void)bus;
	if (add_error) {
		return add_error;
	}
	added[n_added++] = ch;
	return 0;
}

static void *alloc(uint64_t n_pages, uint64_t align)
{
	ck_assert_uint_eq(align, PAGE_SIZE);
	ck_assert_uint_ge(n_pages * PAGE_SIZE, sizeof(struct netvsp));
	if (allocs_left == 0) {
		return NULL;
	}
	return memory[--allocs_left] = calloc(n_pages, PAGE_SIZE);
}

static struct config_vm config = {.name = "a",
        .n_nics = 3,
        .nics = {{.sw = "s", .mac = 0x020000000001, .queues = 8},
                {.sw = "t", .mac = 0x020000000002, .queues = 2}, {.mac = 0x020000000003}}};
static struct vm vm = {.config = &config, .index = 3, .n_vcpus = 4};

static void begin(unsigned allocs)
{
	for (unsigned i = 0; i < ARRAY_SIZE(memory); i++) {
		free(memory[i]);
		memory[i] = NULL;
	}
	net_switch_reset();
	allocs_left = allocs;
	n_added = 0;
	add_error = 0;
}

static struct netvsp *adapter(unsigned i)
{
	const struct netvsp_queue *q = added[i]->device;

	return q->n;
}

START_TEST(three)
{
	struct netvsp *n;

	begin(3);
	ck_assert_int_eq(nics_attach(&vm, NULL, alloc, net_now), 0);
	ck_assert_uint_eq(n_added, 3);
	n = adapter(0);
	ck_assert_uint_eq(n->port.mac, 0x020000000001);
	ck_assert_str_eq(n->port.sw->name, "s");
	ck_assert_str_eq(n->port.owner, "a");
	ck_assert_uint_eq(n->queues[0].ch.offer.instance.b[15], 1);
	n = adapter(1);
	ck_assert_str_eq(n->port.sw->name, "t");
	ck_assert_uint_eq(n->port.number, 1);
	n = adapter(2);
	ck_assert_ptr_null(n->port.sw);
	ck_assert(!n->rndis.link_up);
	ck_assert(nics_set_link(&vm, 1, false));
	ck_assert(!adapter(1)->rndis.link_up);
	ck_assert(adapter(0)->rndis.link_up);
	ck_assert(!nics_set_link(&vm, 2, true)); /* there is no cable */
	ck_assert(!nics_set_link(&vm, 3, true));
}
END_TEST

/* As many channels as vCPUs, as the owner wants, or as there may be. */
START_TEST(queues)
{
	begin(3);
	ck_assert_int_eq(nics_attach(&vm, NULL, alloc, net_now), 0);
	ck_assert_uint_eq(adapter(0)->n_queues, 4);
	ck_assert_uint_eq(adapter(1)->n_queues, 2);
	ck_assert_uint_eq(adapter(2)->n_queues, 4);
	vm.n_vcpus = 16;
	begin(3);
	ck_assert_int_eq(nics_attach(&vm, NULL, alloc, net_now), 0);
	ck_assert_uint_eq(adapter(2)->n_queues, 8);
	vm.n_vcpus = 4;
}
END_TEST

static char text[4096];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

/* Whose frames are kept, and whose not. */
START_TEST(capture)
{
	static struct config_vm none = {.name = "b"};
	static struct vm other = {.config = &none, .index = 4};
	static const uint8_t head[60];
	struct net_frame f = {.head = head, .head_len = sizeof(head), .len = sizeof(head)};
	struct out out = {.write = write_text};
	uint64_t next = 0;

	begin(3);
	ck_assert_int_eq(nics_attach(&vm, NULL, alloc, net_now), 0);
	(void)net_switch_send(&adapter(0)->port, &f);
	ck_assert(!nics_capture(&other, true));
	ck_assert(!nics_captured(&vm, &out, &next));
	ck_assert(nics_capture(&vm, true));
	(void)net_switch_send(&adapter(0)->port, &f);
	ck_assert(nics_capture(&vm, false));
	(void)net_switch_send(&adapter(0)->port, &f);
	ck_assert(!nics_captured(&other, &out, &next));
	ck_assert(nics_captured(&vm, &out, &next));
	ck_assert(!nics_captured(&vm, &out, &next));
	ck_assert_int_eq(strncmp(text, "O 00:00:00.000000\n000000 00", 27), 0);
	begin(0);
}
END_TEST

START_TEST(failures)
{
	begin(1);
	ck_assert_int_eq(nics_attach(&vm, NULL, alloc, net_now), -ENOMEM);
	begin(3);
	add_error = -ENOSPC;
	ck_assert_int_eq(nics_attach(&vm, NULL, alloc, net_now), -ENOSPC);
	begin(0);
}
END_TEST

UNIT_MAIN("nics", tcase_add_test(tc, three); tcase_add_test(tc, queues);
          tcase_add_test(tc, capture); tcase_add_test(tc, failures);)
