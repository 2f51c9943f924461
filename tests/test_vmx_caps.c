// SPDX-License-Identifier: BSD-2-Clause
// Capability MSRs to control words: what is required, optional, refused, forced.
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/err.h"
#include <string.h>

#define LEAF7_L1D_FLUSH BIT(28)
#define LEAF7_ARCH_CAP BIT(29)
#define ALL (BIT(VMX_OPT_COUNT) - 1)

static struct vmx_caps caps;
static char why[160];

static void setup(void)
{
	fake_cpuid_clear();
	fake_cpuid_set(0, 0, 7, 0, 0, 0);
	fake_cpuid_set(7, 0, 0, 0, 0, LEAF7_L1D_FLUSH);
	fake_vmx_msrs();
	fake_log_clear();
}

static int read_caps(uint32_t off)
{
	return vmx_caps_read(&caps, off, why, sizeof(why));
}

static uint64_t msr(uint32_t index)
{
	uint64_t v = 0;

	return cpu_rdmsr_safe(index, &v) ? v : 0;
}

/* The control may not be 1: its bit of the high half goes, in both reporting MSRs. */
static void deny(uint32_t index, uint32_t bit)
{
	fake_msr_set(index, msr(index) & ~((uint64_t)bit << 32) & ~(uint64_t)bit);
}

static const struct {
	uint32_t msr, true_msr;
} words[] = {
        {MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS},
        {MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS},
        {MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2},
        {MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS},
        {MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS},
};
enum { PIN, PROC, PROC2, EXIT, ENTRY };

static void deny_word(unsigned word, uint32_t bit)
{
	deny(words[word].msr, bit);
	deny(words[word].true_msr, bit);
}

/* [SDM3] "Algorithms for Determining VMX Capabilities": (must | x) & may == x. */
static void check_words(bool true_controls)
{
	const uint32_t got[] = {caps.pin, caps.proc, caps.proc2, caps.exit, caps.entry};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		uint64_t v = msr(true_controls ? words[i].true_msr : words[i].msr);

		ck_assert_uint_eq((uint32_t)v & ~got[i], 0);
		ck_assert_uint_eq(got[i] & ~(uint32_t)(v >> 32), 0);
	}
}

/* [SDM3] "Checks on VMX Controls": what needs what, on the words themselves. */
static void check_dependencies(void)
{
	uint32_t g = caps.granted;

#define NEEDS(a, b) ck_assert(!(g & BIT(VMX_OPT_##a)) || (g & BIT(VMX_OPT_##b)))
	NEEDS(X2APIC, TPR);
	NEEDS(APICREG, TPR);
	NEEDS(VID, TPR);
	NEEDS(VID, APICREG);
	NEEDS(APICREG, APICACC);
	NEEDS(X2APIC, MSRBITMAP);
	NEEDS(EPT1G, EPT2M);
#undef NEEDS
	/* What a mode of the local APIC needs is switched on with it. */
	ck_assert_uint_eq(caps.proc2 & (PROC2_APIC_ACCESS | PROC2_X2APIC | PROC2_APIC_REG |
	                                       PROC2_INTR_DELIVERY),
	        0);
	ck_assert_uint_eq(caps.proc & (PROC_INTR_WINDOW | PROC_NMI_WINDOW), 0);
	/* No port and no CR8 gets past us. */
	ck_assert((caps.proc & PROC_IO_BITMAPS) || (caps.proc & PROC_IO_UNCOND));
	ck_assert((caps.proc & PROC_TPR_SHADOW) || (caps.proc & (PROC_CR8_LOAD | PROC_CR8_STORE)) ==
	                                                   (PROC_CR8_LOAD | PROC_CR8_STORE));
	ck_assert_int_eq(caps.virt.apic.tpr_shadow, (g & BIT(VMX_OPT_TPR)) != 0);
	ck_assert_int_eq(caps.virt.apic.apic_access, (g & BIT(VMX_OPT_APICACC)) != 0);
	ck_assert_int_eq(caps.virt.apic.apic_reg, (g & BIT(VMX_OPT_APICREG)) != 0);
	ck_assert_int_eq(caps.virt.apic.x2apic, (g & BIT(VMX_OPT_X2APIC)) != 0);
	ck_assert_int_eq(caps.virt.apic.intr_delivery, (g & BIT(VMX_OPT_VID)) != 0);
	ck_assert_int_eq(caps.virt.vpid, (g & BIT(VMX_OPT_VPID)) != 0);
	ck_assert_int_eq(caps.virt.rdtscp, (g & BIT(VMX_OPT_RDTSCP)) != 0);
	ck_assert_int_eq(caps.virt.invpcid, (g & BIT(VMX_OPT_INVPCID)) != 0);
	ck_assert_int_eq(caps.virt.xsaves, (g & BIT(VMX_OPT_XSAVES)) != 0);
	ck_assert_int_eq(caps.virt.tsc_scaling, (g & BIT(VMX_OPT_TSCSCALE)) != 0);
	ck_assert_int_eq((caps.proc2 & PROC2_VPID) != 0, caps.virt.vpid);
	ck_assert_int_eq((caps.proc2 & PROC2_RDTSCP) != 0, caps.virt.rdtscp);
	ck_assert_int_eq((caps.pin & PIN_TIMER) != 0, (g & BIT(VMX_OPT_TIMER)) != 0);
}

