#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run guest-test/ images in the machine and count what they report.

A guest test prints 'PASS name', 'FAIL name file:line' or 'SKIP name reason' on its serial
line and powers off; after 'EXIT value' it ends by a debug exit with that value, which the host's
log must name. Each image boots once, in tier 'all' some boot again in other machines
(VARIANTS). The last line here is 'guest-test: N passed, N failed'; skipped tests are shown
and not counted.
"""

import argparse
import glob
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import harness  # noqa: E402

EXIT_LINE = re.compile(r"(?m)^EXIT (\d+)$")
LINE = re.compile(r"(?m)^(PASS|FAIL|SKIP) (\S+)(?: (.*))?$")
# Suffix: (images, lines of the [host] section, CPU model, CPUs, vCPUs if not as in IMAGE.cfg). Of
# VT-x nothing but what must be: every path in software. Another processor: AVX-512, SMAP, XSAVES.
# Virtual-interrupt delivery, which Bochs does wrong under load (docs/decisions/0014). Two CPUs for
# the vCPUs of an image that has several. All of the local APIC in software, but with the preemption
# timer. One vCPU, and more of them than CPUs.
VARIANTS = {
    "bare": (("core", "modes", "hyperv"), "vmx = -all", None),
    "skylake": (("core",), "", "corei7_skylake_x"),
    "vid": (("core", "modes", "smp", "hyperv"), "vmx = +vid", None),
    "2cpu": (("smp", "hyperv"), "", None, 2),
    "soft": (("smp",), "vmx = -tpr", None, 2),
    "1vcpu": (("hyperv",), "", None, 1, 1),
    "4vcpus": (("hyperv",), "", None, 2, 4),
}


class Run:
    def __init__(self, name, path, vm, host="", cpu_model=None, cpus=1, vcpus=None):
        self.name = name
        self.path = path
        self.vm = re.sub(r"(?m)^vcpus *=.*$", f"vcpus = {vcpus}", vm) if vcpus else vm
        self.host = host
        self.cpu_model = cpu_model
        self.cpus = cpus


def images():
    """Name -> Run: IMAGE.cfg beside an image may change its VM. All variants."""
    found = {}
    for path in sorted(glob.glob(os.path.join(harness.BUILD, "guest-test", "*.elf"))):
        name = os.path.basename(path)[:-4]
        extra = os.path.join(harness.REPO, "guest-test", name + ".cfg")
        lines = "vcpus = 1\nmemory = 64M\n"
        if os.path.exists(extra):
            with open(extra, encoding="ascii") as f:
                lines = f.read()
        found[name] = Run(name, path, lines)
        for suffix, (names, *machine) in VARIANTS.items():
            if name in names:
                run = Run(f"{name}-{suffix}", path, lines, *machine)
                found[run.name] = run
    return found


# The variants that every run affords: nothing else covers their paths.
ALWAYS = ("core-vid", "smp-2cpu")


def in_tier(run, tier):
    return tier == "all" or run.name in ALWAYS or not any(run.name.endswith("-" + suffix) for suffix in VARIANTS)


def run_image(run, loader, show):
    name = run.name
    vm = name.replace("_", "-")

    def function(t):
        host = f"[host]\n{run.host}\n" if run.host else ""
        t.file("guests/test.elf", run.path)
        t.config(f"{host}[vm.{vm}]\nkernel = \\guests\\test.elf\n{run.vm}")
        t.boot(cpus=run.cpus, cpu_model=run.cpu_model)
        t.expect_off(180)
        for value in EXIT_LINE.findall(t.text):
            line = f"vm {vm}: debug exit {value}"
            t.check(line in t.text, f"the host's log does not say '{line}'")

    result = harness.run_one("guest-" + name, function, loader, show)
    lines = LINE.findall(result.context.text)
    counts = {word: sum(row[0] == word for row in lines) for word in ("PASS", "FAIL", "SKIP")}
    with harness.PRINT_LOCK:
        if result.failures and not show:
            for line in [x for x in result.context.text.split("\n") if x.strip()][-30:]:
                print("    | " + line[:200])
        for word, test, rest in lines:
            if word != "PASS":
                print(f"{word} {name}.{test} {rest}")
        for failure in result.failures:
            print(f"FAIL {name}: {failure}")
        if not lines:
            print(f"FAIL {name}: reported nothing")
        print(
            f"{name}: {counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped"
            f" ({result.seconds:.0f} s)",
            flush=True,
        )
    return counts["PASS"], counts["FAIL"] + len(result.failures) + (not lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loader", default=os.path.join(harness.BUILD, "BOOTX64.EFI"))
    parser.add_argument("--show", metavar="NAME")
    parser.add_argument("--tier", choices=("test", "all"), default="test")
    args = parser.parse_args()
    found = images()
    if args.show:
        if args.show not in found:
            print(f"guest-test: no image '{args.show}'; there are: {' '.join(found)}")
            return 2
        found = {args.show: found[args.show]}
    else:
        found = {name: run for name, run in found.items() if in_tier(run, args.tier)}
    with ThreadPoolExecutor(max_workers=int(os.environ.get("JOBS") or 1)) as pool:
        results = list(
            pool.map(
                lambda run: run_image(run, args.loader, bool(args.show)),
                found.values(),
            )
        )
    passed = sum(row[0] for row in results)
    failed = sum(row[1] for row in results) + (not results)
    print(f"guest-test: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
