#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""All tests, one step after the other: run_all.py test|all.

A step is a make target that ends with a line 'name: N passed, N failed'. The last line
printed is 'N passed, N failed' over all of them; the exit status is 1 when any failed.
"""

import os
import re
import subprocess
import sys
import time

REPO = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
TOTAL = re.compile(r"^([a-z0-9 -]+): (\d+) passed, (\d+) failed$")


def steps(tier):
    seconds = "30" if tier == "all" else "3"
    return [
        ("build", ["core", "loader"]),
        ("check", ["check"]),
        ("unit", ["unit"]),
        ("fuzz", ["fuzz", "SECONDS=" + seconds]),
        ("guest-test", ["guest-test", "TIER=" + tier]),
        ("bench", ["bench-check"]),
        ("e2e", ["e2e", "TIER=" + tier]),
    ]


def run_step(name, targets):
    """Run one step, showing its output; returns (passed, failed)."""
    jobs = f"-j{os.cpu_count()}"
    command = ["make", "--no-print-directory", "-s", jobs, *targets]
    print(f"== {name}", flush=True)
    start = time.monotonic()
    passed, failed, total = 0, 0, False
    with subprocess.Popen(
        command,
        cwd=REPO,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")},
    ) as process:
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            match = TOTAL.match(line)
            if match and match[1] == name:
                total = True
                passed += int(match[2])
                failed += int(match[3])
            print("   " + line, flush=True)
    if process.returncode != 0 and failed == 0:
        failed = 1
    if name == "build":
        passed = 1 - failed
    elif not total:
        print(f"   {name}: printed no total", flush=True)
        failed = max(failed, 1)
    print(f"   ({name}: {time.monotonic() - start:.0f} s)", flush=True)
    return passed, failed


def main():
    tier = sys.argv[1] if len(sys.argv) > 1 else "test"
    if tier not in ("test", "all"):
        print("usage: run_all.py test|all", file=sys.stderr)
        return 2
    passed = failed = 0
    broken = []
    for name, targets in steps(tier):
        good, bad = run_step(name, targets)
        passed += good
        failed += bad
        if bad:
            broken.append(name)
        if name == "build" and bad:
            break
    if broken:
        print("failed in: " + ", ".join(broken))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
