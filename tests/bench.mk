# Figures: make bench runs the benchmarks and writes docs/benchmarks.md.

# The figures are those of one machine: the emulator counts instructions the same way everywhere.
.PHONY: bench bench-report bench-here bench-deps
bench: ## figures: build/bench/*.csv, docs/bench/ and docs/benchmarks.md; QUICK=1, T=name: CSV only
	@MACHINE=bochs tests/machine/deps.sh bench </dev/null
	@$(MAKE) $(QUIET) bench-deps </dev/null
	@tests/bench/bench.py --loader $(LOADER) $(if $(QUICK),--quick) $(if $(T),--only $(T))

bench-report: ## docs/benchmarks.md and docs/bench/ from the figures in build/bench/
	@tests/bench/bench.py --report

bench-here: ## the latency image in QEMU on this machine: cycles, where there is KVM
	@$(MAKE) $(QUIET) bench-images </dev/null
	@tests/bench/bench.py --here

.PHONY: bench-check bench-accept
bench-check: ## the latency image's instruction counts against tests/bench/limits
	@MACHINE=bochs tests/machine/deps.sh test </dev/null
	@$(MAKE) $(QUIET) core loader bench-images </dev/null
	@CC='$(CC)' tests/bench/bench.py --loader $(LOADER) --check

bench-accept: ## the counts as they are now become the limits: tests/bench/limits
	@$(MAKE) $(QUIET) core loader bench-images </dev/null
	@CC='$(CC)' tests/bench/bench.py --loader $(LOADER) --accept

bench-deps: core loader bench-images
	@$(if $(QUICK),,tests/machine/fetch_kernel.sh cloud)
	@$(if $(QUICK),,tests/machine/mkinitramfs.sh $(B)/bench/initrd.img tests/bench/root)
	@$(if $(QUICK),,tests/machine/mkinitramfs.sh $(B)/guest/initrd.img)
