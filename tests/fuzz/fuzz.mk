# Fuzz targets: tests/fuzz/fuzz_NAME.c, with libFuzzer, ASan and UBSan, against the pure sources.

SECONDS ?= 60
FUZZ_CFLAGS := -std=gnu11 -I. -I$(B) -g -O1 -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -Wall -Wextra \
	-Wno-unknown-attributes -Wno-unknown-warning-option -MMD -MP
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRCS))
FUZZ_PURE := $(patsubst %.c,$(B)/fuzz/obj/%.o,$(PURE))
FUZZ_FAKES := $(patsubst %.c,$(B)/fuzz/obj/%.o,$(wildcard tests/fake/*.c))

# As in tests/unit.mk: our string functions must not replace those that ASan intercepts.
$(B)/fuzz/obj/vmm/lib/string.o: FUZZ_CFLAGS += -Dmemcpy=hv_memcpy -Dmemmove=hv_memmove \
	-Dmemset=hv_memset -Dmemcmp=hv_memcmp -Dstrlen=hv_strlen -Dstrnlen=hv_strnlen \
	-Dstrcmp=hv_strcmp -Dstrncmp=hv_strncmp -Dstrchr=hv_strchr -fno-builtin

$(B)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $< (fuzz)"
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(B)/fuzz/libpure.a: $(FUZZ_PURE)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/fuzz/libfake.a: $(FUZZ_FAKES)
	$(Q)rm -f $@ && ar rcs $@ $^

# A target that needs the fake VM names it here: fakes must be found before the real files.
fuzz_walk_LIBS := -Wl,-u,fake_vm
fuzz_mmio_emul_LIBS := -Wl,-u,fake_vm
fuzz_fw_cfg_LIBS := -Wl,-u,fake_vm
fuzz_ide_LIBS := -Wl,-u,fake_vm
fuzz_monitor_LIBS := -Wl,-u,fake_vm
fuzz_ic_LIBS := -Wl,-u,fake_vm
fuzz_platform_LIBS := -Wl,-u,fake_vm
fuzz_storvsp_LIBS := -Wl,-u,fake_vm
fuzz_hypercall_LIBS = -Wl,-u,fake_vm $(UNIT_LIBS)
fuzz_hv_msr_LIBS = -Wl,-u,fake_vm $(UNIT_LIBS)
fuzz_vmbus_server_LIBS = $(UNIT_LIBS)
fuzz_synic_LIBS = -Wl,-u,fake_vm $(UNIT_LIBS)
fuzz_vmbus_ring_LIBS = -Wl,-u,fake_vm $(UNIT_LIBS)

$(B)/fuzz/%: $(B)/fuzz/obj/tests/fuzz/%.o $(B)/fuzz/libfake.a $(B)/fuzz/libpure.a
	@echo "  LD   $@"
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< $($(notdir $@)_LIBS) -Wl,--start-group $(B)/fuzz/libfake.a \
		$(B)/fuzz/libpure.a -Wl,--end-group

.PHONY: fuzz
fuzz: ## fuzz everything that parses input; SECONDS=n each, T=name only one
fuzz: $(if $(T),$(B)/fuzz/fuzz_$(T),$(FUZZ_BINS))
	@tests/fuzz/run_fuzz.sh $(SECONDS) $^

-include $(FUZZ_PURE:.o=.d) $(FUZZ_FAKES:.o=.d) \
	$(patsubst %.c,$(B)/fuzz/obj/%.d,$(FUZZ_SRCS))
