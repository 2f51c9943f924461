// SPDX-License-Identifier: BSD-2-Clause
// Instructions that a guest wrote: the decoder stays within its bytes and its promises.
#include "tests/fuzz/fuzz.h"
#include "vmm/insn.h"
#include "vmm/lib/err.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct insn insn, again;
	uint8_t *bytes;
	enum insn_mode mode;
	int err;

	if (len == 0) {
		return 0;
	}
	mode = (enum insn_mode)(data[0] % 3U);
	data++;
	len--;
	if (len > INSN_MAX_LEN + 1) {
		len = INSN_MAX_LEN + 1;
	}
	bytes = __builtin_malloc(len + (len == 0));
	FUZZ_CHECK(bytes != NULL);
	memcpy(bytes, data, len);
	err = insn_decode(&insn, bytes, len, mode);
	FUZZ_CHECK(err == 0 || err == -EOPNOTSUPP || err == -E2BIG || err == -EINVAL ||
	           err == -ERANGE);
	/* Fifteen bytes are always enough to know. */
	FUZZ_CHECK(err != -E2BIG || len < INSN_MAX_LEN);
	FUZZ_CHECK(err != -ERANGE || len >= INSN_MAX_LEN);
	if (err == 0) {
		FUZZ_CHECK(insn.len >= 1 && insn.len <= len && insn.len <= INSN_MAX_LEN);
		FUZZ_CHECK(insn.op_width == 1 || insn.op_width == 2 || insn.op_width == 4 ||
		           insn.op_width == 8);
		FUZZ_CHECK(insn.addr_width == 2 || insn.addr_width == 4 || insn.addr_width == 8);
		FUZZ_CHECK(mode == INSN_64 || (insn.op_width <= 4 && insn.addr_width <= 4));
		FUZZ_CHECK(insn.reg < 16 && insn.base < 16 && insn.index < 16 && insn.seg < 6);
		FUZZ_CHECK(insn.op <= INSN_POP && (insn.reads || insn.writes));
		/* What follows the instruction does not matter, and nothing less is enough. */
		FUZZ_CHECK(
		        insn_decode(&again, bytes, insn.len, mode) == 0 && again.len == insn.len);
		for (size_t n = 0; n < insn.len; n++) {
			FUZZ_CHECK(insn_decode(&again, bytes, n, mode) == -E2BIG);
		}
	}
	__builtin_free(bytes);
	return 0;
}
