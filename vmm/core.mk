# The core: build/core.elf.

CORE_CFLAGS := $(BASE) -O2 -ffreestanding -mgeneral-regs-only -mno-red-zone -mcmodel=kernel \
	-fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-omit-frame-pointer -momit-leaf-frame-pointer -fcf-protection=none -fno-strict-aliasing -flto=auto -ffat-lto-objects
CORE_LDFLAGS := -nostdlib -static -no-pie -Wl,-T,vmm/core.ld -Wl,-z,max-page-size=4096 \
	-Wl,--build-id=none -Wl,--fatal-warnings -Wl,-z,noexecstack

CORE_OBJS := $(patsubst %.c,$(B)/core/%.o,$(PURE) $(HW) $(CORE_ONLY)) \
	$(patsubst %.asm,$(B)/core/%.asm.o,$(ASM))

.PHONY: core
core: $(B)/core.elf ## build the hypervisor's core, build/core.elf

$(B)/core.elf: $(CORE_OBJS) vmm/core.ld $(B)/core/vmx/asm_offsets.check.o
	@echo "  LD   $@"
	$(Q)$(CC) $(CORE_CFLAGS) $(CORE_LDFLAGS) -o $@ $(CORE_OBJS)

$(B)/core/%.o: %.c vmm/core.mk Makefile
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CORE_CFLAGS) -c -o $@ $<

# Assembler sources include build/offsets.inc, generated from vmx/asm_offsets.c: each
# line '->NAME value' of its assembly output becomes an equate.
$(B)/offsets.s: vmx/asm_offsets.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -flto=auto -ffat-lto-objects,$(CORE_CFLAGS)) -S -o $@ $<

$(B)/offsets.inc: $(B)/offsets.s
	$(Q)awk '/->/ { sub(/.*->/, ""); gsub(/[$$"]/, ""); print $$1 " equ " $$2 }' $< > $@

# And back: the numbers as the assembler sees them, compared with the structures.
$(B)/gen/offsets_check.h: $(B)/offsets.inc
	@mkdir -p $(@D)
	$(Q)awk '{ print "#define OFFSETS_" $$1 " " $$3 }' $< > $@

$(B)/core/vmx/asm_offsets.check.o: vmx/asm_offsets.c $(B)/gen/offsets_check.h
	@mkdir -p $(@D)
	@echo "  CC   $< (check)"
	$(Q)$(CC) $(CORE_CFLAGS) -DASM_OFFSETS_CHECK -include $(B)/gen/offsets_check.h -c -o $@ $<

$(B)/core/%.asm.o: %.asm $(B)/offsets.inc
	@mkdir -p $(@D)
	@echo "  NASM $<"
	$(Q)$(NASM) -f elf64 -g -F dwarf -I. -I$(B)/ -o $@ $<

-include $(CORE_OBJS:.o=.d) $(B)/offsets.d $(B)/core/vmx/asm_offsets.check.d
