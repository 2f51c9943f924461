// SPDX-License-Identifier: BSD-2-Clause
// host: the machine under the VMs.
// Specs: docs/monitor.md; [SDM2] "CPUID": leaves 80000002H-80000004H.
#include "vmm/cpu_virt.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/pcpu.h"
#include "vmm/lib/string.h"
#include "vmm/lib/version.h"
#include "vmm/monitor_commands.h"
#include "vmm/monitor_sample.h"
#include "vmm/vm.h"

#define CPUID_EXT_MAX 0x80000000U
#define CPUID_BRAND 0x80000002U /* and the next two */

static unsigned long long llu(uint64_t v)
{
	return v;
}

static void print_processor(struct out *out)
{
	union {
		struct cpuid_regs regs[3];
		char text[sizeof(struct cpuid_regs) * 3 + 1];
	} brand = {.text = ""};
	const char *s = brand.text;

	if (cpu_cpuid(CPUID_EXT_MAX, 0).eax >= CPUID_BRAND + 2) {
		for (unsigned i = 0; i < 3; i++) {
			brand.regs[i] = cpu_cpuid(CPUID_BRAND + i, 0);
		}
	}
	while (*s == ' ') {
		s++;
	}
	out_print(out, "processor: %s\n", *s ? s : "(it does not say)");
}

static void print_cpus(struct out *out, const struct sample *base)
{
	static struct sample now;

	sample_take(&now);
	out_print(out, "%-4s %7s %7s %6s\n", "cpu", "apic id", "idle%", "vcpus");
	for (unsigned i = 0; i < pcpu_count(); i++) {
		uint64_t idle_ns =
		        now.idle_ns[i] > base->idle_ns[i] ? now.idle_ns[i] - base->idle_ns[i] : 0;
		unsigned vcpus = 0;

		for (unsigned v = 0; v < n_vms; v++) {
			for (unsigned n = 0; n < vms[v]->n_vcpus; n++) {
				vcpus += __atomic_load_n(
				                 &vms[v]->vcpus[n]->cpu, __ATOMIC_RELAXED) == i;
			}
		}
		out_print(out, "%-4u %7u %7s %6u\n", i, pcpus[i].apic_id,
		        sample_percent(idle_ns, now.ns - base->ns).text, vcpus);
	}
}

static bool once(struct out *out)
{
	const struct sample *base = sample_base();
	uint64_t hz = clock_tsc_hz(), now = clock_now();

	if (!base) {
		return false;
	}
	out_print(out, "version: Candela %s\n", CANDELA_VERSION);
	out_print(out, "uptime: %llu.%03llu s\n", llu(now / NS_PER_SEC), llu(now / 1000000 % 1000));
	print_processor(out);
	out_print(out, "tsc: %llu.%03llu MHz by %s\n", llu(hz / 1000000), llu(hz / 1000 % 1000),
	        clock_source_name());
	out_print(out, "memory: %llu MiB, %llu MiB free, %llu MiB in one piece\n",
	        llu(page_alloc_total_bytes() >> 20), llu(page_alloc_free_bytes() >> 20),
	        llu(page_alloc_largest_run(PAGE_SIZE) >> 20));
	print_cpus(out, base);
	cpu_virt->host_dump(out);
	return true;
}

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	(void)argc;
	(void)argv;
	if (once(out)) {
		return MONITOR_DONE;
	}
	monitor_repeat(once, SAMPLE_MIN_NS / 10, false);
	return MONITOR_PENDING;
}

const struct monitor_command monitor_cmd_host = {
        .name = "host",
        .args = "",
        .summary = "processors, memory, clock, and the VT-x controls that were granted",
        .help = "idle%: asleep during the last second. vcpus: how many vCPUs are at this processor "
                "now.\n",
        .run = run,
};
