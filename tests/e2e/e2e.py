#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run end-to-end tests: tests/e2e/test_*.py, each a file with TESTS.

TESTS maps a name to (tier, function); tier is 'test' (every run) or 'all' (make test-all
only). The function gets a harness.Context. The last line is 'e2e: N passed, N failed'.
"""

import argparse
import glob
import importlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import harness  # noqa: E402


def load():
    tests = {}
    for path in sorted(glob.glob(os.path.join(os.path.dirname(harness.__file__), "test_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        for name, (tier, function) in module.TESTS.items():
            if name in tests:
                raise SystemExit(f"e2e: two tests are named {name}")
            tests[name] = (tier, function, function.__doc__ or "")
    return tests


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loader", default=os.path.join(harness.BUILD, "BOOTX64.EFI"))
    parser.add_argument("--tier", choices=("test", "all"), default="test")
    parser.add_argument("--show", metavar="NAME", help="only this one, with its console")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    tests = load()
    if args.list:
        for name, (tier, _, doc) in tests.items():
            print(f"{name:38} {tier:5} {doc.splitlines()[0] if doc else ''}")
        return 0
    if args.show:
        if args.show not in tests:
            print(f"e2e: no test '{args.show}'; there are: {' '.join(tests)}", file=sys.stderr)
            return 2
        chosen = [args.show]
    else:
        chosen = [name for name, row in tests.items() if args.tier == "all" or row[0] == "test"]

    def one(name):
        result = harness.run_one(name, tests[name][1], args.loader, bool(args.show))
        harness.report(result)
        return result

    # One at a time unless JOBS says otherwise: an emulator takes a whole CPU.
    with ThreadPoolExecutor(max_workers=int(os.environ.get("JOBS") or 1)) as pool:
        results = list(pool.map(one, chosen))
    failed = sum(bool(result.failures) for result in results)
    skipped = sum(result.skipped is not None and not result.failures for result in results)
    print(f"e2e: {len(results) - failed - skipped} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
