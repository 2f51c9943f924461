// SPDX-License-Identifier: BSD-2-Clause
// The page walker: modes, rights, reserved bits, accessed and dirty flags.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/guest_walk.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include <string.h>

#define P 1ULL
#define W 2ULL
#define U 4ULL
#define A 0x20ULL
#define D 0x40ULL
#define PS 0x80ULL
#define XD BIT64(63)

#define L4 0x1000ULL
#define L3 0x2000ULL
#define L2 0x3000ULL
#define L1 0x4000ULL

/* Error code bits. */
#define E_P 1U
#define E_W 2U
#define E_U 4U
#define E_R 8U
#define E_I 16U

static uint8_t ram[0x10000] __attribute__((aligned(4096)));
static struct guest_mem mem;
static struct walk_state st;

static void put64(uint64_t at, uint64_t v)
{
	ck_assert_int_eq(gmem_write(&mem, gpa(at), &v, 8), 0);
}

static void put32(uint64_t at, uint32_t v)
{
	ck_assert_int_eq(gmem_write(&mem, gpa(at), &v, 4), 0);
}

static uint64_t get64(uint64_t at)
{
	uint64_t v = 0;

	ck_assert_int_eq(gmem_read(&mem, gpa(at), &v, 8), 0);
	return v;
}

enum paging { LONG_4K, LONG_2M, LONG_1G, PAE_4K, PAE_2M, P32_4K, P32_4M, PAGING_COUNT };

/* The linear address under test: index 1 at each level, offset 0x123. */
static const uint64_t vas[] = {
        [LONG_4K] = (1ULL << 39) | (1 << 30) | (1 << 21) | (1 << 12) | 0x123,
        [LONG_2M] = (1ULL << 39) | (1 << 30) | (1 << 21) | 0x1123,
        [LONG_1G] = (1ULL << 39) | (1 << 30) | 0x201123,
        [PAE_4K] = (1 << 30) | (1 << 21) | (1 << 12) | 0x123,
        [PAE_2M] = (1 << 30) | (1 << 21) | 0x1123,
        [P32_4K] = (1 << 22) | (1 << 12) | 0x123,
        [P32_4M] = (1 << 22) | 0x1123,
};

static const uint64_t results[] = {
        [LONG_4K] = 0x765432123,
        [LONG_2M] = 0x765401123,
        [LONG_1G] = 0x740201123,
        [PAE_4K] = 0x765432123,
        [PAE_2M] = 0x765401123,
        [P32_4K] = 0x65432123,
        [P32_4M] = 0x7654001123 & 0xffffffffffULL, /* PSE-36: address bits 39-32 */
};

/* Where the leaf's entry is. */
static const uint64_t leaves[] = {
        [LONG_4K] = L1 + 8,
        [LONG_2M] = L2 + 8,
        [LONG_1G] = L3 + 8,
        [PAE_4K] = L1 + 8,
        [PAE_2M] = L2 + 8,
        [P32_4K] = L1 + 4,
        [P32_4M] = L2 + 4,
};

