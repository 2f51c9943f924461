# SPDX-License-Identifier: BSD-2-Clause
"""Write docs/benchmarks.md and docs/bench/ from build/bench/*.csv (bench.py makes those)."""

import os
import shutil

import plots
import report_data
import report_latency
import report_linux
from tables import DOCS, OUT, REPO, read

INTRO = """\
# Benchmarks

Made by `make bench` (tests/bench/): do not edit, change tests/bench/report.py. The raw figures are
in `build/bench/*.csv` afterwards; `make bench QUICK=1` runs the latency image alone, in less than
a minute, and leaves this file as it is.

## What is counted

Everything runs in Bochs 2.7 ({cpu}, one processor). There the time-stamp
counter advances by one for each instruction, and for each iteration of a string instruction: **a
tick is an instruction**. So these figures do not depend on the computer they are made on, and a
difference between two versions is a difference in the software. The same build gives the same
counts: the latency image's to the instruction, those of a Linux boot within about 0.1 %.

What an emulator cannot show:

- the price of the transition itself: a VM exit and entry cost nothing here, and hundreds to
  thousands of cycles on hardware. A figure here is the software's part;
- caches, TLB misses, the second page walk of EPT, branch prediction, memory bandwidth;
- the price of single instructions: VMREAD, WRMSR, LOCK, IN on a real port count as one each;
- two processors at once: with more than one, ticks are no longer instructions.

So they compare software paths: this hypervisor's versions, or two hypervisors on this emulator.
They are not nanoseconds. The latency image is an ordinary multiboot image and also runs under QEMU;
with KVM on hardware the columns are ticks of its time-stamp counter, the median is what to look at,
and the maximum is noise:

    make bench-images
    qemu-system-x86_64 -enable-kvm -cpu host -display none -serial stdio \\
        -kernel build/bench/latency.elf
"""


SECTIONS = [
    report_latency.section,
    report_linux.boot_section,
    report_linux.hyperv_section,
    report_linux.bare_section,
    lambda _: report_data.section(read),
    report_linux.size_section,
]


def publish():
    """What was measured last replaces what is committed."""
    os.makedirs(DOCS, exist_ok=True)
    for name in os.listdir(OUT):
        if name.endswith(".csv"):
            shutil.copy(os.path.join(OUT, name), DOCS)


def write(settings):
    publish()
    plots.write()
    text = INTRO.format(**settings) + "".join(section(settings) for section in SECTIONS)
    with open(os.path.join(REPO, "docs", "benchmarks.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print("written: docs/benchmarks.md, docs/bench/")
