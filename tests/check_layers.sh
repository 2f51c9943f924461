#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who may include whom: docs/architecture.md "Layers". Fails on any other edge.
# check_layers.sh [DIR]   checks the tree under DIR (default: this repository)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# vmm/x86.h holds the architecture's constants and nothing else; gen/ is what the build makes of
# sources (the compiled DSDT); the console backend is where the host's console meets a VM's.
#
# 'FROM-pattern TO-pattern' as extended regular expressions on paths; the first group of
# lines whose FROM matches a file decides for it, so special files stand before folders.
rules='
vmm/main\.c            .*
boot/.*                (boot/.*|vmm/lib/.*)
vmm/lib/.*             vmm/lib/.*
vmm/hw/.*              (vmm/hw/.*|vmm/lib/.*|vmm/x86\.h|boot/boot_info\.h)
vmm/.*                 (vmm/[^/]*|vmm/lib/.*|vmm/hw/[^/]*\.h|boot/boot_info\.h)
vmx/.*                 (vmx/.*|vmm/[^/]*|vmm/hw/.*|vmm/lib/.*|offsets\.inc)
devices/backend/chr_console\.c  (devices/backend/.*|vmm/lib/.*|vmm/hw/console_hw\.h)
devices/.*             (devices/.*|gen/.*\.h|vmm/[^/]*|vmm/lib/.*)
hypercall/.*           (hypercall/.*|vmm/[^/]*|vmm/lib/.*)
vmbus/.*               (vmbus/.*|hypercall/(tlfs|synic)\.h|devices/backend/.*|vmm/[^/]*|vmm/lib/.*)
guest-test/.*          (guest-test/.*|hypercall/tlfs\.h|vmbus/(proto|vstor|nvsp_wire)\.h)
tests/.*               .*
'

# Print 'FILE:LINE includes X: not allowed' for each edge that no rule allows.
bad_edges() {
	local dir=$1
	(
		cd "$dir"
		find boot vmm vmx devices hypercall vmbus guest-test tests -type f \
			\( -name '*.c' -o -name '*.h' -o -name '*.asm' -o -name '*.S' \) 2>/dev/null |
			LC_ALL=C sort | xargs -r grep -HnE '^[[:space:]]*[#%][[:space:]]*include[[:space:]]*"' || true
	) | awk -v rules="$rules" '
		BEGIN {
			n = split(rules, line, "\n")
			for (i = 1; i <= n; i++) {
				if (split(line[i], part, " ") == 2) {
					from[++count] = "^" part[1] "$"
					to[count] = "^" part[2] "$"
				}
			}
		}
		{
			split($0, field, ":")
			file = field[1]
			target = $0
			sub(/^[^"]*"/, "", target)
			sub(/".*/, "", target)
			# A name without a folder lies beside the file that includes it.
			if (target !~ /\// && file ~ /\.asm$/ && target == "offsets.inc") {
				target = "offsets.inc"
			} else if (target !~ /\//) {
				print file ":" field[2] ": \"" target "\": include paths begin at the root of the repository"
				next
			}
			if (target ~ /\.\./) {
				print file ":" field[2] ": \"" target "\": no .. in include paths"
				next
			}
			for (i = 1; i <= count; i++) {
				if (file ~ from[i]) {
					if (target !~ to[i]) {
						print file ":" field[2] ": may not include " target
					}
					next
				}
			}
			print file ":" field[2] ": no rule for this folder"
		}'
}

# The check itself must be able to fail: planted edges, one allowed, the rest not.
self_test() {
	local dir want got
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' RETURN
	mkdir -p "$dir"/{boot,vmm/lib,vmm/hw,vmx,devices,vmbus,hypercall}
	echo '#include "vmm/lib/types.h"' >"$dir/vmx/good.c"
	echo '#include "hypercall/tlfs.h"' >"$dir/vmbus/good.c"
	echo '#include "vmx/exit.h"' >"$dir/vmm/main.c"
	echo '#include "vmm/vm.h"' >"$dir/vmm/lib/bad.c"
	echo '#include "vmm/vm.h"' >"$dir/vmm/hw/bad.c"
	echo '#include "vmx/exit.h"' >"$dir/vmm/bad.c"
	echo '#include "devices/device.h"' >"$dir/vmx/bad.c"
	echo '#include "vmm/hw/cpu_hw.h"' >"$dir/devices/bad.c"
	echo '#include "vmm/vm.h"' >"$dir/boot/bad.c"
	echo '#include "hypercall/hypercall.h"' >"$dir/vmbus/bad.c"
	echo '#include "near.h"' >"$dir/hypercall/bad.c"
	echo '#include "vmm/lib/../vm.h"' >"$dir/hypercall/bad.h"
	want=$(cd "$dir" && find . -name 'bad.*' | sed 's|^\./||' | LC_ALL=C sort)
	got=$(bad_edges "$dir" | cut -d: -f1 | LC_ALL=C sort)
	if [ "$want" != "$got" ]; then
		echo "check_layers.sh: self-test failed; planted:" "$want"
		echo "found:" "$got"
		return 1
	fi
}

self_test
out=$(bad_edges "${1:-$here/..}")
if [ -n "$out" ]; then
	echo "$out"
	exit 1
fi