START_TEST(everything_is_granted)
{
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert_uint_eq(caps.granted, ALL);
	ck_assert_uint_eq(caps.refused, 0);
	ck_assert_uint_eq(caps.revision, 0x1234);
	ck_assert_uint_eq(caps.timer_shift, 5);
	ck_assert(caps.invept_single && caps.invvpid_single && caps.pat && caps.virtual_nmi &&
	          caps.wbinvd);
	ck_assert_uint_eq(caps.cr0_fixed0, 0x80000021);
	ck_assert_uint_eq(caps.cr4_fixed1, 0x3767ff);
	ck_assert_uint_eq(caps.entry & ENTRY_IA32E, 0);
	check_words(true);
	check_dependencies();
}
END_TEST

START_TEST(without_true_controls)
{
	fake_msr_set(MSR_IA32_VMX_BASIC, msr(MSR_IA32_VMX_BASIC) & ~BIT64(55));
	ck_assert_int_eq(read_caps(0), 0);
	check_words(false);
	check_dependencies();
	/* The default settings make CR3 accesses exit. */
	ck_assert_uint_eq(
	        caps.proc & (PROC_CR3_LOAD | PROC_CR3_STORE), PROC_CR3_LOAD | PROC_CR3_STORE);
	/* The true MSRs are not even looked at. */
	fake_msr_set(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, 0);
	ck_assert_int_eq(read_caps(0), 0);
}
END_TEST

/* Which ones go with the option in row i. */
#define O(x) BIT(VMX_OPT_##x)
static const struct {
	uint32_t self;
	int word; /* -1: a bit of EPT_VPID_CAP, -2: of CPUID leaf 7, EDX */
	uint64_t bit;
	uint32_t others;
} options[] = {
        {O(VPID), PROC2, PROC2_VPID, 0},
        {O(TPR), PROC, PROC_TPR_SHADOW, O(X2APIC) | O(APICREG) | O(VID)},
        {O(APICACC), PROC2, PROC2_APIC_ACCESS, O(APICREG) | O(VID)},
        {O(APICREG), PROC2, PROC2_APIC_REG, O(VID)},
        {O(X2APIC), PROC2, PROC2_X2APIC, 0},
        {O(VID), PROC2, PROC2_INTR_DELIVERY, 0},
        {O(MSRBITMAP), PROC, PROC_MSR_BITMAPS, O(X2APIC)},
        {O(IOBITMAP), PROC, PROC_IO_BITMAPS, 0},
        {O(TIMER), PIN, PIN_TIMER, 0},
        {O(PLE), PROC2, PROC2_PAUSE_LOOP, 0},
        {O(INVPCID), PROC2, PROC2_INVPCID, 0},
        {O(RDTSCP), PROC2, PROC2_RDTSCP, 0},
        {O(XSAVES), PROC2, PROC2_XSAVES, 0},
        {O(TSCSCALE), PROC2, PROC2_TSC_SCALING, 0},
        {O(EPT2M), -1, EPT_CAP_2M, O(EPT1G)},
        {O(EPT1G), -1, EPT_CAP_1G, 0},
        {O(EPTAD), -1, EPT_CAP_AD, 0},
        {O(L1DFLUSH), -2, LEAF7_L1D_FLUSH, 0},
};
_Static_assert(ARRAY_SIZE(options) == VMX_OPT_COUNT, "one row an option");

