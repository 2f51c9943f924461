# Unit tests: every pure source hosted under ASan and UBSan, one program a tests/test_*.c.

UNIT_CFLAGS := -std=gnu11 -I. -I$(B) -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -Wall -Wextra -Werror -Wshadow -MMD -MP
UNIT_LIBS := $(shell pkg-config --libs check 2>/dev/null)

# string.c would clash with the C library's functions that ASan intercepts: in the hosted
# build its functions carry a prefix (tests/test_string.c declares them).
HOSTED := $(patsubst %.c,$(B)/hosted/%.o,$(PURE) $(BOOT_PURE))
FAKES := $(patsubst %.c,$(B)/hosted/%.o,$(wildcard tests/fake/*.c))
UNIT_SRCS := $(wildcard tests/test_*.c)
UNIT_BINS := $(patsubst tests/%.c,$(B)/unit/%,$(UNIT_SRCS))

$(B)/hosted/vmm/lib/string.o: UNIT_CFLAGS += -Dmemcpy=hv_memcpy -Dmemmove=hv_memmove \
	-Dmemset=hv_memset -Dmemcmp=hv_memcmp -Dstrlen=hv_strlen -Dstrnlen=hv_strnlen \
	-Dstrcmp=hv_strcmp -Dstrncmp=hv_strncmp -Dstrchr=hv_strchr -fno-builtin

$(B)/hosted/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $< (hosted)"
	$(Q)$(CC) $(UNIT_CFLAGS) -c -o $@ $<

$(B)/hosted/libpure.a: $(HOSTED)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/hosted/libfake.a: $(FAKES)
	$(Q)rm -f $@ && ar rcs $@ $^

# Fakes first: what a fake defines is not taken from the real file.
$(B)/unit/%: $(B)/hosted/tests/%.o $(B)/hosted/libfake.a $(B)/hosted/libpure.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) $(UNIT_CFLAGS) -o $@ $< -Wl,--start-group $(B)/hosted/libfake.a $(B)/hosted/libpure.a \
		-Wl,--end-group $(UNIT_LIBS) $($(notdir $@)_LIBS)

.PHONY: unit
unit: ## unit tests on this machine, seconds; T=name runs one (tests/test_NAME.c)
ifdef T
unit: $(B)/unit/test_$(T)
	$(B)/unit/test_$(T)
else
unit: $(UNIT_BINS)
	tests/run_unit.sh $(UNIT_BINS)
endif

-include $(HOSTED:.o=.d) $(FAKES:.o=.d) $(patsubst tests/%.c,$(B)/hosted/tests/%.d,$(UNIT_SRCS))
.SECONDARY:

# Libraries of single programs.
test_insn_diff_LIBS := -lZydis
test_monitor_cmds_LIBS := -Wl,-z,muldefs # its own vm_request() before the real one
test_monitor_stat_LIBS := $(test_monitor_cmds_LIBS)
test_vmbus_storm_LIBS := -pthread
test_vmbus_twice_LIBS := -lZydis -Wl,--wrap=memcpy # the one that ships, not the C library's
test_watched_LIBS := -lZydis
