# SPDX-License-Identifier: BSD-2-Clause
"""Write docs/benchmarks.md and docs/bench/ from build/bench/*.csv (bench.py makes those)."""

import os
import shutil

import plots
import report_claim
import report_data
import report_latency
import report_linux
from tables import DOCS, OUT, REPO, read

INTRO = """\
# Benchmarks

Made by `make bench` (tests/bench/): do not edit, change what writes it. It runs everything, some
of it for minutes. `make bench T=NAME` runs one benchmark and `make bench QUICK=1` the latency image
and the size alone, in a minute or two; both leave their figures in `build/bench/`, and
`make bench-report` then writes this file and `docs/bench/` anew: the raw figures (`*.csv`) and the
plots. Each section begins with the commands that make its figures.

## What is counted

Everything runs in Bochs 2.7 ({cpu}, one processor). There the time-stamp
counter advances by one for each instruction, and for each iteration of a string instruction: **a
tick is an instruction**. So these figures do not depend on the computer they are made on, and a
difference between two versions is a difference in the software. The same build gives the same
counts: the latency image's to the instruction, those of a Linux boot within about 0.1 %.

What an emulator cannot show:

- the price of the transition itself: a VM exit and entry cost nothing here, and hundreds to
  thousands of cycles on hardware. A figure here is the software's part; multiply the exits by that
  price to get the rest;
- caches, TLB misses, the second page walk of EPT, branch prediction, memory bandwidth;
- the price of single instructions: VMREAD, WRMSR, LOCK, IN on a real port count as one each, and so
  does what flushes a cache or a predictor;
- two processors at once: with more than one, ticks are no longer instructions.

So they compare software paths: this hypervisor's versions, or two hypervisors on this emulator.
They are not nanoseconds.

## On a machine with KVM

    make bench-here

`make bench` needs no KVM and makes no use of it: its figures are instructions on every machine. The
latency image is an ordinary multiboot image. It runs under QEMU as it is, and on bare metal
from any multiboot loader; it says itself whether the clock counts instructions or cycles, prints a
table and the same as CSV on COM1, and skips, with the reason, what the machine does not have. With
KVM on hardware a tick is one of the processor's time-stamp counter, at its nominal frequency.
There the cost of an exit is in the figures, and so is noise: compare medians of several runs on an
idle machine, with the frequency fixed. p99 and the maximum are the machine's own interrupts,
frequency changes and neighbours. Where QEMU cannot use KVM it translates: this shows that
the image runs, and its figures mean nothing.

Candela itself under KVM (README.md, `make run` with nested virtualization) gives no figures worth
a comparison: every exit of its guests is an exit to KVM first, which costs more than all that is
counted here.
"""


SECTIONS = [
    report_claim.section,
    report_latency.section,
    report_linux.boot_section,
    report_linux.hyperv_section,
    report_linux.bare_section,
    lambda _: report_data.section(read),
    report_linux.size_section,
]


def publish():
    """What was measured later replaces what is committed."""
    os.makedirs(DOCS, exist_ok=True)
    for name in sorted(os.listdir(OUT)):
        new, old = os.path.join(OUT, name), os.path.join(DOCS, name)
        if not name.endswith(".csv"):
            continue
        if not os.path.exists(old) or os.path.getmtime(new) > os.path.getmtime(old):
            shutil.copy(new, old)
            print(f"taken: {name}")


def write(settings):
    publish()
    plots.write()
    text = INTRO.format(**settings) + "".join(section(settings) for section in SECTIONS)
    with open(os.path.join(REPO, "docs", "benchmarks.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print("written: docs/benchmarks.md, docs/bench/")
