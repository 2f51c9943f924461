# Outside of the project: dependencies, disk image, running it, all tests, help.

# 'make run' and 'make test' begin on a machine with nothing installed: whatever needs tools
# runs in a second make, after deps.sh. V=1 shows its commands.
export B
LOADER ?= $(B)/BOOTX64.EFI
OUT ?= $(B)/candela.img
RUN_CONFIG := $(if $(CONFIG),$(CONFIG),$(B)/config)
QUIET := --no-print-directory -j$(shell nproc)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):[^#]*## \(.*\)/\1=\2/p' $(filter %.mk Makefile,$(MAKEFILE_LIST)) | \
		sort -u | awk '{ n = index($$0, "="); \
			printf "  make %-11s %s\n", substr($$0, 1, n - 1), substr($$0, n + 1) }'

.PHONY: deps
deps: ## install what building, running and testing need
	@tests/machine/deps.sh test </dev/null

.PHONY: image image-file default-config
image: ## make the disk image only; CONFIG=dir OUT=file
	@tests/machine/deps.sh </dev/null
	@$(MAKE) $(QUIET) image-file
	@echo "$(OUT)"

image-file: core loader $(if $(CONFIG),,default-config)
	@tests/machine/mkimage.sh $(OUT) $(LOADER) $(B)/core.elf $(RUN_CONFIG)

default-config:
	@tests/machine/compose.sh $(B)/config

.PHONY: run
run: ## boot it; CONFIG=dir MACHINE=bochs|qemu-kvm CPUS=n MEM=size CPU_MODEL=name TIMEOUT=seconds
	@tests/machine/deps.sh </dev/null
	@echo "Building $(OUT)"
	@$(MAKE) $(QUIET) image-file </dev/null
	@tests/machine/run.py --rundir $(B)/run $(OUT)

# Tests that need an emulator or a long time take their turn in tests/run_all.py; each step
# ends with a line 'name: N passed, N failed', the whole with 'N passed, N failed'.
.PHONY: test test-all
test: ## everything CI runs, a summary at the end
	@tests/machine/deps.sh test </dev/null
	@tests/run_all.py test </dev/null

test-all: ## the full matrix: kernels, vCPU counts, CPU models
	@tests/machine/deps.sh test </dev/null
	@tests/run_all.py all </dev/null

.PHONY: check
check: ## layers, headers, one-door rules, format
	@tests/check_all.sh

.PHONY: e2e e2e-deps e2e-list
e2e: ## end-to-end tests; T=name runs one with its console shown, TIER=test|all
	@tests/machine/deps.sh test </dev/null
	@$(MAKE) $(QUIET) e2e-deps </dev/null
	@tests/e2e/e2e.py --loader $(LOADER) $(if $(T),--show $(T),--tier $(if $(TIER),$(TIER),test))

e2e-deps: core loader tool-images
	@tests/machine/fetch_kernel.sh cloud
	@tests/machine/mkinitramfs.sh $(B)/guest/initrd.img
	@$(if $(filter all,$(TIER)),tests/machine/fetch_kernel.sh generic)

e2e-list: ## the end-to-end tests by name and tier
	@tests/e2e/e2e.py --list

.PHONY: guest-test guest-test-deps
guest-test: ## guest tests in the machine; T=name runs one with its console shown, TIER=test|all
	@tests/machine/deps.sh test </dev/null
	@$(MAKE) $(QUIET) guest-test-deps </dev/null
	@tests/e2e/guest_tests.py --loader $(LOADER) $(if $(T),--show $(T),--tier $(if $(TIER),$(TIER),test))

# guest-test/*.mk puts the images into build/guest-test/*.elf.
guest-test-deps: core loader $(if $(wildcard guest-test/*.mk),guest-images)

-include $(wildcard tests/fuzz/fuzz.mk)
