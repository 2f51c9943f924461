# Guest tests: small multiboot images that each prove claims from the inside.
# guest-test/NAME/*.c and *.asm plus lib/ become build/guest-test/NAME.elf; benchmarks become
# build/bench/NAME.elf (tests/bench.mk runs them), guests that end-to-end tests only look at
# build/gt-tools/NAME.elf.

GT_CFLAGS := -std=gnu11 -I. -I$(B) -g -O2 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -MMD -MP \
	-ffreestanding -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing \
	-fno-tree-loop-distribute-patterns -fno-delete-null-pointer-checks

GT_BENCHES := latency
GT_TOOLS := beat attack bus share
GT_IMAGES := $(filter-out lib $(GT_BENCHES) $(GT_TOOLS),$(patsubst guest-test/%/,%,$(wildcard guest-test/*/)))
GT_LIB := $(patsubst %,$(B)/gt/%.o,$(wildcard guest-test/lib/*.c guest-test/lib/*.asm))

.PHONY: guest-images bench-images tool-images
guest-images: $(patsubst %,$(B)/guest-test/%.elf,$(GT_IMAGES))
bench-images: $(patsubst %,$(B)/bench/%.elf,$(GT_BENCHES))
tool-images: $(patsubst %,$(B)/gt-tools/%.elf,$(GT_TOOLS))

$(B)/gt/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(GT_CFLAGS) -c -o $@ $<

$(B)/gt/%.asm.o: %.asm
	@mkdir -p $(@D)
	@echo "  NASM $<"
	$(Q)$(NASM) -f elf64 -g -F dwarf -I. -MD $(@:.o=.d) -o $@ $<

# 64-bit code in a 32-bit ELF file, as multiboot loaders expect it.
define GT_LINK
	@mkdir -p $(@D)
	@echo "  LD   $@"
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,-T,guest-test/lib/image.ld -Wl,--build-id=none \
		-Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments \
		-o $(B)/gt/$*.elf64 $(filter %.o,$^)
	$(Q)objcopy -O elf32-i386 $(B)/gt/$*.elf64 $@
endef

$(B)/guest-test/%.elf: guest-test/lib/image.ld $(GT_LIB)
	$(GT_LINK)

$(B)/bench/%.elf: guest-test/lib/image.ld $(GT_LIB)
	$(GT_LINK)

$(B)/gt-tools/%.elf: guest-test/lib/image.ld $(GT_LIB)
	$(GT_LINK)

# The benchmark and the Hyper-V tests start a second vCPU in the way the smp image does.
GT_EXTRA_latency := guest-test/smp/ap.asm guest-test/smp/cpus.c
GT_EXTRA_hyperv := $(GT_EXTRA_latency)

# One more attacker, an image of its own: where things lie decides what a random jump does.
GT_EXTRA_bus := $(addprefix guest-test/attack/,main.c chaos.c chaos.asm ap.asm)

define GT_PARTS
$(B)/$(2)/$(1).elf: $$(patsubst %,$(B)/gt/%.o,$$(wildcard guest-test/$(1)/*.c guest-test/$(1)/*.asm) $$(GT_EXTRA_$(1)))
endef
$(foreach image,$(GT_IMAGES),$(eval $(call GT_PARTS,$(image),guest-test)))
$(foreach image,$(GT_BENCHES),$(eval $(call GT_PARTS,$(image),bench)))
$(foreach image,$(GT_TOOLS),$(eval $(call GT_PARTS,$(image),gt-tools)))

-include $(GT_LIB:.o=.d) $(wildcard $(B)/gt/guest-test/*/*.d)
