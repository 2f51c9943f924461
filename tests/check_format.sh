#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Sources are as clang-format leaves them, begin with their licence, and end no line in blanks.
set -u
cd "$(dirname "$0")/.." || exit 1
failed=0
mapfile -t sources < <(git ls-files '*.c' '*.h' '*.asm' '*.asl' '*.py' '*.sh')
for file in "${sources[@]}"; do
	[ -f "$file" ] || continue
	if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause'; then
		echo "$file: no SPDX line at its beginning"
		failed=1
	fi
	if grep -nE '[[:blank:]]+$' "$file" | sed "s|^|$file: blank at the end of line |; s|:.*line \([0-9]*\):.*|: blank at the end of line \1|" | grep .; then
		failed=1
	fi
done
if command -v clang-format >/dev/null; then
	if ! git ls-files '*.c' '*.h' | xargs -r clang-format --dry-run --Werror --ferror-limit=3; then
		failed=1
	fi
else
	echo "clang-format is not installed: format not checked"
fi
if command -v shellcheck >/dev/null; then
	git ls-files '*.sh' .ci/run | xargs -r shellcheck -S warning || failed=1
fi
exit $failed
