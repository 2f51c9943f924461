/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of candela.cfg inside: config.c reads lines, config_keys.c knows the keys. */
#ifndef VMM_LIB_CONFIG_PARSER_H
#define VMM_LIB_CONFIG_PARSER_H

#include "vmm/lib/config.h"
#include "vmm/lib/config_value.h"

enum { MAX_KEYS = 16 }; /* of one section */

struct parser {
	struct config *cfg;
	struct config_error *err;
	const char *file_name;
	uint32_t line;
	uint32_t host_line; /* of [host], 0 = not seen */
	const struct section *section;
	struct config_vm *vm;
	uint32_t key_line[MAX_KEYS]; /* where this section has that key, 0 = not yet */
};

struct key {
	const char *name;
	bool may_be_empty;
	bool many; /* may be given more than once */
	int (*set)(struct parser *p, const char *key, struct slice value);
};

struct section {
	size_t n;
	struct key keys[MAX_KEYS];
};

extern const struct section config_host_section;
extern const struct section config_vm_section;

/* Keys that have a file of their own. */
int config_set_disk(struct parser *p, const char *key, struct slice value);  /* config_disk.c */
int config_set_nic(struct parser *p, const char *key, struct slice value);   /* config_nic.c */
int config_set_vmbus(struct parser *p, const char *key, struct slice value); /* config_vmbus.c */
/* vmbus, when all keys of the VM are known. */
int config_finish_vmbus(struct parser *p, struct config_vm *vm);
/* nics, when the whole file is known: addresses for those that were given none. */
int config_finish_nics(struct parser *p);

/* May be in the name of a VM or a switch. */
bool config_name_char(char c);

/* A path of at most MAX_PATH_LEN - 1 ASCII characters; *line becomes the present one. */
int config_set_path(
        struct parser *p, const char *key, struct slice value, char *path, uint32_t *line);

/* Write "file:line: sentence" into p->err; returns -EINVAL. */
int config_fail(struct parser *p, const char *fmt, ...) __printf(2, 3);

#define QUOTE_MAX 40 /* longest piece of the file in an error */

/* For "%.*s": a precision that keeps errors readable. */
static inline int quote_len(struct slice s)
{
	return s.len > QUOTE_MAX ? QUOTE_MAX : (int)s.len;
}

#endif
