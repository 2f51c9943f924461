// SPDX-License-Identifier: BSD-2-Clause
/*
 * Data exchange: pairs of key and value in numbered pools. The host writes what it is into the
 * guest's, and goes through what the guest says of itself.
 *
 * In Linux a daemon answers; while there is none, versions are not agreed upon.
 * Specs: Linux include/uapi/linux/hyperv.h "hv_kvp_msg"; drivers/hv/hv_kvp.c.
 */
#include "vmbus/guest_services.h"
#include "vmbus/proto.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/lib/version.h"
#include "vmm/vm.h"

enum kvp_operation {
	KVP_SET = 1,
	KVP_ENUMERATE = 3,
};

enum kvp_pool {
	KVP_POOL_AUTO = 2,          /* what the guest says of itself */
	KVP_POOL_AUTO_EXTERNAL = 3, /* what the host says of itself and of the VM */
};

enum kvp_type {
	KVP_STRING = 1,
	KVP_U32 = 4,
	KVP_U64 = 8,
};

#define KVP_KEY_BYTES 512U
#define KVP_VALUE_BYTES 2048U

struct kvp_pair {
	uint32_t type;
	uint32_t key_bytes, value_bytes; /* of UTF-16, with the final 0 */
	uint8_t key[KVP_KEY_BYTES];
	uint8_t value[KVP_VALUE_BYTES];
} __attribute__((packed));
_Static_assert(sizeof(struct kvp_pair) == 2572, "hv_kvp_exchg_msg_value");

struct kvp_header {
	uint8_t operation;
	uint8_t pool;
	uint16_t reserved;
};

struct kvp_set {
	struct kvp_header header;
	struct kvp_pair pair;
} __attribute__((packed));
_Static_assert(sizeof(struct kvp_set) == 2576, "hv_kvp_msg_set behind its header");

struct kvp_enumerate {
	struct kvp_header header;
	uint32_t index;
	struct kvp_pair pair;
} __attribute__((packed));
_Static_assert(sizeof(struct kvp_enumerate) == 2580, "hv_kvp_msg_enumerate behind its header");
_Static_assert(sizeof(struct kvp_enumerate) <= IC_MAX_BODY, "fits");

#define NO_MORE_ITEMS 0x80070103U
#define MAX_INDEX 64U /* a guest that goes on for ever is cut off */

/* Keys that guests use, and what the monitor calls them. */
static const struct {
	const char *key, *label;
} known[IC_KVP_VALUES] = {
        [IC_KVP_NAME] = {"FullyQualifiedDomainName", "guest name"},
        [IC_KVP_OS] = {"OSName", "guest os"},
        [IC_KVP_OS_VERSION] = {"OSMajorVersion", "guest os version"},
        [IC_KVP_KERNEL] = {"OSBuildNumber", "guest kernel"},
        [IC_KVP_SERVICES] = {"IntegrationServicesVersion", "guest services"},
        [IC_KVP_IPV4] = {"NetworkAddressIPv4", "guest ipv4"},
        [IC_KVP_IPV6] = {"NetworkAddressIPv6", "guest ipv6"},
};

static struct ic_kvp *kvp_of(struct ic *ic)
{
	return container_of(ic, struct ic_kvp, ic);
}

/* --- UTF-16 --- */

/* ASCII only: names here have nothing else. Returns the bytes with the final 0. */
static uint32_t to_utf16(uint8_t *to, uint32_t size, const char *text)
{
	uint32_t n = 0;

	for (; *text && n + 4 <= size; text++) {
		to[n++] = (uint8_t)*text;
		to[n++] = 0;
	}
	to[n++] = 0;
	to[n++] = 0;
	return n;
}

/*
 * The guest's text as printable ASCII, up to its end or that of the room: any other code unit, and
 * the backslash, as \uXXXX. So it does not matter whether surrogates come in pairs.
 */
static void escape(char *to, size_t size, const uint8_t *utf16, uint32_t bytes)
{
	size_t n = 0;

	for (uint32_t i = 0; i + 2 <= bytes && n + sizeof("\\u0000") <= size; i += 2) {
		uint16_t unit = (uint16_t)(utf16[i] | utf16[i + 1] << 8);

		if (unit == 0) {
			break;
		}
		if (unit >= ' ' && unit < 0x7f && unit != '\\') {
			to[n++] = (char)unit;
		} else {
			n += fmt_print(to + n, size - n, "\\u%04x", unit);
		}
	}
	to[n] = '\0';
}

/* --- the host's values --- */

static const char *host_value(const struct vm *vm, uint32_t i, const char **key)
{
	const struct {
		const char *key, *value;
	} values[] = {
	        {"HostName", "Candela"},
	        {"PhysicalHostName", "Candela"},
	        {"PhysicalHostNameFullyQualified", "Candela"},
	        {"HostingSystemVersion", CANDELA_VERSION},
	        {"VirtualMachineName", vm->config->name},
	};

	if (i >= ARRAY_SIZE(values)) {
		return NULL;
	}
	*key = values[i].key;
	return values[i].value;
}

