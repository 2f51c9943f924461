// SPDX-License-Identifier: BSD-2-Clause
// Linux bzImage files: the setup header, and where kernel and initrd go.
// Specs: [BOOT] "The Real-Mode Kernel Header", "Details of Header Fields", "64-bit Boot Protocol".
#include "vmm/lib/bits.h"
#include "vmm/lib/elf.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/image_kinds.h"
#include "vmm/lib/string.h"

/* [BOOT] "The Real-Mode Kernel Header": offsets in the file. */
enum {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_SYSSIZE = 0x1f4,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_LOADFLAGS = 0x211,
	HDR_INITRD_ADDR_MAX = 0x22c,
	HDR_KERNEL_ALIGNMENT = 0x230,
	HDR_RELOCATABLE = 0x234,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_END = 0x268, /* of the header in protocol 2.12 */
};

#define BOOT_FLAG 0xaa55U
#define LOADED_HIGH BIT(0)
#define XLF_KERNEL_64 BIT(0)
#define PROTOCOL_MIN 0x020cU /* 2.12: xloadflags */
#define SECTOR 512U
#define ENTRY_64 0x200U /* of the 64-bit entry in the protected-mode part */
#define LOW_1M 0x100000ULL

bool image_is_linux(const void *file, size_t len)
{
	const uint8_t *p = file;

	return len >= HDR_VERSION && le16_at(p + HDR_BOOT_FLAG) == BOOT_FLAG &&
	       memcmp(p + HDR_MAGIC, "HdrS", 4) == 0;
}

static int check_version(const uint8_t *p, char *why, size_t why_size)
{
	uint16_t version = le16_at(p + HDR_VERSION);

	if (version < PROTOCOL_MIN) {
		fmt_print(why, why_size,
		        "is too old: boot protocol %u.%02u, at least 2.12 (Linux 3.8) is needed",
		        version >> 8, version & 0xffU);
		return -ENOEXEC;
	}
	if (!(p[HDR_LOADFLAGS] & LOADED_HIGH)) {
		fmt_print(why, why_size, "is a zImage, only bzImage can be loaded");
		return -ENOEXEC;
	}
	if (!(le16_at(p + HDR_XLOADFLAGS) & XLF_KERNEL_64)) {
		fmt_print(why, why_size, "is a 32-bit kernel: it has no 64-bit entry point");
		return -ENOEXEC;
	}
	return 0;
}

int image_probe_linux(
        struct linux_image *img, const void *file, size_t len, char *why, size_t why_size)
{
	const uint8_t *p = file;
	uint64_t setup_sects, promised;
	int err;

	if (len < HDR_END) {
		fmt_print(why, why_size, "is truncated: its setup header is not complete");
		return -ENOEXEC;
	}
	err = check_version(p, why, why_size);
	if (err) {
		return err;
	}
	/* "If the setup_sects field is 0, the real value is 4"; the boot sector comes on top. */
	setup_sects = p[HDR_SETUP_SECTS] == 0 ? 4 : p[HDR_SETUP_SECTS];
	img->version = le16_at(p + HDR_VERSION);
	img->setup_len = (uint32_t)((setup_sects + 1) * SECTOR);
	promised = img->setup_len + 16 * (uint64_t)le32_at(p + HDR_SYSSIZE);
	/* syssize is rounded up to 16 bytes, which the file need not be. */
	if (promised > (uint64_t)len + 15) {
		fmt_print(why, why_size,
		        "is truncated: its header promises %llu bytes, the file has %zu",
		        (unsigned long long)promised, len);
		return -ENOEXEC;
	}
	promised = promised < len ? promised : len;
	if (promised <= img->setup_len + ENTRY_64) {
		fmt_print(why, why_size, "has no code behind its setup header");
		return -ENOEXEC;
	}
	img->kernel_len = (uint32_t)(promised - img->setup_len);
	img->pref_address = le64_at(p + HDR_PREF_ADDRESS);
	img->alignment = le32_at(p + HDR_KERNEL_ALIGNMENT);
	img->init_size = le32_at(p + HDR_INIT_SIZE);
	img->initrd_addr_max = le32_at(p + HDR_INITRD_ADDR_MAX);
	img->cmdline_size = le32_at(p + HDR_CMDLINE_SIZE);
	img->xloadflags = le16_at(p + HDR_XLOADFLAGS);
	img->relocatable = p[HDR_RELOCATABLE] != 0;
	if (img->init_size < img->kernel_len) {
		img->init_size = img->kernel_len;
	}
	if (img->pref_address < LOW_1M || img->pref_address >= SIZE_4G ||
	        (img->relocatable && !is_pow2(img->alignment))) {
		fmt_print(why, why_size,
		        "has a damaged setup header: load address 0x%llx, alignment 0x%x",
		        (unsigned long long)img->pref_address, img->alignment);
		return -ENOEXEC;
	}
	return 0;
}

/*
 * The initrd goes as high as it may, else below the kernel. [BOOT] initrd_addr_max: "the
 * maximum address that may be occupied by the initial ramdisk". 0 = there is no room.
 */
static uint64_t place_initrd(const struct linux_image *img, uint64_t low_end, uint64_t len,
        uint64_t kernel_addr, uint64_t kernel_end)
{
	uint64_t top = (uint64_t)img->initrd_addr_max + 1;
	uint64_t bottom = align_up(kernel_end, PAGE_SIZE);

	top = align_down(top < low_end ? top : low_end, PAGE_SIZE);
	if (top >= bottom && len <= top - bottom) {
		return align_down(top - len, PAGE_SIZE);
	}
	top = top < kernel_addr ? top : align_down(kernel_addr, PAGE_SIZE);
	if (top >= LOW_1M && len <= top - LOW_1M) {
		return align_down(top - len, PAGE_SIZE);
	}
	return 0;
}

/*
 * [BOOT] init_size: a relocatable kernel loaded below pref_address moves itself up to it, so
 * a lower place saves nothing: pref_address it is, aligned as the kernel asks.
 */
int image_place_linux(const struct linux_image *img, uint64_t low_end, uint64_t initrd_len,
        uint64_t *kernel_addr, uint64_t *initrd_addr, char *why, size_t why_size)
{
	uint64_t start = img->pref_address;
	uint64_t end;

	if (img->relocatable) {
		start = align_up(start, img->alignment);
	}
	end = start + img->init_size;
	if (end > low_end) {
		fmt_print(why, why_size,
		        "needs memory up to %llu KiB to start, the VM has %llu KiB",
		        (unsigned long long)(align_up(end, 1024) >> 10),
		        (unsigned long long)(low_end >> 10));
		return -ENOMEM;
	}
	*kernel_addr = start;
	*initrd_addr = 0;
	if (initrd_len != 0) {
		*initrd_addr = place_initrd(img, low_end, initrd_len, start, end);
		if (*initrd_addr == 0) {
			fmt_print(why, why_size,
			        "leaves no room for the initrd: it has %llu KiB, the VM %llu KiB "
			        "of "
			        "which the kernel takes those from %llu to %llu",
			        (unsigned long long)(align_up(initrd_len, 1024) >> 10),
			        (unsigned long long)(low_end >> 10),
			        (unsigned long long)(start >> 10),
			        (unsigned long long)(align_up(end, 1024) >> 10));
			return -ENOMEM;
		}
	}
	return 0;
}
