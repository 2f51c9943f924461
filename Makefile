# Candela. 'make help' lists the targets.
#
# Naming is the build system: *_hw.c and *.asm touch the machine and exist only in the
# core; every other .c file of the core is pure and is built twice, freestanding for the
# core and hosted (ASan, UBSan) for tests/test_*.c.

B := build
# V=1 shows the commands.
Q := $(if $(V),,@)
CC := gcc
NASM := nasm
CORE_DIRS := vmm/lib vmm/hw vmm vmx devices devices/backend devices/passthrough hypercall vmbus

HW := $(wildcard $(addsuffix /*_hw.c,$(CORE_DIRS)))
# Composition and assembler offsets: not hardware, but meaningless on the host.
CORE_ONLY := $(wildcard vmm/main.c)
PURE := $(filter-out $(HW) $(CORE_ONLY) %/asm_offsets.c,$(wildcard $(addsuffix /*.c,$(CORE_DIRS))))
ASM := $(wildcard $(addsuffix /*.asm,$(CORE_DIRS)))

WARN := -Wall -Wextra -Werror -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes \
	-Wundef -Wvla -Wswitch-enum -Wimplicit-fallthrough
BASE := -std=gnu11 -I. -I$(B) -g $(WARN) -MMD -MP

.DEFAULT_GOAL := all
.PHONY: all
all: core loader

include $(sort $(wildcard boot/*.mk vmm/*.mk vmx/*.mk devices/*.mk guest-test/*.mk tests/*.mk))

.PHONY: clean
clean:
	rm -rf $(B)