/* upper: rights of the entries above the leaf; leaf: rights of the leaf. */
static void build(enum paging mode, uint64_t upper, uint64_t leaf)
{
	memset(&mem, 0, sizeof(mem));
	memset(ram, 0, sizeof(ram));
	ck_assert_int_eq(gmem_add(&mem, gpa(0), ram, hpa(0), sizeof(ram)), 0);
	memset(&st, 0, sizeof(st));
	st.cr0 = CR0_PE | CR0_PG | CR0_WP;
	st.phys_bits = 46;
	st.cr3 = mode >= P32_4K ? L2 : mode >= PAE_4K ? L3 : L4;
	if (mode < PAE_4K) {
		st.cr4 = CR4_PAE;
		st.efer = EFER_LME | EFER_LMA | EFER_NXE;
	} else if (mode < P32_4K) {
		st.cr4 = CR4_PAE;
		st.efer = EFER_NXE;
	} else {
		st.cr4 = CR4_PSE;
	}
	switch (mode) {
	case LONG_4K:
	case LONG_2M:
	case LONG_1G:
		put64(L4 + 8, L3 | upper);
		put64(L3 + 8, L2 | upper);
		put64(L2 + 8, L1 | upper);
		break;
	case PAE_4K:
	case PAE_2M:
		put64(L3 + 8, L2 | P);
		put64(L2 + 8, L1 | upper);
		break;
	case P32_4K:
	case P32_4M:
		put32(L2 + 4, (uint32_t)(L1 | upper));
		break;
	case PAGING_COUNT:
		break;
	}
	switch (mode) {
	case LONG_4K:
	case PAE_4K:
		put64(leaves[mode], 0x765432000 | leaf);
		break;
	case LONG_2M:
	case PAE_2M:
		put64(leaves[mode], 0x765400000 | leaf | PS);
		break;
	case LONG_1G:
		put64(leaves[mode], 0x740000000 | leaf | PS);
		break;
	case P32_4K:
		put32(leaves[mode], (uint32_t)(0x65432000 | leaf));
		break;
	case P32_4M:
		put32(leaves[mode], (uint32_t)(0x54000000 | (0x76 << 13) | leaf | PS));
		break;
	case PAGING_COUNT:
		break;
	}
}

#define RWU (P | W | U)

static const struct {
	const char *name;
	uint64_t upper, leaf;
	bool user;
	uint64_t cr4, flags;
	bool no_wp;
	int r, w, x; /* error code of each access, -1 = allowed */
} rights[] = {
        {"all", RWU, RWU, false, 0, 0, false, -1, -1, -1},
        {"all, user", RWU, RWU, true, 0, 0, false, -1, -1, -1},
        {"supervisor page", RWU, P | W, false, 0, 0, false, -1, -1, -1},
        {"supervisor page, user", RWU, P | W, true, 0, 0, false, E_P | E_U, E_P | E_U | E_W,
                E_P | E_U | E_I},
        {"supervisor above, user", P | W, RWU, true, 0, 0, false, E_P | E_U, E_P | E_U | E_W,
                E_P | E_U | E_I},
        {"read-only", RWU, P | U, false, 0, 0, false, -1, E_P | E_W, -1},
        {"read-only above", P | U, RWU, false, 0, 0, false, -1, E_P | E_W, -1},
        {"read-only, no WP", RWU, P | U, false, 0, 0, true, -1, -1, -1},
        {"read-only, user, no WP", RWU, P | U, true, 0, 0, true, -1, E_P | E_U | E_W, -1},
        {"SMEP", RWU, RWU, false, CR4_SMEP, 0, false, -1, -1, E_P | E_I},
        {"SMEP, user", RWU, RWU, true, CR4_SMEP, 0, false, -1, -1, -1},
        {"SMEP, supervisor page", RWU, P | W, false, CR4_SMEP, 0, false, -1, -1, -1},
        {"SMAP", RWU, RWU, false, CR4_SMAP, 0, false, E_P, E_P | E_W, -1},
        {"SMAP, AC", RWU, RWU, false, CR4_SMAP, RFLAGS_AC, false, -1, -1, -1},
        {"SMAP, AC, read-only", RWU, P | U, false, CR4_SMAP, RFLAGS_AC, false, -1, E_P | E_W, -1},
        {"SMAP, user", RWU, RWU, true, CR4_SMAP, 0, false, -1, -1, -1},
        {"SMAP, no WP", RWU, RWU, false, CR4_SMAP, 0, true, E_P, E_P | E_W, -1},
        {"XD", RWU, RWU | XD, false, 0, 0, false, -1, -1, E_P | E_I},
        {"XD, user", RWU, RWU | XD, true, 0, 0, false, -1, -1, E_P | E_U | E_I},
        {"not present", RWU, 0, false, 0, 0, false, 0, E_W, E_I},
        {"not present, user", RWU, 0, true, 0, 0, false, E_U, E_U | E_W, E_U | E_I},
        {"not present above", 0, RWU, true, 0, 0, false, E_U, E_U | E_W, E_U | E_I},
        {"reserved bit", RWU, RWU | BIT64(50), false, 0, 0, false, E_P | E_R, E_P | E_R | E_W,
                E_P | E_R | E_I},
};

