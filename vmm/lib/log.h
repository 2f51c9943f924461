/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one door for messages. A line goes to every sink of log_sink() (link-time: the
 * host console on the machine, a buffer in tests). May be called in any context but NMI.
 *
 * A guest can make the host say something; it must not be able to make it say it
 * for ever: whatever a guest triggers uses log_guest(), which is limited per VM.
 */
#ifndef VMM_LIB_LOG_H
#define VMM_LIB_LOG_H

#include "vmm/lib/types.h"
#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* What a line is about: by the folder of its source, but for the lines that guests bring about. */
enum log_area {
	LOG_HOST,    /* boot/, vmm/hw/: this machine */
	LOG_VM,      /* vmm/: VMs, vCPUs, the monitor */
	LOG_VTX,     /* vmx/ */
	LOG_DEVICES, /* devices/ */
	LOG_HYPERV,  /* hypercall/, vmbus/ */
	LOG_GUEST,   /* vm_log() */
	LOG_AREA_COUNT
};

extern const char *const log_level_names[LOG_DEBUG + 1];
extern const char *const log_area_names[LOG_AREA_COUNT];

/* Folded by the compiler: file is a constant. */
static inline __attribute__((always_inline)) enum log_area log_area_of(const char *file)
{
	if (__builtin_strncmp(file, "vmx/", 4) == 0) {
		return LOG_VTX;
	}
	if (__builtin_strncmp(file, "devices/", 8) == 0) {
		return LOG_DEVICES;
	}
	if (__builtin_strncmp(file, "hypercall/", 10) == 0 ||
	        __builtin_strncmp(file, "vmbus/", 6) == 0) {
		return LOG_HYPERV;
	}
	if (__builtin_strncmp(file, "vmm/hw/", 7) == 0 ||
	        __builtin_strncmp(file, "boot/", 5) == 0) {
		return LOG_HOST;
	}
	return LOG_VM;
}

/* Lines above its area's level are dropped. All are set from [host] log= in candela.cfg. */
void log_set_level(enum log_level level);
void log_set_area_level(enum log_area area, enum log_level level);
enum log_level log_area_level(enum log_area area);
/* The highest of all areas. */
enum log_level log_get_level(void);

/* One line; a newline is added. */
void log_line(enum log_level level, const char *fmt, ...) __printf(2, 3);
void log_area_line(enum log_area area, enum log_level level, const char *fmt, ...) __printf(3, 4);
void log_vline(enum log_level level, const char *prefix, const char *fmt, va_list ap)
        __printf(3, 0);

#define log_error(...) log_area_line(log_area_of(__FILE__), LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_area_line(log_area_of(__FILE__), LOG_WARN, __VA_ARGS__)
#define log_info(...) log_area_line(log_area_of(__FILE__), LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_area_line(log_area_of(__FILE__), LOG_DEBUG, __VA_ARGS__)

/*
 * A token bucket: 'burst' lines at once, then one every 'interval_ns'. What was
 * dropped is counted and reported with the next line that passes.
 */
struct log_limit {
	uint64_t last_ns;
	uint32_t tokens;
	uint32_t dropped;
};

#define LOG_LIMIT_BURST 20U
#define LOG_LIMIT_INTERVAL_NS 500000000ULL

/* true when a line may be written now; *dropped gets the lines lost since the last one. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint32_t *dropped);

/* Link-time: where finished text goes (vmm/hw/console_hw.c, tests/fake/log_fake.c). */
void log_sink(const char *text, size_t len);
/* Link-time: seconds and microseconds before each line; 0 while the clock is not known. */
uint64_t log_clock_ns(void);

#endif
