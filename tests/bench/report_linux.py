# SPDX-License-Identifier: BSD-2-Clause
"""Sections of docs/benchmarks.md about a Linux guest: its boot, with what and without, and sizes."""

from tables import count, figures, kib, read, row

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