/* Every row in every mode and with every access. */
START_TEST(table_of_rights)
{
	for (int mode = 0; mode < PAGING_COUNT; mode++) {
		bool large = mode == LONG_2M || mode == LONG_1G || mode == PAE_2M || mode == P32_4M;
		uint64_t upper = rights[_i].upper;
		bool p32 = mode >= P32_4K;

		if ((rights[_i].leaf >> 32) != 0 && p32) {
			continue; /* those bits do not exist there */
		}
		if (mode == P32_4M && upper != RWU) {
			continue; /* nothing is above the leaf */
		}
		if (mode == PAE_2M && upper != RWU) {
			continue;
		}
		for (int access = 0; access <= WALK_FETCH; access++) {
			int want = access == WALK_READ    ? rights[_i].r
			           : access == WALK_WRITE ? rights[_i].w
			                                  : rights[_i].x;
			struct walk_fault fault = {0};
			uint64_t before, after;
			gpa_t out;
			int err;

			build((enum paging)mode, upper, rights[_i].leaf);
			st.cpl = rights[_i].user ? 3 : 0;
			st.cr4 |= rights[_i].cr4;
			st.rflags = rights[_i].flags;
			st.cr0 &= rights[_i].no_wp ? ~CR0_WP : ~0ULL;
			if (p32 && (st.cr4 & CR4_SMEP) == 0 && want > 0) {
				want &= (int)~E_I; /* neither SMEP nor NX: the bit is not reported
				                    */
			}
			before = get64(leaves[mode] & ~7ULL);
			err = guest_walk(
			        &mem, &st, gva(vas[mode]), (enum walk_access)access, &out, &fault);
			after = get64(leaves[mode] & ~7ULL);
			if (want < 0) {
				uint64_t set = (A | (access == WALK_WRITE ? D : 0))
				               << (p32 ? 32 : 0);

				ck_assert_msg(err == 0, "%s: mode %d access %d: %d, error %x",
				        rights[_i].name, mode, access, err, fault.error);
				ck_assert_uint_eq(out.v, results[mode]);
				ck_assert_uint_eq(after, before | set);
				if (!large && !p32) {
					ck_assert_uint_eq(get64(L2 + 8) & (A | D), A);
				}
			} else {
				ck_assert_msg(err == -EFAULT && fault.vector == X86_PF &&
				                      fault.error == (uint32_t)want,
				        "%s: mode %d access %d: %d, error %x not %x",
				        rights[_i].name, mode, access, err, fault.error,
				        (unsigned)want);
				ck_assert_uint_eq(after, before);
			}
		}
	}
}
END_TEST

