# SPDX-License-Identifier: BSD-2-Clause
"""The section of docs/benchmarks.md about single operations: Candela, and KVM on the same bench."""

from tables import OUT, count, read, row

MIN, MEDIAN, P99, MAX, EXITS = range(5)  # columns behind the name

# What each row of the latency image is. The order is the order of the table; a row of the image
# that is not here is shown with its name alone.
OPERATIONS = {
    "cpuid": "CPUID, leaf 0",
    "cpuid-leaf-1": "CPUID, leaf 1 (some of its bits follow CR4 and the APIC)",
    "cpuid-leaf-11": "CPUID, leaf 0xB: the APIC id, the only number of a vCPU that CPUID has",
    "rdmsr-misc-enable": "RDMSR, IA32_MISC_ENABLE",
    "wrmsr-tsc-adjust": "WRMSR, IA32_TSC_ADJUST",
    "rdmsr-unknown-gp": "RDMSR of an MSR that is not there: #GP and its handler",
    "vmcall": "VMCALL before there is a hypercall page (Candela: #UD and its handler)",
    "cr0-wp-toggle": "CR0.WP off and on: two writes",
    "cr3-write": "CR3 written",
    "cr4-pge-toggle": "CR4.PGE off and on: two writes",
    "cr8-read-write": "CR8 read and written",
    "dr7-read": "DR7 read",
    "dr7-write": "DR7 written",
    "xsetbv": "XSETBV",
    "in-pic": "IN, 8259 mask",
    "in-pit": "IN, 8254 counter",
    "in-pm-timer": "IN, PM timer",
    "in-uart-lsr": "IN, UART line status",
    "in-unclaimed": "IN, port that is nobody's",
    "out-pic": "OUT, 8259 mask",
    "out-pit": "OUT, 8254 counter",
    "out-uart-scratch": "OUT, UART scratch register",
    "out-post": "OUT, POST port",
    "out-unclaimed": "OUT, port that is nobody's",
    "mmio-ioapic-select-read": "IOAPIC: select a register and read it: two accesses",
    "mmio-ioapic-read": "IOAPIC: one register read",
    "mmio-hpet": "HPET's counter read (Candela has no HPET: nothing is there)",
    "mmio-unclaimed": "MMIO read where nothing is",
    "touch-4k": "first write to a page of 4 KiB",
    "touch-2m": "first write to a page of 2 MiB (16 samples)",
    "xapic-read": "local APIC register read, xAPIC",
    "xapic-eoi": "EOI, xAPIC",
    "xapic-self-ipi": "self-IPI to the end of its handler, xAPIC",
    "x2apic-read": "local APIC register read, x2APIC",
    "x2apic-eoi": "EOI, x2APIC",
    "x2apic-self-ipi-icr": "self-IPI to the end of its handler, x2APIC, by ICR",
    "x2apic-self-ipi-register": "the same by the self-IPI register",
    "x2apic-self-ipi-masked": "the same by ICR with interrupts off, then let in by STI",
    "hlt-self-ipi": "HLT with a self-IPI pending, to the end of its handler",
    "lapic-timer-one-tick": "local APIC timer, one tick, to the end of its handler",
    "tsc-deadline-set": "TSC deadline set, far away",
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
    "hv-post-message": "message of 232 bytes to the host, and from there into a slot",
    "hv-post-message-handler": "message of 232 bytes to the end of the handler that frees its slot",
    "hv-signal-event": "event to the host, and from there to a flag that is set already",
    "hv-signal-event-slow": "the same with its input in memory",
    "hv-signal-event-handler": "event to the end of the handler that clears its flag",
    "ipi-to-sleeper": "IPI to the handler of another vCPU that sleeps on the same CPU",
    "ipi-round-trip": "the same there and back, each asleep meanwhile: two switches",
}


LATENCY = """
## One operation, seen by the guest

    make bench QUICK=1; make bench T=peer; make bench T=peer-default; make bench T=latency-bare

From the instruction before the operation to the one after it: the guest's own instructions,
{samples} samples after 64 warm-ups, the empty measurement ({overhead} ticks) subtracted. The guest
is guest-test/latency/, alone in a VM with one vCPU and 64M. The maximum is mostly a sample in which
a host interrupt, or the end of a time slice, came too.

KVM is that of Debian's {kernel} with Debian's QEMU 7.2, started in the same Bochs without
Candela: `-machine pc -cpu host` with the Hyper-V enlightenments and `hyperv-testdev`,
`kvm_intel` with `enable_apicv=0`, because this Bochs has no posted interrupts. Candela uses the
virtual local APIC where Bochs has it. "off" is with `mitigations=off`, KVM's shortest path; "default"
is Debian's: part of what they cost, flushing caches and predictors, is one instruction here.

"none" is the same image on the same Bochs without a hypervisor, started by GRUB: what the operation
and its handler are by themselves.

Exits are those of one operation: Candela's by its own count (the test device's port 0xf4), KVM's by
its trace events in a second run. Rows with 0 exits do not leave the guest.

![Median of the main operations](bench/main.svg)

Every operation, from its smallest sample to its 99th percentile, with a mark at the median:

![Distribution of each operation's ticks](bench/latency.svg)

| operation | min | median | p99 | max | exits | KVM, off: median | p99 | exits | default: median | none: median |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"""

