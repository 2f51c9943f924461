#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The documents name files, functions and make targets that exist.
# check_docs.sh [DIR]   checks the documents under DIR (default: this repository)
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

# Made by the build, by a reader, or by the worked example.
made='^(build|dir)/|uptime|/(NAME|FILE|AREA|IMAGE)|(NAME|FILE|AREA|IMAGE)[./]'
top='(boot|vmm|vmx|devices|guest-test|tests|docs|\.ci)'
# Functions of Linux.
theirs='^(clockevents_replace|hv_stimer_global_cleanup|tick_install_broadcast_device|vmbus_isr)$'

# FILE:WORD for each path that a document names: in backticks, as docs/x.md, as a link.
paths() {
	grep -oE "\`$top/[A-Za-z0-9_.*/-]*\`" "$@" /dev/null | tr -d '`'
	grep -oE '(^|[^A-Za-z0-9_/-])(docs|tests)/[A-Za-z0-9_./-]*[A-Za-z0-9/]' "$@" /dev/null |
		sed -E 's/:[^A-Za-z]?(docs|tests)/:\1/'
	grep -oE '\]\([A-Za-z0-9_./-]+\.md\)' "$@" /dev/null | while IFS= read -r hit; do
		word=${hit#*](}
		echo "${hit%%:*}:$(dirname "${hit%%:*}")/${word%)}"
	done
}

# FILE:WORD for each function in backticks, and for each source file named without its folder.
functions() {
	grep -oE "\`[a-z_][a-z0-9_]*\(\)\`" "$@" /dev/null | tr -d '`()'
}

sources() {
	grep -oE "\`[a-z0-9_]+\.(c|h|asm|py|sh)\`" "$@" /dev/null | tr -d '`'
}

# FILE:TARGET for each make command, in backticks or on an indented line.
targets() {
	grep -oE '(`|^    ([^|]*\| )?)make( [a-z][a-z0-9-]*)+' "$@" /dev/null | while IFS= read -r hit; do
		for word in ${hit#*make}; do
			echo "${hit%%:*}:$word"
		done
	done
}

bad() {
	local file word known
	cd "$1"
	mapfile -t docs < <(find . -maxdepth 1 -name '*.md'; find docs -name '*.md' 2>/dev/null)
	while IFS=: read -r file word; do
		# shellcheck disable=SC2086 # a pattern stands for the files it matches
		if ! [[ $word =~ $made ]] && ! compgen -G "${word%/}" >/dev/null; then
			echo "$file: there is no $word"
		fi
	done < <(paths "${docs[@]}" || true)
	mapfile -t dirs < <(find . -mindepth 1 -maxdepth 1 -type d ! -name build ! -name docs ! -name '.git')
	known=$(grep -rhoE --include='*.c' --include='*.h' --include='*.asm' --include='*.py' \
		'[a-z_][a-z0-9_]+' "${dirs[@]}" | LC_ALL=C sort -u)
	while IFS=: read -r file word; do
		if ! [[ $word =~ $theirs ]] && ! [[ $word =~ $made ]] && ! grep -qxF "$word" <<<"$known"; then
			echo "$file: there is no $word()"
		fi
	done < <(functions "${docs[@]}" || true)
	known=$(find "${dirs[@]}" -type f -printf '%f\n')
	while IFS=: read -r file word; do
		if ! [[ $word =~ $made ]] && ! grep -qxF "$word" <<<"$known"; then
			echo "$file: there is no file $word"
		fi
	done < <(sources "${docs[@]}" || true)
	known=$(cat Makefile ./*/*.mk ./*/*/*.mk 2>/dev/null | grep -oE '^[a-z][a-z0-9 -]*:' | tr -d : | tr '\n' ' ')
	while IFS=: read -r file word; do
		if ! [[ " $known " == *" $word "* ]]; then
			echo "$file: there is no make target '$word'"
		fi
	done < <(targets "${docs[@]}" || true)
}

# The check itself must be able to fail.
self_test() {
	local dir got
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' RETURN
	mkdir -p "$dir/docs" "$dir/vmm"
	echo 'void a_init(void);' >"$dir/vmm/a.c"
	touch "$dir/docs/a.md"
	printf 'run clean:\n' >"$dir/Makefile"
	printf '`vmm/a.c` `vmm/*.c` docs/a.md `a.c` `a_init()` `make run`\n\n    make clean run\n' >"$dir/README.md"
	printf '`vmm/b.c` docs/b.md [c](c.md) `make jump` `b.c` `a_end()`\n' >"$dir/docs/bad.md"
	got=$(bad "$dir" | wc -l)
	if [ "$got" -ne 6 ]; then
		echo "check_docs.sh: self-test failed: 6 slips planted, found:"
		bad "$dir"
		return 1
	fi
}

self_test
out=$(bad "${1:-$here}" | LC_ALL=C sort -u)
if [ -n "$out" ]; then
	echo "$out"
	exit 1
fi
