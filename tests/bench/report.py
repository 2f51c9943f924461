#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write docs/benchmarks.md from build/bench/*.csv (tests/bench/bench.py makes those)."""

import csv
import os
import sys

import report_data

REPO = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
OUT = os.path.join(REPO, os.environ.get("B") or "build", "bench")

# What each row of the latency image is. The order is the order of the table; a row of the image
# that is not here is shown with its name alone.
OPERATIONS = {
    "cpuid": "CPUID, leaf 0",
    "cpuid-leaf-1": "CPUID, leaf 1 (some of its bits follow CR4 and the APIC)",
    "rdmsr-misc-enable": "RDMSR, IA32_MISC_ENABLE",
    "wrmsr-tsc-adjust": "WRMSR, IA32_TSC_ADJUST",
    "rdmsr-unknown-gp": "RDMSR of an MSR that is not there: #GP and its handler",
    "vmcall": "VMCALL: #UD and its handler",
    "cr0-wp-toggle": "CR0.WP off and on: two writes",
    "cr8-read-write": "CR8 read and written",
    "xsetbv": "XSETBV",
    "in-pic": "IN, 8259 mask",
    "in-pit": "IN, 8254 counter",
    "in-pm-timer": "IN, PM timer",
    "in-uart-lsr": "IN, UART line status",
    "in-unclaimed": "IN, port that is nobody's",
    "out-pic": "OUT, 8259 mask",
    "out-uart-scratch": "OUT, UART scratch register",
    "out-unclaimed": "OUT, POST port",
    "mmio-ioapic-select-read": "IOAPIC: select a register and read it: two accesses",
    "mmio-unclaimed": "MMIO read where nothing is",
    "xapic-read": "local APIC register read, xAPIC",
    "xapic-eoi": "EOI, xAPIC",
    "xapic-self-ipi": "self-IPI to the end of its handler, xAPIC",
    "x2apic-read": "local APIC register read, x2APIC",
    "x2apic-eoi": "EOI, x2APIC",
    "x2apic-self-ipi-icr": "self-IPI to the end of its handler, x2APIC, by ICR",
    "x2apic-self-ipi-register": "the same by the self-IPI register",
    "hlt-self-ipi": "HLT with a self-IPI pending, to the end of its handler",
    "tsc-deadline-past": "TSC deadline in the past, to the end of its handler",
    "hlt-tsc-deadline": "HLT: from the TSC deadline to the instruction behind",
    "hv-call-null-fast": "hypercall that does nothing (IPI to no VP), input in registers",
    "hv-call-null-slow": "the same with its input in memory",
    "hv-call-unknown": "hypercall with an unknown number",
    "hv-call-flush-self": "flush of the caller's own translations, by hypercall",
    "hv-call-self-ipi": "self-IPI to the end of its handler, by hypercall",
    "hv-vp-index-call": "VP index by APIC id, by hypercall",
    "hv-vp-index-msr": "VP index, by MSR",
    "hv-time-msr": "reference time, by MSR",
    "hv-time-page": "reference time, by the reference TSC page",
    "hv-timer-set": "synthetic timer set",
    "hv-timer-past": "synthetic timer, direct, in the past, to the end of its handler",
    "hv-hlt-timer": "HLT: from the due time of a direct timer to the instruction behind",
    "hv-timer-message": "synthetic timer in the past, as a message, to the end of its handler",
    "hv-eom": "EOM with no message waiting",
    "hv-post-message": "message of 240 bytes to the host, and from there into a slot",
    "hv-post-message-handler": "the same to the end of the handler that frees the slot",
    "hv-signal-event": "event to the host, and from there to a flag that is set already",
    "hv-signal-event-slow": "the same with its input in memory",
    "hv-signal-event-handler": "event to the end of the handler that clears its flag",
    "ipi-to-sleeper": "IPI to the handler of another vCPU that sleeps on the same CPU",
    "ipi-round-trip": "the same there and back, each asleep meanwhile: two switches",
}

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

LATENCY = """
## One operation, seen by the guest

    make bench QUICK=1

From the instruction before the operation to the one after it: the guest's own instructions,
{samples} samples after 64 warm-ups, the empty measurement ({overhead} ticks) subtracted. The guest
is guest-test/latency/, alone in a VM with one vCPU. Rows below about 25 are operations that do not
leave the guest: the processor's virtual local APIC carries them out. The maximum is mostly a
sample in which a host interrupt, or the end of a time slice, came too.

| operation | min | median | p99 | max |
|---|--:|--:|--:|--:|
"""