static void take_away(unsigned i)
{
	if (options[i].word == -2) {
		fake_cpuid_set(7, 0, 0, 0, 0, 0);
	} else if (options[i].word == -1) {
		fake_msr_set(MSR_IA32_VMX_EPT_VPID_CAP,
		        msr(MSR_IA32_VMX_EPT_VPID_CAP) & ~options[i].bit);
	} else {
		deny_word((unsigned)options[i].word, (uint32_t)options[i].bit);
	}
}

START_TEST(one_option_absent)
{
	take_away((unsigned)_i);
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert_uint_eq(caps.granted, ALL & ~options[_i].self & ~options[_i].others);
	ck_assert_uint_eq(caps.refused, options[_i].self);
	check_words(true);
	check_dependencies();
}
END_TEST

START_TEST(one_option_denied)
{
	ck_assert_int_eq(read_caps(options[_i].self), 0);
	ck_assert_uint_eq(caps.granted, ALL & ~options[_i].self & ~options[_i].others);
	ck_assert_uint_eq(caps.refused, 0);
	check_words(true);
	check_dependencies();
}
END_TEST

START_TEST(all_options_absent)
{
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		take_away(i);
	}
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert_uint_eq(caps.granted, 0);
	ck_assert_uint_eq(caps.refused, ALL);
	check_words(true);
	check_dependencies();
}
END_TEST

START_TEST(all_options_denied)
{
	ck_assert_int_eq(read_caps(~0U), 0);
	ck_assert_uint_eq(caps.granted, 0);
	check_words(true);
	check_dependencies();
}
END_TEST

/* VPIDs without a way to flush them are of no use. */
START_TEST(vpid_needs_invvpid)
{
	const uint64_t all = msr(MSR_IA32_VMX_EPT_VPID_CAP);

	fake_msr_set(MSR_IA32_VMX_EPT_VPID_CAP, all & ~EPT_CAP_INVVPID);
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert(!(caps.granted & O(VPID)) && !(caps.proc2 & PROC2_VPID));
	fake_msr_set(
	        MSR_IA32_VMX_EPT_VPID_CAP, all & ~(EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVVPID_ALL));
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert(!(caps.granted & O(VPID)));
	fake_msr_set(
	        MSR_IA32_VMX_EPT_VPID_CAP, all & ~(EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVEPT_SINGLE));
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert((caps.granted & O(VPID)) && !caps.invvpid_single && !caps.invept_single);
}
END_TEST

/* Small conveniences that are simply done without. */
START_TEST(without_pat_and_virtual_nmi)
{
	deny_word(EXIT, EXIT_LOAD_PAT);
	deny_word(PIN, PIN_VIRTUAL_NMI);
	deny_word(PROC2, PROC2_WBINVD);
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert(!caps.pat && !caps.virtual_nmi && !caps.wbinvd);
	ck_assert_uint_eq(caps.exit & (EXIT_SAVE_PAT | EXIT_LOAD_PAT), 0);
	ck_assert_uint_eq(caps.entry & ENTRY_LOAD_PAT, 0);
	check_words(true);
}
END_TEST

static const struct {
	unsigned word;
	uint32_t bit;
	const char *sentence;
} required[] = {
        {PIN, PIN_EXT_INTR, "the pin-based control 'external-interrupt exiting'"},
        {PIN, PIN_NMI, "the pin-based control 'NMI exiting'"},
        {PROC, PROC_HLT, "the processor-based control 'HLT exiting'"},
        {PROC, PROC_TSC_OFFSET, "the processor-based control 'use TSC offsetting'"},
        {PROC, PROC_MWAIT, "the processor-based control 'MWAIT exiting'"},
        {PROC, PROC_MONITOR, "the processor-based control 'MONITOR exiting'"},
        {PROC, PROC_MOV_DR, "the processor-based control 'MOV-DR exiting'"},
        {PROC, PROC_RDPMC, "the processor-based control 'RDPMC exiting'"},
        {PROC, PROC_SECONDARY, "the processor-based control 'activate secondary controls'"},
        {PROC2, PROC2_EPT, "the secondary processor-based control 'enable EPT'"},
        {PROC2, PROC2_UNRESTRICTED, "the secondary processor-based control 'unrestricted guest'"},
        {EXIT, EXIT_SAVE_DEBUG, "the VM-exit control 'save debug controls'"},
        {EXIT, EXIT_HOST_64, "the VM-exit control 'host address-space size'"},
        {EXIT, EXIT_ACK_INTR, "the VM-exit control 'acknowledge interrupt on exit'"},
        {EXIT, EXIT_SAVE_EFER, "the VM-exit control 'save IA32_EFER'"},
        {EXIT, EXIT_LOAD_EFER, "the VM-exit control 'load IA32_EFER (exit)'"},
        {ENTRY, ENTRY_LOAD_DEBUG, "the VM-entry control 'load debug controls'"},
        {ENTRY, ENTRY_LOAD_EFER, "the VM-entry control 'load IA32_EFER (entry)'"},
};

