// SPDX-License-Identifier: BSD-2-Clause
// Which processors are refused, in which words, and that no MSR is read that may not exist.
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include "vmm/lib/vmx_check.h"
#include <string.h>

#define VMX (1U << 5)
#define NX (1U << 20)
#define SECONDARY (1ULL << 63)
#define EPT_UG (1ULL << 33 | 1ULL << 39)
#define CAP (1ULL << 6 | 1ULL << 14)

static const struct {
	struct vmx_facts facts;
	const char *why; /* contained in the sentence; NULL = fit */
} rows[] = {
        {{true, false, VMX, NX, 0, SECONDARY, EPT_UG, CAP}, NULL}, /* unlocked: we lock it */
        {{true, false, VMX, NX, 5, SECONDARY, EPT_UG, CAP}, NULL}, /* locked with VMX */
        {{true, true, VMX, NX, 7, SECONDARY, EPT_UG, CAP}, NULL},  /* nested */
        {{true, false, VMX, NX, 4, SECONDARY, EPT_UG, CAP}, NULL}, /* set, not locked */
        {{true, false, VMX, NX, 1, SECONDARY, EPT_UG, CAP}, "switched VT-x off and locked it"},
        {{true, false, VMX, NX, 3, SECONDARY, EPT_UG, CAP}, "switched VT-x off and locked it"},
        {{true, false, 0, NX, 0, 0, 0, 0}, "has no VT-x, or the firmware hides it"},
        {{true, true, 0, NX, 0, 0, 0, 0}, "nested virtualization"},
        {{false, false, 0, NX, 0, 0, 0, 0}, "not Intel's"},
        {{true, false, VMX, NX, 0, 0, EPT_UG, CAP}, "no EPT"},
        {{true, false, VMX, NX, 0, SECONDARY, 1ULL << 39, CAP}, "no EPT"},
        {{true, false, VMX, NX, 0, SECONDARY, 1ULL << 33, CAP}, "no unrestricted guest"},
        {{true, false, VMX, NX, 0, SECONDARY, EPT_UG, 1ULL << 6}, "four-level"},
        {{true, false, VMX, NX, 0, SECONDARY, EPT_UG, 1ULL << 14}, "four-level"},
        {{true, false, VMX, 0, 0, SECONDARY, EPT_UG, CAP}, "NX"},
        /* "Must be 1" is no permission: the low half does not count. */
        {{true, false, VMX, NX, 0, SECONDARY, 0xffffffffULL, CAP}, "no EPT"},
};

START_TEST(verdict)
{
	char why[256] = "";
	int ret = vmx_check(&rows[_i].facts, why, sizeof(why));

	if (!rows[_i].why) {
		ck_assert_msg(ret == 0, "%s", why);
		return;
	}
	ck_assert_int_eq(ret, -ENODEV);
	ck_assert_ptr_nonnull(strstr(why, rows[_i].why));
}
END_TEST

START_TEST(msrs_exist)
{
	struct vmx_facts f = {.cpuid1_ecx = ~VMX, .procbased = ~0ULL, .procbased2 = ~0ULL};

	ck_assert(!vmx_has_msrs(&f) && !vmx_has_procbased2(&f) && !vmx_has_ept_cap(&f));
	f.cpuid1_ecx = VMX;
	ck_assert(vmx_has_msrs(&f) && vmx_has_procbased2(&f) && vmx_has_ept_cap(&f));
	f.procbased2 = 1ULL << 37; /* VPID alone has the capability register too */
	ck_assert(vmx_has_ept_cap(&f));
	f.procbased2 = 1ULL << 39;
	ck_assert(!vmx_has_ept_cap(&f));
	f.procbased = ~SECONDARY;
	ck_assert(vmx_has_msrs(&f) && !vmx_has_procbased2(&f) && !vmx_has_ept_cap(&f));
}
END_TEST

UNIT_MAIN("vmx_check", tcase_add_loop_test(tc, verdict, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, msrs_exist);)