BOOT = """
## Linux from its first instruction to /init

    make bench T=linux

Debian's {kernel}, unmodified, one vCPU, {memory}, `{cmdline}`, an initramfs whose /init reads the
clock and powers the VM off. The figures are those of the whole life of the VM, from its first
entry to power-off.

| figure | |
|---|--:|
"""

BOOT_NOTES = """
`each` is the time in the handler. `none` is a host interrupt, a timer that is due, or the end of a
time slice; `memory` is an MMIO access, or a large page split because code in it is executed.

Candela prints the statistics with the entry and exit code counted as the guest's (it reads the
clock on the handlers' side of it). Here it is the hypervisor's: its instructions are what an XSETBV
costs in the guest's eyes less what the statistics say of it.
"""

HYPERV = """
## With the Hyper-V interface and without

    make bench T=linux; make bench T=linux-plain
    make bench T=linux-idle; make bench T=linux-plain-idle

The same boot with `hyperv = on`, the default, and with `hyperv = off`; then the same kernel at its
shell's prompt with nobody typing, exits a second over {idle} s.

| | on | off |
|---|--:|--:|
"""

BARE = """
## The same Linux without a hypervisor

    make bench T=linux-bare

The same kernel, initramfs and command line on the same Bochs with {memory}, started by the
firmware as the EFI application that it is.

| | with Candela | without | ratio |
|---|--:|--:|--:|
"""

BARE_NOTES = """
The clock is the kernel's own, `/proc/uptime` read first thing in /init, in steps of 10 ms, times
the frequency the kernel found for its time-stamp counter. It begins when the kernel has found that
counter, early in its set-up, and covers all that passes from there, the hypervisor's part
included; it does not cover the kernel's decompression, nor the firmware or Candela's own start.
Idle is what the kernel itself counts as idle.

The two machines are not the same: without Candela the kernel finds Bochs's devices, EFI, and - on
this firmware - no ACPI tables, so it uses the 8259 pair and no TSC-deadline timer; with Candela it
finds the virtual machine of docs/hardware.md. Part of the difference, in both directions, is what
there is to set up. The hypervisor's own share above has no such uncertainty.
"""

SIZE = """
## Size

    make bench T=core-size; size build/core.elf

| what | |
|---|--:|
"""

SIZE_NOTES = """
Memory and hand-off are of `make bench T=linux`: one VM with {memory}. Not in it: the files the
loader has read (kernel and initrd), which stay in memory for the VM's next reset, and the loader's
tables. Nearly all of the hand-off is work in proportion to the VM: its RAM is cleared, its kernel
and initrd are copied.
"""


def read(name):
    """Rows of a CSV file without the header; [] when there is no such file."""
    try:
        with open(os.path.join(OUT, name + ".csv"), encoding="ascii", newline="") as f:
            return list(csv.reader(f))[1:]
    except OSError:
        return []


def figures(name):
    return {row[0]: float(row[1]) for row in read(name)}


def count(value):
    return f"{round(value):,}"


def kib(value):
    return f"{value / 1024:,.0f} KiB"


def row(*cells):
    return "| " + " | ".join(cells) + " |\n"


def latency_text():
    """The table of the latency image as plain text, for the terminal."""
    lines = [f"{'operation':<28}{'min':>8}{'median':>8}{'p99':>8}{'max':>8}"]
    for name, *values in read("latency") + read("latency_two"):
        lines.append(f"{name:<28}" + "".join(f"{count(float(v)):>8}" for v in values))
    return "\n".join(lines)


def latency_section():
    rows = {name: values for name, *values in read("latency") + read("latency_two")}
    info = {what: value for what, value in read("latency_info")}
    text = LATENCY.format(samples=count(float(info["samples"])), overhead=info["overhead"])
    order = [name for name in OPERATIONS if name in rows] + [x for x in rows if x not in OPERATIONS]
    for name in order:
        cells = [count(float(v)) for v in rows[name]]
        text += row(OPERATIONS.get(name, name), *cells)
    return text