START_TEST(a_required_control_is_missing)
{
	deny_word(required[_i].word, required[_i].bit);
	ck_assert_int_eq(read_caps(0), -ENODEV);
	ck_assert_msg(strstr(why, required[_i].sentence) != NULL, "%s", why);
}
END_TEST

/* An optional control may be missing, but then what stands in for it may not. */
static const struct {
	uint32_t option, option_bit, fallback;
	const char *name;
} fallbacks[] = {
        {O(IOBITMAP), PROC_IO_BITMAPS, PROC_IO_UNCOND, "unconditional I/O exiting"},
        {O(TPR), PROC_TPR_SHADOW, PROC_CR8_LOAD, "CR8-load exiting"},
        {O(TPR), PROC_TPR_SHADOW, PROC_CR8_STORE, "CR8-store exiting"},
};

START_TEST(nothing_stands_in)
{
	deny_word(PROC, fallbacks[_i].fallback);
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert_int_eq(read_caps(fallbacks[_i].option), -ENODEV);
	ck_assert_msg(strstr(why, fallbacks[_i].name) != NULL, "%s", why);
	deny_word(PROC, fallbacks[_i].option_bit);
	ck_assert_int_eq(read_caps(0), -ENODEV);
}
END_TEST

static const struct {
	uint32_t msr;
	uint64_t clear;
	const char *sentence;
} basics[] = {
        {MSR_IA32_VMX_EPT_VPID_CAP, EPT_CAP_WALK4, "4-level write-back"},
        {MSR_IA32_VMX_EPT_VPID_CAP, EPT_CAP_WB, "4-level write-back"},
        {MSR_IA32_VMX_EPT_VPID_CAP, EPT_CAP_INVEPT, "lacks INVEPT"},
        {MSR_IA32_VMX_EPT_VPID_CAP, EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL, "lacks INVEPT"},
        {MSR_IA32_VMX_BASIC, 6ULL << 50, "too old"},
        {MSR_IA32_VMX_BASIC, BIT64(54), "too old"},
};

START_TEST(a_basic_ability_is_missing)
{
	fake_msr_set(basics[_i].msr, msr(basics[_i].msr) & ~basics[_i].clear);
	ck_assert_int_eq(read_caps(0), -ENODEV);
	ck_assert_msg(strstr(why, basics[_i].sentence) != NULL, "%s", why);
}
END_TEST

START_TEST(no_vt_x_at_all)
{
	fake_msr_clear();
	ck_assert_int_eq(read_caps(0), -ENODEV);
	ck_assert_str_eq(why, "this processor has no VT-x");
	/* MSRs that are not there grant nothing. */
	fake_msr_set(MSR_IA32_VMX_BASIC, 6ULL << 50 | BIT64(54));
	ck_assert_int_eq(read_caps(0), -ENODEV);
	ck_assert_ptr_nonnull(strstr(why, "external-interrupt exiting"));
}
END_TEST

/* The erratum is there unless IA32_ARCH_CAPABILITIES says that it is not. */
START_TEST(itlb_multihit)
{
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert(caps.itlb_multihit);
	fake_msr_set(MSR_IA32_ARCH_CAPABILITIES, BIT64(6));
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert(caps.itlb_multihit); /* CPUID does not announce the MSR */
	fake_cpuid_set(7, 0, 0, 0, 0, LEAF7_ARCH_CAP);
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert(!caps.itlb_multihit);
	fake_msr_set(MSR_IA32_ARCH_CAPABILITIES, ~BIT64(6));
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert(caps.itlb_multihit);
}
END_TEST

