#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every static check; the last line is 'check: N passed, N failed'.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
for check in tests/check_layers.sh tests/check_headers.sh tests/check_doors.py tests/check_format.sh tests/check_docs.sh tests/check_bench.py; do
	if out=$("$check" 2>&1); then
		passed=$((passed + 1))
		echo "$(basename "${check%.*}"): ok"
	else
		failed=$((failed + 1))
		printf '%s\n' "$out" | head -n 60
		echo "$(basename "${check%.*}"): FAILED"
	fi
done
echo "check: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