def switch_ticks():
    """
    Instructions of entry and exit code in one exit. Candela reads the clock on the handlers' side
    of it, so the statistics count it as the guest's time: it is what an XSETBV costs in the guest's
    eyes, less the instruction itself and what the statistics of the same run say of this kind of
    exit, which no other row of the image causes.
    """
    seen = {name: float(values[1]) for name, *values in read("latency")}["xsetbv"]
    counted = {name: float(ticks) / float(n) for name, n, ticks in read("latency_exits")}["xsetbv"]
    return seen - 1 - counted


def boot_section(settings):
    f = figures("linux")
    switch = switch_ticks() * f["exits"]
    rest = f["elapsed"] - f["guest_ticks"] - f["host_ticks"] - f["asleep"]
    own = f["host_ticks"] + switch + rest
    guest = f["guest_ticks"] - switch
    text = BOOT.format(**settings)
    text += row("exits", count(f["exits"]))
    text += row("instructions of the guest", count(guest))
    text += row("of the hypervisor, in its handlers", count(f["host_ticks"]))
    text += row(f"in its entry and exit code ({count(switch_ticks())} an exit)", count(switch))
    text += row("between two runs of the vCPU: scheduler, timers, power-off", count(rest))
    share = f"{100 * own / (own + guest):.2f} %"
    text += row("the hypervisor's share of all that is not idle", share)
    text += row("asleep in HLT, ticks", count(f["asleep"]))
    text += row("to /init, by the kernel's clock", f"{f['init_uptime']:.2f} s")
    text += "\n| exit | count | ticks | each |\n|---|--:|--:|--:|\n"
    for name, n, ticks in read("linux_exits"):
        text += row(name, count(float(n)), count(float(ticks)), count(float(ticks) / float(n)))
    return text + BOOT_NOTES


def hyperv_section(settings):
    text = HYPERV.format(**settings)
    on, off = figures("linux"), figures("linux_plain")
    text += row("exits to /init and off", count(on["exits"]), count(off["exits"]))
    text += row("instructions in handlers", count(on["host_ticks"]), count(off["host_ticks"]))
    text += row(
        "to /init, by the kernel's clock", *(f"{f['init_uptime']:.2f} s" for f in (on, off))
    )
    on, off = figures("linux_idle"), figures("linux_plain_idle")
    text += row("exits in an idle second", *(f"{sum(f.values()):.1f}" for f in (on, off)))
    for kind in sorted({**on, **off}):
        text += row(f"of them {kind}", *(f"{f.get(kind, 0):.1f}" for f in (on, off)))
    return text


def bare_section(settings):
    f, b = figures("linux"), figures("linux_bare")
    text = BARE.format(**settings)

    def line(label, with_it, without, unit):
        ratio = f"{with_it / without:.3f}" if without else ""
        return row(label, unit(with_it), unit(without), ratio)

    def seconds(value):
        return f"{value:.2f} s"

    text += line("to /init, by the kernel's clock", f["init_uptime"], b["init_uptime"], seconds)
    text += line("of it idle", f["init_idle"], b["init_idle"], seconds)
    text += line(
        "to /init, ticks",
        f["init_uptime"] * f["kernel_mhz"] * 1e6,
        b["init_uptime"] * b["kernel_mhz"] * 1e6,
        lambda v: f"{v / 1e6:,.0f} million",
    )
    return text + BARE_NOTES


def size_section(settings):
    f, s = figures("linux"), figures("core_size")
    text = SIZE
    text += row("the core's code and constants", kib(s["text"]))
    text += row("its data", kib(s["data"] + s["bss"]))
    text += row("memory of the core's image", f"{f['core_image']:.0f} KiB")
    pages = "pages besides: page tables, stacks, the VM, its devices and its EPT"
    text += row(pages, f"{f['core_pages']:.0f} KiB")
    text += row("together, beside the VM's RAM", f"{f['core_image'] + f['core_pages']:.0f} KiB")
    text += row("ticks from the loader's hand-off to the VM's first entry", count(f["handoff"]))
    return text + SIZE_NOTES.format(**settings)


def write(settings):
    text = INTRO.format(**settings) + latency_section()
    text += boot_section(settings) + hyperv_section(settings)
    text += bare_section(settings) + report_data.section(read) + size_section(settings)
    path = os.path.join(REPO, "docs", "benchmarks.md")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    print("written: docs/benchmarks.md")


if __name__ == "__main__":
    sys.exit("report.py is called by bench.py: make bench")
