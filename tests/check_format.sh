#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Sources are as clang-format leaves them, begin with their licence, and end no line in blanks.
set -u
cd "$(dirname "$0")/.." || exit 1
failed=0

# The tree as it lies here: git may be absent, or refuse a checkout that somebody else owns.
list() {
	local args=() name
	for name in "$@"; do
		args+=(-o -name "$name")
	done
	find boot vmm vmx devices hypercall vmbus guest-test tests .ci -type f \( "${args[@]:1}" \) 2>/dev/null |
		LC_ALL=C sort
}

for file in $(list '*.c' '*.h' '*.asm' '*.asl' '*.py' '*.sh'); do
	if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause'; then
		echo "$file: no SPDX line at its beginning"
		failed=1
	fi
	blanks=$(grep -nE '[[:blank:]]+$' "$file" | cut -d: -f1 | tr '\n' ' ')
	if [ -n "$blanks" ]; then
		echo "$file: blanks at the end of line $blanks"
		failed=1
	fi
done
if command -v clang-format >/dev/null; then
	list '*.c' '*.h' | xargs -r clang-format --dry-run --Werror --ferror-limit=3 || failed=1
else
	echo "clang-format is not installed: format not checked"
fi
if command -v shellcheck >/dev/null; then
	list '*.sh' run | xargs -r shellcheck -S warning || failed=1
fi
exit $failed