static uint32_t write_host_value(const char *key, const char *value, uint8_t *body)
{
	struct kvp_set *m = (struct kvp_set *)body;

	m->header.operation = KVP_SET;
	m->header.pool = KVP_POOL_AUTO_EXTERNAL;
	m->pair.type = KVP_STRING;
	m->pair.key_bytes = to_utf16(m->pair.key, sizeof(m->pair.key), key);
	m->pair.value_bytes = to_utf16(m->pair.value, sizeof(m->pair.value), value);
	return sizeof(*m);
}

/* --- the guest's values --- */

static uint32_t write_enumerate(uint32_t index, uint8_t *body)
{
	struct kvp_enumerate *m = (struct kvp_enumerate *)body;

	m->header.operation = KVP_ENUMERATE;
	m->header.pool = KVP_POOL_AUTO;
	m->index = index;
	return sizeof(*m);
}

static uint32_t at_most(uint32_t value, uint32_t max)
{
	return value < max ? value : max;
}

static void print_value(char *to, size_t size, const struct kvp_pair *pair)
{
	uint64_t number = 0;

	switch (pair->type) {
	case KVP_STRING:
		escape(to, size, pair->value, at_most(pair->value_bytes, sizeof(pair->value)));
		break;
	case KVP_U32:
	case KVP_U64:
		memcpy(&number, pair->value, pair->type);
		fmt_print(to, size, "%llu", (unsigned long long)number);
		break;
	default:
		break;
	}
}

static void keep(struct ic_kvp *k, const struct kvp_pair *pair)
{
	char key[64];

	escape(key, sizeof(key), pair->key, at_most(pair->key_bytes, sizeof(pair->key)));
	for (unsigned i = 0; i < IC_KVP_VALUES; i++) {
		if (strcmp(known[i].key, key) == 0) {
			print_value(k->fresh.text[i], sizeof(k->fresh.text[i]), pair);
		}
	}
}

static void start_asking(struct ic_kvp *k)
{
	memset(&k->fresh, 0, sizeof(k->fresh));
	k->next_index = 0;
	k->asking = true;
}

static void publish(struct ic_kvp *k)
{
	spin_lock(&k->lock);
	k->values = k->fresh;
	spin_unlock(&k->lock);
}

/* --- the service --- */

static void ready(struct ic *ic)
{
	struct ic_kvp *k = kvp_of(ic);

	k->next_host = 0;
	start_asking(k);
}

static uint32_t next(struct ic *ic, uint32_t order, uint8_t *body)
{
	struct ic_kvp *k = kvp_of(ic);
	const char *key, *value = host_value(ic->vm, k->next_host, &key);

	if (order) {
		start_asking(k);
	}
	k->telling = value != NULL;
	if (k->telling) {
		return write_host_value(key, value, body);
	}
	return k->asking ? write_enumerate(k->next_index, body) : 0;
}

static void reply(struct ic *ic, uint32_t status, const uint8_t *body, uint32_t len)
{
	struct ic_kvp *k = kvp_of(ic);
	struct kvp_enumerate m;

	if (k->telling) {
		/* Whether it wants to know is its business. */
		k->next_host++;
		return;
	}
	if (status == 0 && len >= sizeof(m) && k->next_index < MAX_INDEX) {
		memcpy(&m, body, sizeof(m));
		keep(k, &m.pair);
		k->next_index++;
		return;
	}
	k->asking = false;
	publish(k);
	ic_finish(ic, status == NO_MORE_ITEMS ? 0 : -EIO);
}

static void closed(struct ic *ic)
{
	struct ic_kvp *k = kvp_of(ic);

	memset(&k->fresh, 0, sizeof(k->fresh));
	publish(k);
}

static const struct ic_version versions[] = {{4, 0}, {3, 0}, {1, 0}};

static const struct ic_service service = {
        .offer =
                {
                        .name = "Data Exchange",
                        .type = GUID(0xa9a0f4e7, 0x5a45, 0x4d96, 0xb827, 0x8a841e8c03e6),
                        .instance = GUID(0x242ff919, 0x07db, 0x4180, 0x9c2e, 0xb86cb68c8c55),
                },
        .type = IC_KVP,
        .versions = versions,
        .n_versions = ARRAY_SIZE(versions),
        .ready = ready,
        .next = next,
        .reply = reply,
        .closed = closed,
};

void ic_kvp_init(struct ic_kvp *k, struct vm *vm)
{
	ic_init(&k->ic, &service, vm);
}

void ic_kvp_info(struct ic_kvp *k, struct out *out)
{
	struct ic_kvp_values values;

	spin_lock(&k->lock);
	values = k->values;
	spin_unlock(&k->lock);
	for (unsigned i = 0; i < IC_KVP_VALUES; i++) {
		if (values.text[i][0]) {
			out_print(out, "%s: %s\n", known[i].label, values.text[i]);
		}
	}
}
