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
        .nics = {{.sw = "s", .mac = 0x020000000001}, {.sw = "t", .mac = 0x020000000002},
                {.mac = 0x020000000003}}};
static struct vm vm = {.config = &config, .index = 3};

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

START_TEST(three)
{
	struct netvsp *n;

	begin(3);
	ck_assert_int_eq(nics_attach(&vm, NULL, alloc, net_now), 0);
	ck_assert_uint_eq(n_added, 3);
	n = added[0]->device;
	ck_assert_uint_eq(n->port.mac, 0x020000000001);
	ck_assert_str_eq(n->port.sw->name, "s");
	ck_assert_str_eq(n->port.owner, "a");
	ck_assert_uint_eq(n->ch.offer.instance.b[15], 1);
	n = added[1]->device;
	ck_assert_str_eq(n->port.sw->name, "t");
	ck_assert_uint_eq(n->port.number, 1);
	n = added[2]->device;
	ck_assert_ptr_null(n->port.sw);
	ck_assert(!n->rndis.link_up);
	ck_assert(nics_set_link(&vm, 1, false));
	ck_assert(!((struct netvsp *)added[1]->device)->rndis.link_up);
	ck_assert(((struct netvsp *)added[0]->device)->rndis.link_up);
	ck_assert(!nics_set_link(&vm, 2, true)); /* there is no cable */
	ck_assert(!nics_set_link(&vm, 3, true));
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

UNIT_MAIN("nics", tcase_add_test(tc, three); tcase_add_test(tc, failures);)
