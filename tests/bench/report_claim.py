# SPDX-License-Identifier: BSD-2-Clause
"""The first section of docs/benchmarks.md: what was to be shown, and what the figures say to it."""

import report_data
import report_latency
from report_latency import MEDIAN
from tables import count, read, row

TEXT = """
## What the figures say

    make bench QUICK=1; make bench T=peer; make bench T=disk

Three things are to be shown: a hypercall costs less than an access to an emulated device; a request
to a synthetic disk costs less than one to an emulated disk; and what decides is how many exits an
operation needs, more than what one costs. The figures are those of the sections below.

| instructions, in the guest's eyes | Candela | KVM, off |
|---|--:|--:|
"""

CALL = "hv-call-null-fast"
ACCESSES = {
    "in-pic": "a port of the 8259",
    "in-uart-lsr": "a port of the UART",
    "mmio-ioapic-read": "a register of the IOAPIC",
}

REQUESTS = """
A request for 4 KiB at random, by the work of the hypervisor and a price for each transition, in the
time of so many instructions. Here a transition is free; on hardware it costs hundreds to thousands
of cycles.

| | depth | exits | hypervisor | for each exit | with transitions of 500 | of 2,000 |
|---|--:|--:|--:|--:|--:|--:|
"""

LOADS = {"read 4K 1": "1", "read 4K 32": "32"}
EMULATED, SYNTHETIC = "IDE DMA", "storvsc"
PRICES = (500, 2000)


def accesses_verdict(name, call, accesses):
    """accesses: what -> instructions."""
    cheaper = [what for what, ticks in accesses.items() if ticks <= call]
    if not cheaper:
        return f"{name}'s hypercall is cheaper than each of them."
    return f"{name}'s hypercall is not cheaper than {' and '.join(cheaper)}."


def request_verdict(depth, emulated, synthetic):
    """Each (exits, instructions of the hypervisor) of a request."""
    saved_exits, saved_work = (e - s for e, s in zip(emulated, synthetic))
    text = f"At depth {depth} the synthetic disk needs {small_ratio(emulated[0], synthetic[0])} exits"
    work = (emulated[1] / emulated[0], synthetic[1] / synthetic[0])
    text += f", does {work[1] / work[0]:,.0f} times as much in each, and "
    if saved_work > 0 and saved_exits > 0:
        return text + "costs less whatever a transition costs."
    if saved_exits > 0:
        return text + f"costs less where a transition costs {-saved_work / saved_exits:,.0f} or more."
    return text + "does not cost less."


def small_ratio(a, b):
    return f"{a / b:,.0f} times fewer" if a > b else f"{b / a:.1f} times as many"


def access_section(ours, theirs):
    """ours, theirs: name of an operation -> its row."""
    text, verdicts = "", []
    for name in (CALL, *ACCESSES):
        cells = [report_latency.ticks(rows.get(name), (MEDIAN,))[0] for rows in (ours, theirs)]
        text += row(ACCESSES.get(name, "a hypercall that does nothing"), *cells)
    for name, rows in (("Candela", ours), ("KVM", theirs)):
        if all(x in rows for x in (CALL, *ACCESSES)):
            found = {what: float(rows[x][MEDIAN]) for x, what in ACCESSES.items()}
            verdicts.append(accesses_verdict(name, float(rows[CALL][MEDIAN]), found))
    return text + "\n" + "\n".join(verdicts) + "\n"


def request_section(found):
    """found: rows of disk.csv."""
    costs = {
        (r["device"], r["load"]): (r["exits"] / r["ops"], report_data.own(r) / r["ops"])
        for r in found
        if r["load"] in LOADS
    }
    text, verdicts = "", []
    for device in ("IDE PIO", EMULATED, SYNTHETIC):
        for load, depth in LOADS.items():
            if (device, load) in costs:
                exits, work = costs[device, load]
                totals = [count(work + exits * price) for price in PRICES]
                figures = [report_data.small(exits), count(work), count(work / exits), *totals]
                text += row(report_data.DEVICES[device], depth, *figures)
    for load, depth in LOADS.items():
        if (EMULATED, load) in costs and (SYNTHETIC, load) in costs:
            verdicts.append(request_verdict(depth, costs[EMULATED, load], costs[SYNTHETIC, load]))
    return REQUESTS + text + "\n" + "\n".join(verdicts) + "\n" if text else ""


def section(_):
    ours, theirs = (report_latency.rows_of(name) for name in ("latency", "peer_off"))
    return TEXT + access_section(ours, theirs) + request_section(report_data.rows(read, "disk"))
