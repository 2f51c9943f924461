#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run_fuzz.sh SECONDS PROGRAM...   each for so long, from tests/fuzz/corpus/NAME where there
# is one. What it finds is kept in build/fuzz/corpus-NAME; a crash fails and names its file.
set -u
seconds=$1
shift
passed=0
failed=0
for bin in "$@"; do
	name=$(basename "$bin" | sed 's/^fuzz_//')
	dir=$(dirname "$bin")
	corpus=$dir/corpus-$name
	log=$dir/$name.log
	mkdir -p "$corpus"
	seeds=()
	if [ -d "tests/fuzz/corpus/$name" ]; then
		seeds=("tests/fuzz/corpus/$name")
	fi
	dict=()
	if [ -f "tests/fuzz/$name.dict" ]; then
		dict=("-dict=tests/fuzz/$name.dict")
	fi
	if ASAN_OPTIONS=detect_leaks=0 "$bin" -max_total_time="$seconds" -timeout=10 \
		-rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$dir/crash-$name-" \
		"${dict[@]}" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		echo "fuzz_$name: ${runs:-0} inputs, none failed"
		passed=$((passed + 1))
	else
		tail -n 40 "$log"
		echo "fuzz_$name: FAILED, the input is named above"
		failed=$((failed + 1))
	fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
