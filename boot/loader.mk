# The loader: build/BOOTX64.EFI, a UEFI application. Its parsers are the core's (vmm/lib).
# Like the core's, its pure files are tested on the host: BOOT_PURE.

BOOT_PURE := boot/mem_map.c boot/page_tables.c boot/wall_time.c
LOADER_SRCS := $(wildcard boot/*.c) $(addprefix vmm/lib/,config.c config_disk.c config_keys.c config_nic.c config_value.c config_vmbus.c \
	suggest.c fmt.c string.c elf.c image.c image_core.c image_linux.c image_multiboot.c vmx_check.c)
LOADER_OBJS := $(patsubst %.c,$(B)/loader/%.o,$(LOADER_SRCS)) $(B)/loader/boot/handoff.asm.o

EFI_INC := /usr/include/efi
EFI_LIB := /usr/lib
LOADER_CFLAGS := $(BASE) -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64 -DGNU_EFI_USE_MS_ABI \
	-Os -ffreestanding -fshort-wchar -fpic -fvisibility=hidden -mgeneral-regs-only -mno-red-zone \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing
LOADER_LDFLAGS := -nostdlib -znocombreloc -shared -Bsymbolic -znoexecstack --no-undefined \
	-T $(EFI_LIB)/elf_x86_64_efi.lds

.PHONY: loader
loader: $(B)/BOOTX64.EFI ## build the UEFI loader, build/BOOTX64.EFI

$(B)/BOOTX64.EFI: $(B)/loader/loader.so
	objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' \
		-j '.rela.*' -j .reloc --target efi-app-x86_64 --subsystem=10 $< $@

$(B)/loader/loader.so: $(LOADER_OBJS)
	ld $(LOADER_LDFLAGS) -o $@ $(EFI_LIB)/crt0-efi-x86_64.o $(LOADER_OBJS) -L$(EFI_LIB) -lgnuefi

$(B)/loader/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(LOADER_CFLAGS) -c -o $@ $<

$(B)/loader/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(NASM) -f elf64 -g -F dwarf -o $@ $<

-include $(patsubst %.c,$(B)/loader/%.d,$(LOADER_SRCS))