static const struct {
	const char *name;
	enum paging mode;
	uint64_t at, set; /* OR these bits into this entry */
	uint64_t clear_efer;
	unsigned phys_bits;
	bool fault;
} reserved[] = {
        {"pml4e ps", LONG_4K, L4 + 8, PS, 0, 46, true},
        {"pdpte 1g bit 13", LONG_1G, L3 + 8, BIT64(13), 0, 46, true},
        {"pdpte 1g bit 29", LONG_1G, L3 + 8, BIT64(29), 0, 46, true},
        {"pdpte 1g pat", LONG_1G, L3 + 8, BIT64(12), 0, 46, false},
        {"pde 2m bit 13", LONG_2M, L2 + 8, BIT64(13), 0, 46, true},
        {"pde 2m bit 20", LONG_2M, L2 + 8, BIT64(20), 0, 46, true},
        {"pte above maxphyaddr", LONG_4K, L1 + 8, BIT64(46), 0, 46, true},
        {"pte below maxphyaddr", LONG_4K, L1 + 8, BIT64(45), 0, 46, false},
        {"pte with 52 bits", LONG_4K, L1 + 8, BIT64(51), 0, 52, false},
        {"ignored bits", LONG_4K, L1 + 8, GENMASK64(62, 52), 0, 46, false},
        {"pml4e above maxphyaddr", LONG_4K, L4 + 8, BIT64(47), 0, 46, true},
        {"xd without nxe", LONG_4K, L2 + 8, XD, EFER_NXE, 46, true},
        {"pae pdpte rights", PAE_4K, L3 + 8, W, 0, 46, true},
        {"pae pdpte bit 5", PAE_4K, L3 + 8, A, 0, 46, true},
        {"pae pdpte xd", PAE_4K, L3 + 8, XD, 0, 46, true},
        {"pae pte ignored bits are reserved", PAE_4K, L1 + 8, BIT64(52), 0, 46, true},
        {"pae pde 2m bit 20", PAE_2M, L2 + 8, BIT64(20), 0, 46, true},
        {"pae xd without nxe", PAE_4K, L1 + 8, XD, EFER_NXE, 46, true},
        {"pse bit 21", P32_4M, L2, BIT64(32 + 21), 0, 46, true},
        {"pse-36 with 36 bits", P32_4M, L2, 0, 0, 36, true},
        {"pse-36 with 39 bits", P32_4M, L2, 0, 0, 39, false},
        {"pse-36 bit 39 with 39 bits", P32_4M, L2, BIT64(32 + 20), 0, 39, true},
};

START_TEST(reserved_bits)
{
	struct walk_fault fault = {0};
	gpa_t out;
	int err;

	build(reserved[_i].mode, RWU, RWU);
	put64(reserved[_i].at, get64(reserved[_i].at) | reserved[_i].set);
	st.efer &= ~reserved[_i].clear_efer;
	st.phys_bits = reserved[_i].phys_bits;
	err = guest_walk(&mem, &st, gva(vas[reserved[_i].mode]), WALK_READ, &out, &fault);
	if (reserved[_i].fault) {
		ck_assert_msg(err == -EFAULT && fault.error == (E_P | E_R), "%s: %d, %x",
		        reserved[_i].name, err, fault.error);
	} else {
		ck_assert_msg(err == 0, "%s", reserved[_i].name);
	}
}
END_TEST

START_TEST(no_paging)
{
	struct walk_fault fault;
	gpa_t out;

	build(LONG_4K, 0, 0);
	st.cr0 = 0;
	st.efer = 0;
	ck_assert_int_eq(guest_walk(&mem, &st, gva(0x123456789abULL), WALK_WRITE, &out, &fault), 0);
	ck_assert_uint_eq(out.v, 0x456789ab);
}
END_TEST

START_TEST(canonical)
{
	static const struct {
		uint64_t va;
		bool ok;
	} rows[] = {{0x00007fffffffffffULL, true}, {0x0000800000000000ULL, false},
	        {0xffff7fffffffffffULL, false}, {0xffff800000000000ULL, true}, {~0ULL, true},
	        {1ULL << 63, false}};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct walk_fault fault = {0};
		gpa_t out;

		build(LONG_4K, RWU, RWU);
		ck_assert_int_eq(
		        guest_walk(&mem, &st, gva(rows[i].va), WALK_READ, &out, &fault), -EFAULT);
		ck_assert_uint_eq(fault.vector, rows[i].ok ? X86_PF : X86_GP);
		ck_assert_uint_eq(fault.error, 0);
	}
}
END_TEST

START_TEST(table_outside_ram)
{
	struct walk_fault fault;
	gpa_t out;

	build(LONG_4K, RWU, RWU);
	put64(L3 + 8, 0x123456000 | RWU);
	ck_assert_int_eq(guest_walk(&mem, &st, gva(vas[LONG_4K]), WALK_READ, &out, &fault), -EIO);
	st.cr3 = 0xfffff000;
	ck_assert_int_eq(guest_walk(&mem, &st, gva(vas[LONG_4K]), WALK_READ, &out, &fault), -EIO);
}
END_TEST