VID = """
    make bench T=latency; make bench T=latency-vid

In Bochs virtual-interrupt delivery is off by default: when a host interrupt arrives while a virtual
one is pending, Bochs delivers the virtual one even with RFLAGS.IF 0
(docs/decisions/0014-defects-by-revision.md). The same image runs to its end with `vmx = +vid`, too.
These are the operations whose median differs, without delivery and with it:

| operation | without: median | exits | with: median | exits |
|---|--:|--:|--:|--:|
"""

NOTES = """
What differs in the big table for other reasons than length of path:

- first writes: Candela maps a VM's memory when it makes the VM, KVM when the guest touches it. With
  Debian's transparent huge pages a page of 4 KiB is nearly always there already, and the maximum is
  the zeroing of one of 2 MiB, as in the row below it;
- UART, PM timer, HPET, POST and ports and addresses that are nobody's: QEMU, a process, does these
  for KVM. Messages go through it, too, and through another of its threads;
- DR7: KVM gives the guest the debug registers at the first access and takes them back at the next
  exit, so 1,024 accesses in a row cost it one exit;
- without a hypervisor Bochs answers an MSR that it does not know with 0, and there is no fault;
- xAPIC: without a virtual APIC KVM decodes and emulates the instruction of every access;
- "interrupts off, then let in by STI" is how such figures are often taken; it adds the exit by which
  a hypervisor learns that the guest takes interrupts again;
- the VP index by a hypercall needs access to VP registers, which KVM does not offer.
"""


def ticks(cells, which):
    return [count(float(cells[i])) for i in which] if cells else ["-" for _ in which]


def exits(cells):
    return f"{float(cells[EXITS]):.1f}".removesuffix(".0") if cells and cells[EXITS] != "-" else "-"


def latency_text(*files):
    """The table of the last run as plain text, for the terminal."""
    names = ("min", "median", "p99", "max", "exits")
    lines = [f"{'operation':<28}" + "".join(f"{name:>10}" for name in names)]
    for name, *cells in (cells for file in files for cells in read(file, OUT)):
        figures = ticks(cells, (MIN, MEDIAN, P99, MAX)) + [exits(cells)]
        lines.append(f"{name:<28}" + "".join(f"{v:>10}" for v in figures))
    return "\n".join(lines)


def rows_of(*names):
    return {name: cells for file in names for name, *cells in read(file)}


def order(rows):
    return [name for name in OPERATIONS if name in rows] + [x for x in rows if x not in OPERATIONS]


def vid_section(without, delivered):
    """Name of an operation -> its row, without virtual-interrupt delivery and with it."""
    text = ""
    for name in order(without):
        runs = [without[name], delivered.get(name)]
        if runs[1] and float(runs[0][MEDIAN]) != float(runs[1][MEDIAN]):
            figures = [cell for cells in runs for cell in (*ticks(cells, (MEDIAN,)), exits(cells))]
            text += row(OPERATIONS.get(name, name), *figures)
    return VID + text if text else ""


def section(settings):
    rows = rows_of("latency", "latency_two")
    off, default, none = (rows_of(x) for x in ("peer_off", "peer_default", "latency_bare"))
    info = dict(read("latency_info"))
    text = LATENCY.format(samples=count(float(info["samples"])), overhead=info["overhead"], **settings)
    for name in order(rows):
        ours, theirs = rows[name], off.get(name)
        text += row(
            OPERATIONS.get(name, name),
            *ticks(ours, (MIN, MEDIAN, P99, MAX)),
            exits(ours),
            *ticks(theirs, (MEDIAN, P99)),
            exits(theirs),
            *ticks(default.get(name), (MEDIAN,)),
            *ticks(none.get(name), (MEDIAN,)),
        )
    return text + vid_section(rows_of("latency"), rows_of("latency_vid")) + NOTES
