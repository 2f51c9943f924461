// SPDX-License-Identifier: BSD-2-Clause
// nic = SWITCH or none, with its options; and the addresses of adapters that are given none.
#include "vmm/lib/config_parser.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define MAC_OUI 0x00155d000000ULL /* what adapters of Hyper-V begin with */
#define MAC_OWN 0x000000ffffffULL /* ours to choose */
#define MAC_GROUP 0x010000000000ULL

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Six pairs of digits with ':' or '-' between them. */
static bool value_mac(struct slice s, uint64_t *mac)
{
	if (s.len != 17) {
		return false;
	}
	*mac = 0;
	for (size_t i = 0; i < s.len; i++) {
		int digit = hex_digit(s.p[i]);

		if (i % 3 == 2) {
			if (s.p[i] != s.p[2] || (s.p[i] != ':' && s.p[i] != '-')) {
				return false;
			}
			continue;
		}
		if (digit < 0) {
			return false;
		}
		*mac = *mac << 4 | (unsigned)digit;
	}
	return true;
}

static int set_mac(struct parser *p, struct config_nic *nic, struct slice value)
{
	if (!value_mac(value, &nic->mac)) {
		return config_fail(p, "mac must be like 00:15:5d:01:02:03, not '%.*s'",
		        quote_len(value), value.p);
	}
	if (nic->mac == 0 || (nic->mac & MAC_GROUP)) {
		return config_fail(
		        p, "mac %.*s is no adapter's own address", quote_len(value), value.p);
	}
	return 0;
}

static int set_queues(struct parser *p, struct config_nic *nic, struct slice value)
{
	uint64_t n;

	if (!value_u64(value, &n) || n == 0 || n > MAX_NIC_QUEUES) {
		return config_fail(p, "queues must be 1 to %d, not '%.*s'", MAX_NIC_QUEUES,
		        quote_len(value), value.p);
	}
	nic->queues = (uint32_t)n;
	return 0;
}

static int set_option(struct parser *p, struct config_nic *nic, struct slice item)
{
	for (size_t at = 0; at < item.len; at++) {
		if (item.p[at] == '=') {
			struct slice name = slice_trim((struct slice){item.p, at});
			struct slice value =
			        slice_trim((struct slice){item.p + at + 1, item.len - at - 1});

			if (slice_is(name, "mac")) {
				return set_mac(p, nic, value);
			}
			if (slice_is(name, "queues")) {
				return set_queues(p, nic, value);
			}
			if (slice_is(name, "bus") && slice_is(value, "netvsc")) {
				return 0;
			}
			if (slice_is(name, "bus")) {
				return config_fail(p, "bus must be netvsc, not '%.*s'",
				        quote_len(value), value.p);
			}
			break;
		}
	}
	return config_fail(p,
	        "unknown nic option '%.*s': there are mac=, queues= and bus=", quote_len(item),
	        item.p);
}

static int set_switch(struct parser *p, struct config_nic *nic, struct slice name)
{
	if (slice_is(name, "none")) {
		return 0;
	}
	if (name.len == 0 || name.len >= sizeof(nic->sw)) {
		return config_fail(p, "a switch's name has 1 to %d characters, not '%.*s'",
		        MAX_NAME_LEN - 1, quote_len(name), name.p);
	}
	for (size_t i = 0; i < name.len; i++) {
		if (!config_name_char(name.p[i])) {
			return config_fail(p,
			        "a switch's name has letters, digits, '-', '_' and '.' only, not "
			        "'%.*s'",
			        quote_len(name), name.p);
		}
	}
	memcpy(nic->sw, name.p, name.len);
	return 0;
}

int config_set_nic(struct parser *p, const char *key, struct slice value)
{
	struct config_nic *nic = &p->vm->nics[p->vm->n_nics];
	size_t start = 0;

	(void)key;
	if (p->vm->n_nics == MAX_NICS) {
		return config_fail(p, "more than %d nics", MAX_NICS);
	}
	nic->line = p->line;
	for (size_t i = 0; i <= value.len; i++) {
		if (i == value.len || value.p[i] == ',') {
			struct slice item = slice_trim((struct slice){value.p + start, i - start});
			int err = start == 0 ? set_switch(p, nic, item) : set_option(p, nic, item);

			if (err) {
				return err;
			}
			start = i + 1;
		}
	}
	p->vm->n_nics++;
	return 0;
}

/* --- all of them together --- */

/* Who has this address, but for one; *owner becomes its VM. NULL = nobody. */
static const struct config_nic *find_mac(const struct config *cfg, uint64_t mac,
        const struct config_nic *skip, const struct config_vm **owner)
{
	for (uint32_t i = 0; i < cfg->n_vms; i++) {
		for (uint32_t n = 0; n < cfg->vms[i].n_nics; n++) {
			const struct config_nic *nic = &cfg->vms[i].nics[n];

			if (nic != skip && nic->mac == mac) {
				*owner = &cfg->vms[i];
				return nic;
			}
		}
	}
	return NULL;
}

/* The same in every run: by the VM's name and the adapter's number (FNV-1a). */
static uint64_t derive_mac(const struct config_vm *vm, uint32_t number)
{
	uint32_t hash = 2166136261U;

	for (const char *c = vm->name; *c; c++) {
		hash = (hash ^ (uint8_t)*c) * 16777619U;
	}
	hash = (hash ^ number) * 16777619U;
	return MAC_OUI | ((hash ^ hash >> 8) & MAC_OWN);
}

static int count_switch(
        struct parser *p, const struct config_nic *nic, const char *names[], uint32_t *n)
{
	for (uint32_t i = 0; i < *n; i++) {
		if (strcmp(names[i], nic->sw) == 0) {
			return 0;
		}
	}
	if (*n == MAX_SWITCHES) {
		p->line = nic->line;
		return config_fail(p, "more than %d switches", MAX_SWITCHES);
	}
	names[(*n)++] = nic->sw;
	return 0;
}

static int check_nic(struct parser *p, const struct config_nic *nic)
{
	const struct config_vm *owner;
	const struct config_nic *other = nic->mac ? find_mac(p->cfg, nic->mac, nic, &owner) : NULL;

	/* Each pair is seen from both sides: the later line is the one to blame. */
	if (other && other->line < nic->line) {
		p->line = nic->line;
		return config_fail(p, "this mac is that of another nic of [vm.%s], on line %u",
		        owner->name, other->line);
	}
	return 0;
}

int config_finish_nics(struct parser *p)
{
	const char *names[MAX_SWITCHES];
	const struct config_vm *owner;
	uint32_t n_names = 0;

	for (uint32_t i = 0; i < p->cfg->n_vms; i++) {
		const struct config_vm *vm = &p->cfg->vms[i];

		for (uint32_t n = 0; n < vm->n_nics; n++) {
			const struct config_nic *nic = &vm->nics[n];
			int err = check_nic(p, nic);

			if (!err && nic->sw[0] != '\0') {
				err = count_switch(p, nic, names, &n_names);
			}
			if (err) {
				return err;
			}
		}
	}
	for (uint32_t i = 0; i < p->cfg->n_vms; i++) {
		struct config_vm *vm = &p->cfg->vms[i];

		for (uint32_t n = 0; n < vm->n_nics; n++) {
			uint64_t mac = derive_mac(vm, n);

			if (vm->nics[n].mac != 0) {
				continue;
			}
			while (find_mac(p->cfg, mac, NULL, &owner)) {
				mac = MAC_OUI | ((mac + 1) & MAC_OWN);
			}
			vm->nics[n].mac = mac;
		}
	}
	return 0;
}