/* CR3's low and high bits (PCID, flags) are no address. */
START_TEST(cr3_bits)
{
	struct walk_fault fault;
	gpa_t out;

	build(LONG_4K, RWU, RWU);
	st.cr3 |= 0xfff;
	ck_assert_int_eq(guest_walk(&mem, &st, gva(vas[LONG_4K]), WALK_READ, &out, &fault), 0);
	build(P32_4K, RWU, RWU);
	st.cr3 |= 0x18;
	ck_assert_int_eq(guest_walk(&mem, &st, gva(vas[P32_4K]), WALK_READ, &out, &fault), 0);
	/* In PAE paging the table is 32-byte aligned only. */
	build(PAE_4K, RWU, RWU);
	put64(0x5020 + 8, L2 | P);
	st.cr3 = 0x5020;
	ck_assert_int_eq(guest_walk(&mem, &st, gva(vas[PAE_4K]), WALK_READ, &out, &fault), 0);
}
END_TEST

/* PS without CR4.PSE is an ordinary page table. */
START_TEST(pse_off)
{
	struct walk_fault fault;
	gpa_t out;

	build(P32_4K, RWU, RWU);
	put32(L2 + 4, (uint32_t)(L1 | RWU | PS));
	st.cr4 = 0;
	ck_assert_int_eq(guest_walk(&mem, &st, gva(vas[P32_4K]), WALK_READ, &out, &fault), 0);
	ck_assert_uint_eq(out.v, results[P32_4K]);
}
END_TEST

START_TEST(virt_copies)
{
	struct vm *vm = fake_vm(0x200000, 1);
	struct vcpu *vcpu = vm->vcpus[0];
	struct walk_fault fault = {0};
	uint8_t buf[64], got[64];
	uint64_t none = 0;
	gva_t at;

	fake_long_mode(vcpu, 0x10000);
	for (unsigned i = 0; i < sizeof(buf); i++) {
		buf[i] = (uint8_t)(i + 1);
	}
	ck_assert_int_eq(guest_virt_write(vcpu, gva(0x5fe0), buf, sizeof(buf), &at, &fault), 0);
	ck_assert_int_eq(guest_system_read(vcpu, gva(0x5fe0), got, sizeof(got), &at, &fault), 0);
	ck_assert_int_eq(memcmp(buf, got, sizeof(buf)), 0);
	/* Not RAM behind the tables. */
	ck_assert_int_eq(guest_system_read(vcpu, gva(0x200000), got, 1, &at, &fault), -EIO);
	/* The second page is missing: nothing is written to the first. */
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x12008), &none, 8), 0);
	memset(got, 0, sizeof(got));
	ck_assert_int_eq(
	        guest_virt_write(vcpu, gva(0x1fffe0), buf, sizeof(buf), &at, &fault), -EFAULT);
	ck_assert_uint_eq(at.v, 0x200000);
	ck_assert_uint_eq(fault.error, E_W);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(0x1fffe0), got, 32), 0);
	ck_assert_uint_eq(got[0], 0);
	ck_assert_int_eq(
	        guest_system_read(vcpu, gva(0x1234567890000000ULL), got, 0, &at, &fault), 0);
	/* Without paging, addresses wrap at 4 GiB. */
	fake_vcpu(vcpu)->regs[REG_CR0] = 0;
	fake_vcpu(vcpu)->regs[REG_EFER] = 0;
	ck_assert_int_eq(guest_system_read(vcpu, gva(0x100005fe0ULL), got, 4, &at, &fault), 0);
	ck_assert_uint_eq(got[0], 1);
}
END_TEST

UNIT_MAIN("guest_walk", tcase_add_loop_test(tc, table_of_rights, 0, ARRAY_SIZE(rights));
          tcase_add_loop_test(tc, reserved_bits, 0, ARRAY_SIZE(reserved));
          tcase_add_test(tc, no_paging); tcase_add_test(tc, canonical);
          tcase_add_test(tc, table_outside_ram); tcase_add_test(tc, cr3_bits);
          tcase_add_test(tc, pse_off); tcase_add_test(tc, virt_copies);)
