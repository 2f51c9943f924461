#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Run unit-test programs, as many at a time as there are processors; print a line for each and
# one total: 'unit: N passed, N failed'.
set -u
if [ "${1:-}" = --one ]; then
	out=$("$2" 2>&1)
	status=$?
	# Check's line: "100%: Checks: 8, Failures: 0, Errors: 0"
	counts=$(printf '%s\n' "$out" | sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p')
	# shellcheck disable=SC2086 # three words
	set -- "$2" $counts
	checks=${2:-0}
	bad=$((${3:-0} + ${4:-0}))
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	if [ "$checks" -eq 0 ]; then
		out="$out
$(basename "$1"): ran no check"
		bad=1
	fi
	if [ "$bad" -ne 0 ]; then
		printf '%s\n' "$out"
	fi
	echo "$(basename "$1"): $((checks > bad ? checks - bad : 0)) passed, $bad failed"
	exit 0
fi
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 "$0" --one | awk '
	{ print; fflush() }
	/^test_[a-z0-9_]*: [0-9]+ passed, [0-9]+ failed$/ { passed += $2; failed += $4; programs++ }
	END {
		if (programs != '"$#"') {
			print "run_unit: " '"$#"' - programs " programs did not report"
			failed++
		}
		printf "unit: %d passed, %d failed\n", passed, failed
		exit failed != 0
	}'
