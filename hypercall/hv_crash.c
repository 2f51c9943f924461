// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that panics tells the host: five parameters, and the last lines of its log.
 * Specs: [TLFS] "Guest Crash Enlightenment".
 */
#include "hypercall/hv.h"
#include "vmm/lib/string.h"
#include "vmm/vm_clock.h"

#define MESSAGE_MAX PAGE_SIZE
#define LINE_MAX 160U
#define LINES_MAX 128U /* of a message: a page of a guest's log has fewer */
/* So many are told in full in a minute; a guest that panics for ever must not fill the log. */
#define PANICS_MAX 4U
#define PANICS_WINDOW_NS (60 * NS_PER_SEC)

static bool printable(uint8_t c)
{
	return c >= ' ' && c < 0x7f;
}

/* A message in the guest's memory, line by line; what cannot be printed becomes a point. */
static void log_message(struct vm *vm, const uint8_t *text, size_t len)
{
	char line[LINE_MAX + 1];
	size_t n = 0;
	unsigned n_lines = 0;

	for (size_t i = 0; i <= len && n_lines < LINES_MAX; i++) {
		bool end = i == len || text[i] == '\n' || text[i] == '\0';

		if ((end && n > 0) || n == LINE_MAX) {
			line[n] = '\0';
			log_error("vm %s: | %s", vm->config->name, line);
			n_lines++;
			n = 0;
		}
		if (i == len || text[i] == '\0') {
			return;
		}
		if (!end) {
			line[n++] = printable(text[i]) ? (char)text[i] : '.';
		}
	}
}

/* May this panic be told in full? */
static bool tell_locked(struct hv_vm *hv)
{
	uint64_t now = vm_host_now();

	if (hv->n_panics == 0 || now - hv->panics_since >= PANICS_WINDOW_NS) {
		hv->panics_since = now;
		hv->n_panics = 0;
	}
	if (hv->n_panics == PANICS_MAX) {
		return false;
	}
	hv->n_panics++;
	return true;
}

static void notify(struct vcpu *vcpu, uint64_t control)
{
	struct vm *vm = vcpu->vm;
	struct hv_vm *hv = hv_vm(vm);
	uint8_t *text = hv_vcpu(vcpu)->call_buf;
	uint64_t p[5];
	uint64_t len;
	bool tell;

	spin_lock(&hv->lock);
	tell = tell_locked(hv);
	memcpy(p, hv->crash, sizeof(p));
	spin_unlock(&hv->lock);
	if (!tell) {
		vm_log(vm, LOG_ERROR, "the guest reports another panic");
		return;
	}
	log_error("vm %s: the guest reports a panic on vCPU %u: %#llx %#llx %#llx %#llx %#llx",
	        vm->config->name, vcpu->index, (unsigned long long)p[0], (unsigned long long)p[1],
	        (unsigned long long)p[2], (unsigned long long)p[3], (unsigned long long)p[4]);
	if (!(control & HV_CRASH_CTL_MESSAGE)) {
		return;
	}
	len = p[4] < MESSAGE_MAX ? p[4] : MESSAGE_MAX;
	if (gmem_read(&vm->mem, gpa(p[3]), text, len)) {
		log_error("vm %s: its message is not in memory", vm->config->name);
		return;
	}
	log_message(vm, text, len);
}

bool crash_param_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	struct hv_vm *hv = hv_vm(vcpu->vm);

	spin_lock(&hv->lock);
	*value = hv->crash[msr - HV_MSR_CRASH_P0];
	spin_unlock(&hv->lock);
	return true;
}

bool crash_param_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct hv_vm *hv = hv_vm(vcpu->vm);

	spin_lock(&hv->lock);
	hv->crash[msr - HV_MSR_CRASH_P0] = value;
	spin_unlock(&hv->lock);
	return true;
}

bool crash_ctl_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)vcpu;
	(void)msr;
	*value = HV_CRASH_CTL_NOTIFY | HV_CRASH_CTL_MESSAGE;
	return true;
}

bool crash_ctl_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	if (value & HV_CRASH_CTL_NOTIFY) {
		notify(vcpu, value);
	}
	return true;
}
