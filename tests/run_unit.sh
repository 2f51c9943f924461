#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Run unit-test programs one after the other; print one total: 'N passed, N failed'.
set -u
passed=0
failed=0
for bin in "$@"; do
	out=$("$bin" 2>&1)
	status=$?
	# Check's line: "100%: Checks: 8, Failures: 0, Errors: 0"
	counts=$(printf '%s\n' "$out" | sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p')
	set -- $counts
	checks=${1:-0}
	bad=$((${2:-0} + ${3:-0}))
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	if [ "$checks" -eq 0 ]; then
		echo "$(basename "$bin"): ran no check"
		bad=1
	fi
	if [ "$bad" -ne 0 ]; then
		printf '%s\n' "$out"
	fi
	good=$((checks > bad ? checks - bad : 0))
	echo "$(basename "$bin"): $good passed, $bad failed"
	passed=$((passed + good))
	failed=$((failed + bad))
done
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
