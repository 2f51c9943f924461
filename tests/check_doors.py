#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One door per danger: what may appear only in certain files.

check_doors.py [DIR] checks the tree under DIR (default: this repository). Comments and the
contents of strings do not count.
"""

import os
import re
import sys
import tempfile

FOLDERS = ("boot", "vmm", "vmx", "devices", "hypercall", "vmbus")
HW = r"_hw\.[ch]$"

# What it is, a regular expression on code, the files where it may stand.
DOORS = [
    ("inline assembler", r"\b(?:asm|__asm|__asm__)\b", HW + r"|^vmx/asm_offsets\.c$"),
    ("volatile", r"\bvolatile\b", HW + r"|^vmx/asm_offsets\.c$"),
    ("reading the time-stamp counter", r"\b_*(?:builtin_ia32_)?rdtscp?\s*\(", HW),
    ("port access", r"\b(?:in|out)(?:[bwl]|s[bwl])\s*\(", HW),
    ("a processor intrinsic", r"\b(?:__builtin_ia32_\w+|_mm\w*_\w+|__cpuid\w*)\b",
     HW + r"|^vmm/lib/spinlock\.h$"),
    # Pointers into guest memory: copies and the backends' pinned segments only.
    ("a raw pointer to guest memory", r"\bgmem_map\s*\(", r"^vmm/guest_mem\.[ch]$|^devices/backend/"),
    (
        "writing around the log",
        r"\b(?:console_write|log_sink)\s*\(",
        r"^vmm/hw/(?:console|log|panic)\w*\.[ch]$|^vmm/lib/log\.[ch]$|^vmm/main\.c$"
        r"|^devices/backend/chr_console\.[ch]$|^vmm/monitor_out\.c$|^boot/",
    ),
    (
        "a header of a C library",
        r"#\s*include\s*<(?:stdio|stdlib|string|unistd|time|errno|assert)\.h>",
        r"^vmm/lib/(?:err|string)\.h$",
    ),
    # The guest's floating-point registers stay in the processor while the core runs.
    ("floating point", r"\b(?:float|double)\b", r"^$"),
]  # fmt: skip

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """Comments and strings blanked, line breaks kept."""

    def blank(match):
        return "\n" * match[0].count("\n") if match[0][0] == "/" else '""'

    return TOKEN.sub(blank, text)


def violations(root):
    found = []
    for folder in FOLDERS:
        for base, _, names in sorted(os.walk(os.path.join(root, folder))):
            for name in sorted(names):
                if not name.endswith((".c", ".h")):
                    continue
                path = os.path.join(base, name)
                rel = os.path.relpath(path, root)
                with open(path, encoding="utf-8") as f:
                    code = code_only(f.read())
                for what, pattern, allowed in DOORS:
                    if re.search(allowed, rel):
                        continue
                    for match in re.finditer(pattern, code):
                        line = code.count("\n", 0, match.start()) + 1
                        found.append((rel, line, what))
    return found


def self_test():
    """The check must be able to fail: one planted violation a door, and harmless look-alikes."""
    planted = {
        "vmm/a.c": '__asm__("hlt");',
        "vmm/b.c": "volatile int x;",
        "devices/c.c": "t = __rdtsc();",
        "devices/d.c": "outb(1, 2);",
        "vmx/e.c": "__builtin_ia32_pause();",
        "devices/f.c": "p = gmem_map(vm, gpa, 8);",
        "devices/g.c": "console_write(p, n);",
        "vmm/lib/h.c": "#include <string.h>",
        "vmm/i.c": "double d;",
    }
    harmless = {
        "vmm/hw/x_hw.c": '__asm__ volatile("rdtsc"); outb(1, 2);',
        "vmm/ok.c": '/* volatile\n asm */ // rdtsc\nlog_info("outb(1, 2) volatile"); logoutb(1);',
    }
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**planted, **harmless}.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write("int first;\n" + text + "\n")
        got = sorted((path, line) for path, line, _ in violations(root))
    want = sorted((path, 2) for path in planted)
    if got != want or len(planted) != len(DOORS):
        print(f"check_doors.py: self-test failed:\n planted {want}\n found   {got}")
        return False
    return True


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    ok = self_test()
    for path, line, what in violations(root):
        print(f"{path}:{line}: {what} does not belong here")
        ok = False
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
