// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: any bytes as a guest's kernel. What is accepted must lie in the file, and
// what is placed must lie in the VM without overlap.
#include "vmm/lib/bits.h"
#include "vmm/lib/guest_layout.h"
#include "vmm/lib/image.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool promise)
{
	if (!promise) {
		abort();
	}
}

static void check_segments(const struct image_segment *segs, uint32_t n, size_t size)
{
	check(n >= 1 && n <= IMAGE_MAX_SEGMENTS);
	for (uint32_t i = 0; i < n; i++) {
		check(segs[i].file_off <= size && segs[i].file_len <= size - segs[i].file_off);
		check(segs[i].file_len <= segs[i].mem_len);
		check(segs[i].addr + segs[i].mem_len >= segs[i].addr);
	}
}

static void check_place(const struct image *img, uint64_t mem, uint64_t initrd_len)
{
	char why[64];
	uint64_t kernel, initrd, low_end = mem < GMEM_LOW_MAX ? mem : GMEM_LOW_MAX;
	uint64_t kernel_len = img->kind == IMAGE_LINUX
	                              ? img->linux_img.init_size
	                              : img->multiboot.highest - img->multiboot.lowest;

	if (image_place(img, mem, initrd_len, &kernel, &initrd, why, sizeof(why)) != 0) {
		check(why[0] != '\0');
		return;
	}
	check(kernel + kernel_len <= low_end);
	if (initrd_len != 0) {
		check(is_aligned(initrd, PAGE_SIZE) && initrd >= 0x100000);
		check(initrd <= low_end && initrd_len <= low_end - initrd);
		check(!ranges_overlap(kernel, kernel_len, initrd, initrd_len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t mems[] = {4ULL << 20, 64ULL << 20, 1ULL << 30, 1ULL << 36};
	static struct image img;
	char why[256];

	if (image_probe(&img, data, size, why, sizeof(why)) == 0) {
		if (img.kind == IMAGE_MULTIBOOT) {
			check_segments(img.multiboot.segments, img.multiboot.n_segments, size);
		} else {
			check(img.linux_img.setup_len <= size &&
			        img.linux_img.kernel_len <= size - img.linux_img.setup_len);
		}
		for (unsigned i = 0; i < ARRAY_SIZE(mems); i++) {
			check_place(&img, mems[i], 0);
			check_place(&img, mems[i], 1);
			check_place(&img, mems[i], mems[i] / 2 + 1);
			check_place(&img, mems[i], UINT64_MAX);
		}
	} else {
		check(memchr(why, '\0', sizeof(why)) != NULL);
	}
	return 0;
}