/* Flushed unless the processor says that it need not be, or has no command for it. */
static const struct {
	uint32_t leaf7;
	uint64_t arch_caps;
	uint32_t off;
	bool flushed;
	const char *says;
} l1d[] = {
        {LEAF7_L1D_FLUSH, 0, 0, true, "entry: yes"},
        {LEAF7_L1D_FLUSH, ~0ULL, 0, true, "entry: yes"}, /* the MSR is not announced */
        {LEAF7_L1D_FLUSH | LEAF7_ARCH_CAP, 0, 0, true, "entry: yes"},
        {LEAF7_L1D_FLUSH | LEAF7_ARCH_CAP, ~9ULL, 0, true, "entry: yes"},
        {LEAF7_L1D_FLUSH | LEAF7_ARCH_CAP, BIT64(0), 0, false, "entry: no (L1TF denied)"},
        {LEAF7_L1D_FLUSH | LEAF7_ARCH_CAP, BIT64(3), 0, false, "entry: no (the hypervisor below"},
        {LEAF7_L1D_FLUSH, 0, O(L1DFLUSH), false, "not denied: off (candela.cfg)"},
        {LEAF7_ARCH_CAP, 0, 0, false, "not denied: the processor has no such command"},
        {0, 0, 0, false, "not denied: the processor has no such command"},
        {LEAF7_ARCH_CAP, BIT64(0), 0, false, "entry: no (L1TF denied)"},
};

START_TEST(l1d_flush)
{
	fake_cpuid_set(7, 0, 0, 0, 0, l1d[_i].leaf7);
	fake_msr_set(MSR_IA32_ARCH_CAPABILITIES, l1d[_i].arch_caps);
	ck_assert_int_eq(read_caps(l1d[_i].off), 0);
	ck_assert_int_eq((caps.granted & O(L1DFLUSH)) != 0, l1d[_i].flushed);
	vmx_caps_dump(&caps, l1d[_i].off, 0, &out_log);
	ck_assert_uint_eq(fake_log_count(l1d[_i].says), 1);
}
END_TEST

/* Before leaf 7 there is nothing to ask. */
START_TEST(l1d_flush_of_an_old_processor)
{
	fake_cpuid_set(0, 0, 6, 0, 0, 0);
	ck_assert_int_eq(read_caps(0), 0);
	ck_assert_int_eq(caps.l1d, L1D_CANNOT);
}
END_TEST

START_TEST(the_log_says_why)
{
	deny_word(PROC2, PROC2_APIC_REG);
	ck_assert_int_eq(read_caps(O(PLE)), 0);
	vmx_caps_dump(&caps, O(PLE), 0, &out_log);
	ck_assert_uint_eq(fake_log_count("  apicreg    absent"), 1);
	ck_assert_uint_eq(fake_log_count("  ple        off (candela.cfg)"), 1);
	ck_assert_uint_eq(fake_log_count("  vid        off (needs another)"), 1);
	ck_assert_uint_eq(fake_log_count("  vpid       granted"), 1);
	ck_assert_uint_eq(fake_log_count("large pages: no"), 1);
	ck_assert_uint_eq(fake_log_count("revision 0x1234"), 1);
}
END_TEST

START_TEST(known_defects_go_by_revision)
{
	fake_msr_set(MSR_IA32_VMX_BASIC, 0x2b);
	ck_assert_uint_eq(vmx_known_defects(), O(VID) | O(XSAVES));
	fake_msr_set(MSR_IA32_VMX_BASIC, 0x12);
	ck_assert_uint_eq(vmx_known_defects(), 0);
}
END_TEST

UNIT_MAIN("vmx_caps", tcase_add_test(tc, known_defects_go_by_revision);
          tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, everything_is_granted);
          tcase_add_test(tc, without_true_controls);
          tcase_add_loop_test(tc, one_option_absent, 0, ARRAY_SIZE(options));
          tcase_add_loop_test(tc, one_option_denied, 0, ARRAY_SIZE(options));
          tcase_add_test(tc, all_options_absent); tcase_add_test(tc, all_options_denied);
          tcase_add_test(tc, vpid_needs_invvpid); tcase_add_test(tc, without_pat_and_virtual_nmi);
          tcase_add_loop_test(tc, a_required_control_is_missing, 0, ARRAY_SIZE(required));
          tcase_add_loop_test(tc, nothing_stands_in, 0, ARRAY_SIZE(fallbacks));
          tcase_add_loop_test(tc, a_basic_ability_is_missing, 0, ARRAY_SIZE(basics));
          tcase_add_test(tc, no_vt_x_at_all); tcase_add_test(tc, itlb_multihit);
          tcase_add_loop_test(tc, l1d_flush, 0, ARRAY_SIZE(l1d));
          tcase_add_test(tc, l1d_flush_of_an_old_processor); tcase_add_test(tc, the_log_says_why);)
